#include "cost/machine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "cost/efficiency.hpp"
#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

using hardware::Rate;
using model::Compute;

// Shares of the datasheet tier (cost-model section 8), times 0.9 unless the software stack is
// mature.
constexpr double kDatasheetBf16 = 0.75, kDatasheetFp8 = 0.60, kDatasheetFp4 = 0.45;
constexpr double kYoungStack = 0.9;
// Sustained fp8 over sustained bf16, as shares: H100 0.709/0.803, H200 0.734/0.803, B200
// 0.763/0.776.
constexpr double kFp8OverBf16 = 0.92;
constexpr double kFp32Share = 0.85;
// PCIe boards of a family measured on SXM modules run at a lower power limit: A100 PCIe 252.9
// against SXM 271.2 TFLOP/s.
constexpr double kBoardShare = 0.93;
// Unknown network between nodes: 100 Gbit/s for the whole node, shared by its accelerators.
constexpr double kDefaultNodeNetwork = 12.5e9;
// NIC share that collectives reach, RDMA (section 7.3: 0.7-0.9) and sockets.
constexpr double kNicShare = 0.8;

struct Share {
  double value = 0;
  Tier tier = Tier::kDatasheet;
  std::string source;
};

double board_factor(const hardware::Accelerator& a, const KernelFamily& family) {
  return family.hbm && a.form_factor.starts_with("pcie") ? kBoardShare : 1.0;
}

bool mature(const hardware::Accelerator& a) { return a.vendor == "nvidia"; }

Share bf16_share(const hardware::Accelerator& a, FlopPerSecond peak, const KernelFamily& family) {
  if (a.measured_bf16 && peak.raw() > 0) {
    const double share = std::min(1.0, *a.measured_bf16 / peak);
    return {share, Tier::kCeiling,
            fmt::format("measured ceiling {:g} of {:g} TFLOP/s ({})",
                        a.measured_bf16->in(kTFlopPerSecond), peak.in(kTFlopPerSecond), a.source)};
  }
  if (family.bf16 > 0) {
    const double share = family.bf16 * board_factor(a, family);
    return {share, Tier::kTransferred,
            fmt::format("share {:.2f} of the {} family ({})", share, family.architecture,
                        family.source)};
  }
  const double share = kDatasheetBf16 * (mature(a) ? 1.0 : kYoungStack);
  return {share, Tier::kDatasheet, fmt::format("datasheet tier, share {:.3f}", share)};
}

Share low_share(const hardware::Accelerator& a, FlopPerSecond peak, const Share& bf16,
                Compute compute, const KernelFamily& family) {
  if (compute == Compute::kFp8 && a.measured_fp8 && peak.raw() > 0) {
    return {std::min(1.0, *a.measured_fp8 / peak), Tier::kCeiling,
            fmt::format("measured ceiling {:g} of {:g} TFLOP/s ({})",
                        a.measured_fp8->in(kTFlopPerSecond), peak.in(kTFlopPerSecond), a.source)};
  }
  const double known = (compute == Compute::kFp8   ? family.fp8
                        : compute == Compute::kFp4 ? family.fp4
                                                   : family.int8) *
                       board_factor(a, family);
  if (known > 0)
    return {known, Tier::kTransferred,
            fmt::format("share {:.2f} of the {} family ({})", known, family.architecture,
                        family.source)};
  const double datasheet =
      (compute == Compute::kFp4 ? kDatasheetFp4 : kDatasheetFp8) * (mature(a) ? 1.0 : kYoungStack);
  const double share =
      bf16.tier == Tier::kCeiling ? std::min(datasheet, bf16.value * kFp8OverBf16) : datasheet;
  return {share, Tier::kDatasheet, fmt::format("datasheet tier, share {:.3f}", share)};
}

/// Curves of a donor are shares of its datasheet rates. Where both parts' sustained shares are
/// known and differ (a PCIe board at its power limit, a GeForce board above its nominal clock) the
/// borrower's rates are corrected by their ratio.
void lend(Machine& machine, const hardware::Accelerator& a, const hardware::Accelerator* donor) {
  if (donor == nullptr) return;
  const KernelFamily &own = kernel_family(a), &lent = kernel_family(*donor);
  if (is_general(own) || is_general(lent)) return;
  const auto share = [](const hardware::Accelerator& part, const KernelFamily& family) {
    const auto peak = part.peak_of(Rate::kBf16);
    return part.measured_bf16 && peak && peak->raw() > 0
               ? std::min(1.0, *part.measured_bf16 / *peak)
               : family.bf16 * board_factor(part, family);
  };
  const double mine = share(a, own), its = share(*donor, lent);
  if (mine > 0 && its > 0)
    for (double& peak : machine.chip.peak) peak *= mine / its;
  machine.chip.bandwidth *= own.bandwidth / lent.bandwidth;
}

}  // namespace

std::string_view tier_name(Tier tier) {
  switch (tier) {
    case Tier::kMeasured:
      return "measured";
    case Tier::kSibling:
      return "sibling";
    case Tier::kTransferred:
      return "transferred";
    case Tier::kCeiling:
      return "ceiling";
    case Tier::kDatasheet:
      return "datasheet";
    case Tier::kParameterCount:
      return "parameter_count";
  }
  return "unknown";
}

ErrorBand error_band(Tier tier) {
  // First values. Ceiling: measured over predicted TPOT of 1,700 closed-loop and 50 open-loop
  // public serving points on six accelerators, p10 0.86 and p90 1.40; the other tiers are widened
  // from it and replaced by residual quantiles once fitted curves exist (section 9).
  switch (tier) {
    case Tier::kMeasured:
      return {0.90, 1.15};
    case Tier::kSibling:
      return {0.88, 1.25};
    case Tier::kCeiling:
      return {0.86, 1.40};
    case Tier::kTransferred:
      return {0.78, 1.60};
    case Tier::kDatasheet:
      return {0.65, 1.90};
    case Tier::kParameterCount:
      return {0.50, 2.50};
  }
  return {};
}

Result<Machine> make_machine(const hardware::Node& node, const KernelSource& source) {
  PORTOLAN_CHECK(node.accelerator != nullptr);
  const hardware::Accelerator& a = *node.accelerator;
  const KernelFamily& family = kernel_family(a);
  Machine machine;
  machine.node = node;
  machine.bandwidth = a.bandwidth;
  machine.chip = chip_of(a);
  if (source.profile != nullptr) {
    machine.kernels = std::make_shared<const KernelSet>(*source.profile, source.accelerators, a,
                                                        source.backend, source.version);
    const auto own = [&](std::string_view op) {
      const Chosen chosen = machine.kernels->find(op, "bfloat16");
      return chosen.tier <= Tier::kSibling ? chosen.curve : nullptr;
    };
    machine.passes = own("elementwise");
    machine.sampler = own("sampler");
  }
  const auto peak = [&](Rate rate) { return a.peak_of(rate).value_or(FlopPerSecond(0.0)); };
  // 16-bit work runs in bf16, on parts without it in fp16; on parts with neither in fp32.
  FlopPerSecond bf16 = peak(Rate::kBf16);
  if (bf16.raw() <= 0) bf16 = peak(Rate::kFp16);
  if (bf16.raw() <= 0) bf16 = peak(Rate::kFp32);
  if (a.bandwidth.raw() <= 0 || bf16.raw() <= 0) {
    return fail(ErrorCode::kInfeasible,
                fmt::format("accelerator \"{}\" has no known {}", a.id,
                            a.bandwidth.raw() <= 0 ? "memory bandwidth" : "16-bit or fp32 rate"),
                "name another accelerator, or add the figure to the accelerator table");
  }
  const auto set = [&](Compute compute, FlopPerSecond rate, Share share) {
    machine.rates[static_cast<std::size_t>(compute)] = {rate, share.value, share.tier,
                                                        std::move(share.source)};
  };
  const Share base = bf16_share(a, bf16, family);
  set(Compute::kBf16, bf16, base);
  if (peak(Rate::kFp32).raw() > 0)
    set(Compute::kFp32, peak(Rate::kFp32),
        {kFp32Share, Tier::kDatasheet, "fp32 without tensor cores, share 0.85"});
  if (peak(Rate::kTf32).raw() > 0)
    set(Compute::kTf32, peak(Rate::kTf32), {base.value, base.tier, "as bf16: " + base.source});
  if (peak(Rate::kFp8).raw() > 0)
    set(Compute::kFp8, peak(Rate::kFp8),
        low_share(a, peak(Rate::kFp8), base, Compute::kFp8, family));
  if (peak(Rate::kFp4).raw() > 0)
    set(Compute::kFp4, peak(Rate::kFp4),
        low_share(a, peak(Rate::kFp4), base, Compute::kFp4, family));
  if (peak(Rate::kInt8).raw() > 0)
    set(Compute::kInt8, peak(Rate::kInt8),
        low_share(a, peak(Rate::kInt8), base, Compute::kInt8, family));
  machine.bandwidth_efficiency =
      family.bandwidth *
      (is_general(family) && base.tier == Tier::kDatasheet && !mature(a) ? kYoungStack : 1.0);
  machine.knee = family.knee;
  machine.launch = Seconds(family.launch_us * 1e-6);
  machine.short_k = family.short_k;
  machine.wave_exponent = family.wave_exponent;
  machine.multiprocessors = a.multiprocessors ? static_cast<double>(*a.multiprocessors) : 0.0;
  machine.prefill_attention = is_general(family) ? 0.7 * base.value : family.prefill_attention;
  machine.decode_attention = family.decode_attention;
  machine.decode_attention_floor = Seconds(family.decode_attention_us * 1e-6);
  machine.tier = base.tier;
  if (machine.kernels) {
    if (const Chosen chosen = machine.kernels->find("gemm", "bfloat16"); chosen.curve != nullptr) {
      machine.tier = chosen.tier;
      if (chosen.tier == Tier::kTransferred && source.accelerators != nullptr)
        lend(machine, a, source.accelerators->by_id(chosen.curve->key.accelerator));
    }
  }
  machine.band = error_band(machine.tier);
  if (node.network.per_accelerator) {
    machine.network = *node.network.per_accelerator * kNicShare;
    machine.network_source = fmt::format(
        "{:.1f} GB/s per accelerator one way ({}), share {:.1f}",
        node.network.per_accelerator->in(kGBPerSecond),
        node.network.fabric.empty() ? "fabric not named" : node.network.fabric, kNicShare);
  } else {
    machine.network = BytesPerSecond(kDefaultNodeNetwork /
                                     static_cast<double>(std::max<std::int64_t>(1, node.count))) *
                      kNicShare;
    machine.network_source =
        "network between nodes unknown: 100 Gbit/s per node assumed, shared by its accelerators";
  }
  return machine;
}

bool supports(const Machine& machine, model::Format format) {
  const Compute own = model::compute_of(format);
  if (machine.rate(own).peak.raw() > 0) return true;
  // 4-bit floats are weight-only storage where the chip has no arithmetic for them (w4a16); tf32
  // falls to fp32.
  if (own == Compute::kFp4) return machine.rate(Compute::kBf16).peak.raw() > 0;
  return own == Compute::kTf32 && machine.rate(Compute::kFp32).peak.raw() > 0;
}

}  // namespace portolan::cost
