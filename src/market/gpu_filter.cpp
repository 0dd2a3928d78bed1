// The GPU grammar: vendor, names, memory and count joined by ':', told apart by their shape.
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "market/query.hpp"

namespace portolan::market {
namespace {

struct VendorName {
  std::string_view spelling, vendor;
};
constexpr std::array<VendorName, 9> kVendors{{{"nvidia", "nvidia"},
                                              {"amd", "amd"},
                                              {"intel", "intel"},
                                              {"google", "google"},
                                              {"tpu", "google"},
                                              {"aws", "aws"},
                                              {"huawei", "huawei"},
                                              {"groq", "groq"},
                                              {"cerebras", "cerebras"}}};
// Beyond this a bare number was more likely meant as gigabytes.
constexpr double kPlausibleCount = 16;
constexpr std::string_view kExample = "write for example h100-sxm:8, A100:80GB:1..8 or 24GB..";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<Error> wrong(std::string_view text, const std::string& message,
                             std::string hint = std::string(kExample)) {
  return fail(ErrorCode::kInvalidInput, "gpu " + quoted(text) + ": " + message, std::move(hint));
}

// "24GB..80GB", "80GB", "..80GB": two ends, either of which may be missing.
struct Ends {
  std::string_view low, high;
};
Ends ends_of(std::string_view part) {
  const std::size_t dots = part.find("..");
  if (dots == std::string_view::npos) return {part, part};
  return {part.substr(0, dots), part.substr(dots + 2)};
}

Result<void> set_memory(GpuFilter& filter, std::string_view text, std::string_view part) {
  const Ends ends = ends_of(part);
  const auto size = [&](std::string_view end) -> Result<std::optional<Bytes>> {
    if (end.empty()) return std::optional<Bytes>();
    return std::optional<Bytes>(PORTOLAN_TRY(parse_bytes(end)));
  };
  filter.memory_low = PORTOLAN_TRY(size(ends.low));
  filter.memory_high = PORTOLAN_TRY(size(ends.high));
  if (filter.memory_low && filter.memory_high && *filter.memory_low > *filter.memory_high) {
    return wrong(text, "the memory range " + quoted(part) + " is empty",
                 "put the smaller size first");
  }
  return {};
}

Result<void> set_count(GpuFilter& filter, std::string_view text, std::string_view part) {
  const CountRange range = PORTOLAN_TRY(parse_count_range(part));
  for (const std::optional<double>& end : {range.low, range.high}) {
    if (end && *end < 1) return wrong(text, "the number " + quoted(part) + " is less than 1");
  }
  if (range.low && range.high && *range.low > *range.high) {
    return wrong(text, "the range " + quoted(part) + " is empty", "put the smaller number first");
  }
  filter.count_low = range.low;
  filter.count_high = range.high;
  if (range.low && *range.low > kPlausibleCount) {
    filter.notes.push_back("read " + quoted(part) +
                           " as a number of accelerators; memory needs a unit (" +
                           std::string(part) + "GB)");
  }
  return {};
}

Result<void> set_names(GpuFilter& filter, std::string_view text, std::string_view part,
                       const hardware::Accelerators& accelerators) {
  for (const std::string_view name : split(part, ',')) {
    if (name.empty()) return wrong(text, "an empty name in " + quoted(part));
    const std::vector<const hardware::Accelerator*> found = accelerators.matching(name);
    if (found.empty()) {
      if (name.ends_with('*')) return wrong(text, "no accelerator begins with " + quoted(name));
      const Result<hardware::Resolved> resolved = accelerators.resolve(name);
      Error error = resolved ? Error() : resolved.error();
      error.code = ErrorCode::kInvalidInput;
      return fail(std::move(error));
    }
    if (found.size() > 1 && !name.ends_with('*')) {
      std::string note = quoted(name) + " means any of";
      for (const hardware::Accelerator* accelerator : found) note += " " + accelerator->id;
      filter.notes.push_back(std::move(note));
    }
    for (const hardware::Accelerator* accelerator : found) {
      filter.accelerator_ids.push_back(accelerator->id);
    }
  }
  std::ranges::sort(filter.accelerator_ids);
  const auto repeated = std::ranges::unique(filter.accelerator_ids);
  filter.accelerator_ids.erase(repeated.begin(), repeated.end());
  return {};
}

enum class Shape { kVendor, kNames, kMemory, kCount };

const VendorName* vendor_of(std::string_view part) {
  const std::string folded = to_lower(part);
  const auto at = std::ranges::find(kVendors, folded, &VendorName::spelling);
  return at == kVendors.end() ? nullptr : &*at;
}

Shape shape_of(std::string_view part, const hardware::Accelerators& accelerators) {
  if (is_digit(part.front()) || part.front() == '.') {
    // "4090" is a name, "16" a number, "80GB" a size.
    const bool digits = std::ranges::all_of(part, [](char c) { return is_digit(c) || c == '.'; });
    if (digits && part.size() >= 4 && !accelerators.matching(part).empty()) return Shape::kNames;
    return digits ? Shape::kCount : Shape::kMemory;
  }
  return vendor_of(part) != nullptr ? Shape::kVendor : Shape::kNames;
}

}  // namespace

Result<GpuFilter> parse_gpu_filter(std::string_view text,
                                   const hardware::Accelerators& accelerators) {
  GpuFilter filter;
  if (trim(text).empty()) return filter;
  std::array<bool, 4> seen{};
  for (const std::string_view raw : split(text, ':')) {
    const std::string_view part = trim(raw);
    if (part.empty()) return wrong(text, "an empty part between ':'");
    const Shape shape = shape_of(part, accelerators);
    if (seen[static_cast<std::size_t>(shape)]) {
      constexpr std::array<std::string_view, 4> kKinds{"vendor", "names", "memory", "number"};
      return wrong(text, "the " + std::string(kKinds[static_cast<std::size_t>(shape)]) +
                             " is given twice, again as " + quoted(part));
    }
    seen[static_cast<std::size_t>(shape)] = true;
    switch (shape) {
      case Shape::kVendor:
        filter.vendor = vendor_of(part)->vendor;
        break;
      case Shape::kNames:
        PORTOLAN_DO(set_names(filter, text, part, accelerators));
        break;
      case Shape::kMemory:
        PORTOLAN_DO(set_memory(filter, text, part));
        break;
      case Shape::kCount:
        PORTOLAN_DO(set_count(filter, text, part));
        break;
    }
  }
  return filter;
}

bool GpuFilter::matches(const hardware::Accelerator& accelerator) const {
  if (!vendor.empty() && accelerator.vendor != vendor) return false;
  if (!accelerator_ids.empty() && !std::ranges::binary_search(accelerator_ids, accelerator.id)) {
    return false;
  }
  const Bytes label = accelerator.memory_label_bytes;
  return (!memory_low || label >= *memory_low) && (!memory_high || label <= *memory_high);
}

bool GpuFilter::matches(const Offer& offer) const {
  const bool any = vendor.empty() && accelerator_ids.empty() && !memory_low && !memory_high;
  if (offer.accelerator == nullptr) return any && !count_low && !count_high;
  return matches(*offer.accelerator) && (!count_low || offer.count >= *count_low) &&
         (!count_high || offer.count <= *count_high);
}

}  // namespace portolan::market
