#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "hardware/accelerator.hpp"

namespace portolan::hardware {
namespace {

constexpr std::array<std::string_view, kRateCount> kRateNames{
    "fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "fp6", "fp4", "int8", "int4"};

// "a, b or c"
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

// "h100-sxm-80gb" -> "h100-sxm"; an id that does not end in a memory size is itself.
std::string_view without_memory(std::string_view id) {
  const std::size_t dash = id.rfind('-');
  if (dash == std::string_view::npos || !id.ends_with("gb")) return id;
  const std::string_view digits = id.substr(dash + 1, id.size() - dash - 3);
  const bool size =
      !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  return size ? id.substr(0, dash) : id;
}

std::string ambiguity_note(std::string_view name, const Accelerators::Alias& alias) {
  std::vector<std::string> readings{alias.accelerator_id};
  readings.insert(readings.end(), alias.alternatives.begin(), alias.alternatives.end());
  std::string note =
      quoted(name) + " may mean " + listed(readings) + ": took " + alias.accelerator_id;
  if (!alias.note.empty()) note += " (" + alias.note + ")";
  return note;
}

}  // namespace

std::string_view rate_name(Rate rate) { return kRateNames[static_cast<std::size_t>(rate)]; }

std::string normal_name(std::string_view name) {
  std::string out;
  for (char c : to_lower(trim(name))) {
    if (c == ' ' || c == '_' || c == '\t') c = '-';
    if (c != '-' || out.empty() || out.back() != '-') out += c;
  }
  constexpr std::string_view kVendor = "nvidia-";
  if (out.starts_with(kVendor)) out.erase(0, kVendor.size());
  return out;
}

const Accelerator* Accelerators::by_id(std::string_view id) const {
  const auto at = std::ranges::lower_bound(accelerators_, id, {}, &Accelerator::id);
  return at != accelerators_.end() && at->id == id ? &*at : nullptr;
}

const Accelerators::Alias* Accelerators::find_alias(std::string_view normal,
                                                    std::string_view provider) const {
  const auto first = std::ranges::lower_bound(normal_, normal);
  const Alias* general = nullptr;
  for (auto at = first; at != normal_.end() && *at == normal; ++at) {
    const Alias& alias = aliases_[static_cast<std::size_t>(at - normal_.begin())];
    if (!provider.empty() && alias.provider == provider) return &alias;
    if (alias.provider.empty()) general = &alias;
  }
  if (general != nullptr) return general;
  // Prefixes ("tpu-v5p-*") are few; the longest that fits wins.
  const Alias* longest = nullptr;
  for (std::size_t i = 0; i < aliases_.size(); ++i) {
    const std::string& pattern = normal_[i];
    if (!pattern.ends_with('*') || !aliases_[i].provider.empty()) continue;
    const std::string_view prefix = std::string_view(pattern).substr(0, pattern.size() - 1);
    if (normal.size() > prefix.size() && normal.starts_with(prefix) &&
        (longest == nullptr || longest->alias.size() < aliases_[i].alias.size())) {
      longest = &aliases_[i];
    }
  }
  return longest;
}

Result<Resolved> Accelerators::resolve(std::string_view name, std::string_view provider) const {
  const std::string normal = normal_name(name);
  if (const Alias* alias = find_alias(normal, provider); alias != nullptr) {
    return Resolved{by_id(alias->accelerator_id),
                    alias->ambiguous ? ambiguity_note(name, *alias) : std::string()};
  }
  if (const Accelerator* accelerator = by_id(normal); accelerator != nullptr) {
    return Resolved{accelerator, {}};
  }
  const std::vector<std::string_view> known = names();
  std::string hint = did_you_mean(normal, known);
  if (hint.empty()) hint = "portolan gpus lists the accelerators the catalogue knows";
  return fail(ErrorCode::kNotFound, "unknown accelerator " + quoted(name), std::move(hint));
}

std::vector<const Accelerator*> Accelerators::matching(std::string_view name) const {
  const std::string normal = normal_name(name);
  std::vector<const Accelerator*> found;
  const auto add = [&](std::string_view id) {
    if (const Accelerator* accelerator = by_id(id); accelerator != nullptr) {
      found.push_back(accelerator);
    }
  };
  if (normal.ends_with('*')) {
    const std::string_view prefix = std::string_view(normal).substr(0, normal.size() - 1);
    for (const Accelerator& accelerator : accelerators_) {
      if (accelerator.id.starts_with(prefix)) found.push_back(&accelerator);
    }
    for (std::size_t i = 0; i < aliases_.size(); ++i) {
      if (aliases_[i].provider.empty() && normal_[i].starts_with(prefix)) {
        add(aliases_[i].accelerator_id);
      }
    }
  } else if (const Alias* alias = find_alias(normal, {}); alias != nullptr) {
    add(alias->accelerator_id);
    for (const std::string& id : alias->alternatives) add(id);
  } else {
    add(normal);
  }
  std::ranges::sort(found, {}, [](const Accelerator* a) -> std::string_view { return a->id; });
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

std::vector<std::string_view> Accelerators::names() const {
  std::vector<std::string_view> names;
  names.reserve(accelerators_.size() + aliases_.size());
  for (const Accelerator& accelerator : accelerators_) names.emplace_back(accelerator.id);
  for (std::size_t i = 0; i < aliases_.size(); ++i) {
    if (aliases_[i].provider.empty() && !normal_[i].ends_with('*')) names.emplace_back(normal_[i]);
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

Result<Accelerators> Accelerators::from_tables(std::vector<Accelerator> accelerators,
                                               std::vector<Alias> aliases) {
  Accelerators out;
  std::ranges::sort(accelerators, {}, &Accelerator::id);
  for (std::size_t i = 1; i < accelerators.size(); ++i) {
    if (accelerators[i - 1].id == accelerators[i].id) {
      return fail(ErrorCode::kInternal, "accelerator " + quoted(accelerators[i].id) + " twice");
    }
  }
  std::vector<std::string_view> stems;
  stems.reserve(accelerators.size());
  for (const Accelerator& accelerator : accelerators)
    stems.push_back(without_memory(accelerator.id));
  std::ranges::sort(stems);
  for (Accelerator& accelerator : accelerators) {
    const std::string_view stem = without_memory(accelerator.id);
    const bool alone = std::ranges::equal_range(stems, stem).size() == 1;
    accelerator.short_id = alone ? std::string(stem) : accelerator.id;
  }
  out.accelerators_ = std::move(accelerators);

  std::vector<std::pair<std::string, std::size_t>> order;
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    order.emplace_back(normal_name(aliases[i].alias), i);
    std::vector<std::string> ids = aliases[i].alternatives;
    ids.push_back(aliases[i].accelerator_id);
    for (const std::string& id : ids) {
      if (out.by_id(id) == nullptr) {
        return fail(ErrorCode::kInternal, "alias " + quoted(aliases[i].alias) +
                                              " names the unknown accelerator " + quoted(id));
      }
    }
  }
  std::ranges::sort(order, [&](const auto& a, const auto& b) {
    return std::tie(a.first, aliases[a.second].provider) <
           std::tie(b.first, aliases[b.second].provider);
  });
  for (auto& [normal, index] : order) {
    if (!out.aliases_.empty() && out.normal_.back() == normal &&
        out.aliases_.back().provider == aliases[index].provider) {
      return fail(ErrorCode::kInternal, "alias " + quoted(aliases[index].alias) + " twice");
    }
    out.normal_.push_back(std::move(normal));
    out.aliases_.push_back(std::move(aliases[index]));
  }
  return out;
}

}  // namespace portolan::hardware
