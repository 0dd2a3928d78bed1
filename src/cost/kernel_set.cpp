// The choice of the curve that stands for a call, and what the choice leaves open.
#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "base/text.hpp"
#include "cost/profile.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {
namespace {

// Quantiles 10 and 90 % of ln(measured / predicted) when the accelerator is left out of the
// profile: of products by the developer program portolan_transfer over the published tables,
// 2026-08; of the other operators a judgement, as are the upper ends for a sibling and the widening
// outside.
struct TransferBand {
  std::string_view op;
  double low, high;
};
constexpr std::array kTransferBands = {
    TransferBand{"gemm", -0.19, 0.22}, TransferBand{"", -0.45, 0.45},  // any other
};
constexpr double kSiblingLow = -0.60, kSiblingHigh = 0.23, kSiblingHighOther = 0.55;
// Beyond the knots a curve keeps its last value.
constexpr double kOutside = 0.15;

const TransferBand& transfer_band(std::string_view op) {
  for (const TransferBand& band : kTransferBands)
    if (band.op == op) return band;
  return kTransferBands.back();
}

/// How unlike two types of a kernel table are, in units of a donor's rank: a type of the same
/// accelerator comes before the same type of a relative (10 and more).
double type_distance(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  // 16-bit; weights alone stored small; input quantised inside the call.
  const auto kind = [](std::string_view name) {
    if (name == "bfloat16" || name == "float16" || name == "half") return 0;
    return name.ends_with("_wo") || name.starts_with("w4a16") ? 1 : 2;
  };
  const int steps = std::abs(kind(a) - kind(b));
  return steps == 0 ? 2.0 : 2.0 + 2.0 * steps;
}

/// How unlike two variants are: sum of |log2| of the ratios of their numbers; 8 where words differ.
double variant_distance(std::string_view a, std::string_view b) {
  double sum = 0;
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](std::string_view text, std::size_t& at) {
    double x = 0;
    for (; at < text.size() && digit(text[at]); ++at) x = 10 * x + (text[at] - '0');
    return x;
  };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const double x = number(a, i), y = number(b, j);
      sum += std::abs(std::log2((x + 1) / (y + 1)));
    } else if (a[i++] != b[j++]) {
      return 8;
    }
  }
  return i < a.size() || j < b.size() ? 8 : sum;
}

bool is_hbm(const hardware::Accelerator& a) {
  return a.memory_type.empty() || a.memory_type.find("HBM") != std::string::npos;
}

/// Distance between architectures whose kernels are written alike; negative = not related.
int architecture_distance(std::string_view from, std::string_view to) {
  if (from == to) return 0;
  static constexpr std::array kLine = {"volta",  "turing",    "ampere",         "ada",
                                       "hopper", "blackwell", "blackwell-ultra"};
  const auto place = [](std::string_view name) {
    for (std::size_t i = 0; i < kLine.size(); ++i)
      if (kLine[i] == name) return static_cast<int>(i);
    return -1;
  };
  const int a = place(from), b = place(to);
  return a < 0 || b < 0 ? -1 : std::abs(a - b);
}

// A product's own floor is 2 to 15 us; one of more than 40 is a host that launches it.
constexpr double kLaunchedFloor = 40e-6, kCapturedShare = 0.25;

}  // namespace

bool newer_version(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      std::uint64_t x = 0, y = 0;
      for (; i < a.size() && digit(a[i]); ++i) x = x * 10 + static_cast<std::uint64_t>(a[i] - '0');
      for (; j < b.size() && digit(b[j]); ++j) y = y * 10 + static_cast<std::uint64_t>(b[j] - '0');
      if (x != y) return x > y;
    } else {
      if (a[i] != b[j]) return a[i] > b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i > b.size() - j;
}

Chip chip_of(const hardware::Accelerator& accelerator) {
  using hardware::Rate;
  Chip chip;
  const auto peak = [&](Rate rate) {
    const auto p = accelerator.peak_of(rate);
    return p ? p->raw() : 0.0;
  };
  const auto set = [&](model::Compute compute, double rate) {
    chip.peak[static_cast<std::size_t>(compute)] = rate;
  };
  // As make_machine: 16-bit work runs in bf16, else in fp16, else in fp32.
  double half = peak(Rate::kBf16);
  if (half <= 0) half = peak(Rate::kFp16);
  if (half <= 0) half = peak(Rate::kFp32);
  set(model::Compute::kBf16, half);
  set(model::Compute::kFp32, peak(Rate::kFp32));
  set(model::Compute::kTf32, peak(Rate::kTf32));
  set(model::Compute::kFp8, peak(Rate::kFp8));
  set(model::Compute::kFp4, peak(Rate::kFp4));
  set(model::Compute::kInt8, peak(Rate::kInt8));
  chip.bandwidth = accelerator.bandwidth.raw();
  chip.multiprocessors =
      accelerator.multiprocessors ? static_cast<double>(*accelerator.multiprocessors) : 0.0;
  if (accelerator.link_per_direction)
    chip.link = accelerator.link_per_direction->raw();
  else if (accelerator.pcie_per_direction)
    chip.link = accelerator.pcie_per_direction->raw();
  return chip;
}

KernelSet::KernelSet(const Profile& profile, const hardware::Accelerators* all,
                     const hardware::Accelerator& accelerator, std::string_view backend,
                     std::string_view version)
    : backend_(backend) {
  // Rank of a donor: own part first, then architecture, memory kind, balance of compute and
  // bandwidth.
  const auto balance = [](const hardware::Accelerator& a) {
    const Chip chip = chip_of(a);
    return chip.bandwidth > 0
               ? chip.peak[static_cast<std::size_t>(model::Compute::kBf16)] / chip.bandwidth
               : 0.0;
  };
  std::string_view last;
  double distance = -1;
  for (const Curve& curve : profile.curves()) {
    if (curve.key.accelerator != last) {
      last = curve.key.accelerator;
      distance = -1;
      if (last == accelerator.id) {
        distance = 0;
      } else if (const auto* donor = all == nullptr ? nullptr : all->by_id(last)) {
        const int steps = architecture_distance(accelerator.architecture, donor->architecture);
        if (steps >= 0) {
          const double own = balance(accelerator), other = balance(*donor);
          distance = 10.0 + 10.0 * steps + (is_hbm(accelerator) == is_hbm(*donor) ? 0.0 : 25.0) +
                     (own > 0 && other > 0 ? std::min(5.0, std::abs(std::log(own / other))) : 5.0);
        }
      }
    }
    if (distance < 0) continue;
    double rank = distance;
    Tier tier = distance > 0 ? Tier::kTransferred : Tier::kMeasured;
    if (curve.key.backend != backend) {
      // Small types of another engine run in other kernels (35 % off where the same engine on the
      // next chip of the architecture is 4 to 8 % off); 16-bit products do not (5 to 6 %).
      const bool own_kernels =
          curve.key.op == "gemm" && type_distance(curve.key.dtype, "bfloat16") > 2;
      // Collectives are measured per library, not per engine; that is no step away.
      rank += curve.key.op == "nccl" || curve.key.op == "oneccl" ? 0.01 : own_kernels ? 16.0 : 6.0;
      if (distance <= 0 && rank > 1) tier = Tier::kSibling;
    } else if (!version.empty() && curve.key.version != version) {
      rank += 0.1;
      if (distance <= 0) tier = Tier::kSibling;
    }
    found_.push_back({&curve, tier, rank, &curve, nullptr});
  }
  const auto name = [](const Entry& e) {
    const CurveKey& k = e.curve->key;
    return std::tie(k.op, k.dtype, k.variant, k.kv_dtype);
  };
  std::stable_sort(found_.begin(), found_.end(), [&](const Entry& a, const Entry& b) {
    if (name(a) != name(b)) return name(a) < name(b);
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.curve->key.version != b.curve->key.version)
      return newer_version(a.curve->key.version, b.curve->key.version);
    return a.curve->key < b.curve->key;
  });
  for (std::size_t i = 0, best = 0; i < found_.size(); ++i) {
    if (i == 0 || name(found_[i]) != name(found_[best])) best = i;
    const Curve &own = *found_[best].curve, &other = *found_[i].curve;
    if (i == best || other.key.accelerator != own.key.accelerator ||
        other.key.backend == own.key.backend)
      continue;
    found_[best].rival = &other;
    const bool launched = own.roofline.floor > kLaunchedFloor &&
                          other.roofline.floor < kCapturedShare * own.roofline.floor;
    const bool foreign = own.key.backend != backend && other.roofline.floor < own.roofline.floor;
    if (launched || foreign) found_[best].captured = &other;
  }
  found_.erase(std::unique(found_.begin(), found_.end(),
                           [&](const Entry& a, const Entry& b) { return name(a) == name(b); }),
               found_.end());
}

Chosen KernelSet::find(std::string_view op, std::string_view dtype, std::string_view variant,
                       std::string_view kv_dtype) const {
  const auto key = std::tie(op, dtype, variant);
  auto at = std::lower_bound(found_.begin(), found_.end(), key, [](const Entry& e, const auto& k) {
    const CurveKey& c = e.curve->key;
    return std::tuple<std::string_view, std::string_view, std::string_view>(c.op, c.dtype,
                                                                            c.variant) < k;
  });
  Chosen best;
  for (; at != found_.end(); ++at) {
    const CurveKey& c = at->curve->key;
    if (c.op != op || c.dtype != dtype || c.variant != variant) break;
    if (c.kv_dtype == kv_dtype) return {at->curve, at->tier, at->captured, at->rival};
    if (best.curve == nullptr) best = {at->curve, at->tier, at->captured, at->rival};
  }
  if (best.curve == nullptr && op == "gemm")
    return best_of(op, [&](const CurveKey& c) {
      return c.variant == variant ? type_distance(c.dtype, dtype) : -1.0;
    });
  return best;
}

template <class Penalty>
Chosen KernelSet::best_of(std::string_view op, const Penalty& penalty) const {
  const auto first = std::lower_bound(
      found_.begin(), found_.end(), op,
      [](const Entry& e, std::string_view name) { return e.curve->key.op < name; });
  Chosen best;
  double least = 0;
  for (auto at = first; at != found_.end() && at->curve->key.op == op; ++at) {
    const double extra = penalty(at->curve->key);
    if (extra < 0 || (best.curve != nullptr && at->rank + extra >= least)) continue;
    least = at->rank + extra;
    best = {at->curve, std::max(at->tier, Tier::kTransferred), at->captured, at->rival};
  }
  return best;
}

Chosen KernelSet::nearest(std::string_view op, std::string_view dtype, std::string_view variant,
                          std::string_view kv_dtype) const {
  const Chosen found = find(op, dtype, variant, kv_dtype);
  if (found.curve != nullptr) return found;
  return best_of(op, [&](const CurveKey& c) {
    return type_distance(c.dtype, dtype) + 4.0 * variant_distance(c.variant, variant) +
           (c.kv_dtype == kv_dtype ? 0.0 : 1.0);
  });
}

ErrorBand transfer_interval(std::string_view op) {
  const TransferBand& band = transfer_band(op);
  return {std::exp(band.low), std::exp(band.high)};
}

ErrorBand interval_of(const Chosen& chosen, const Call& call) {
  if (chosen.curve == nullptr) return error_band(Tier::kDatasheet);
  double low = 0, high = 0;
  if (chosen.tier >= Tier::kTransferred) {
    const TransferBand& band = transfer_band(chosen.curve->key.op);
    low = band.low;
    high = band.high;
  } else {
    const Residuals& r =
        chosen.tier == Tier::kMeasured ? chosen.curve->by_point : chosen.curve->by_site;
    low = static_cast<double>(r.at[1]);
    high = static_cast<double>(r.at[5]);
    if (chosen.tier == Tier::kSibling) {
      low = std::min(low, kSiblingLow);
      high = std::max(high, chosen.curve->key.op == "gemm" ? kSiblingHigh : kSiblingHighOther);
    }
  }
  if (!chosen.curve->grid.covers(call.at)) {
    low -= kOutside;
    high += kOutside;
  }
  return {std::exp(low), std::exp(high)};
}

}  // namespace portolan::cost
