#include "cost/call_moe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <tuple>

#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

struct Named {
  std::string_view name;
  MoeType type;
};
// Storage per element with scales (cost-model.md §5).
constexpr std::array kTypes = {
    Named{"bfloat16", {model::Compute::kBf16, 2, 2}},
    Named{"float16", {model::Compute::kBf16, 2, 2}},
    Named{"fp8", {model::Compute::kFp8, 1, 1}},
    Named{"fp8_block", {model::Compute::kFp8, 1 + 4.0 / 16384, 1 + 4.0 / 128}},
    Named{"nvfp4", {model::Compute::kFp4, 0.5625, 0.5625}},
    Named{"w4a16_mxfp4", {model::Compute::kBf16, 0.53125, 2}},
    // Mixed products run at the rate of the wider operand.
    Named{"w4a8_mxfp4_mxfp8", {model::Compute::kFp8, 0.53125, 1.03125}},
    Named{"int4_wo", {model::Compute::kBf16, 0.515625, 2}},
    Named{"int8_wo", {model::Compute::kBf16, 1, 2}},
};

// Rows of one expert are worked in tiles of this many; narrower tiles of small batches lose as
// much in other ways.
constexpr double kTileRows = 128, kTileColumns = 128;

// Knots of the load tables: whole tokens, about two an octave.
constexpr std::array kTokens = {1.0,    2.0,    3.0,     4.0,     6.0,     8.0,     12.0,    16.0,
                                24.0,   32.0,   48.0,    64.0,    96.0,    128.0,   192.0,   256.0,
                                384.0,  512.0,  768.0,   1024.0,  1536.0,  2048.0,  3072.0,  4096.0,
                                6144.0, 8192.0, 12288.0, 16384.0, 32768.0, 65536.0, 131072.0};
// Draws of the law: their mean is what counts, and the same ones for every number of tokens keep it
// smooth.
constexpr double kDraws = 6144;

/// Uniform in (0, 1); splitmix64.
double uniform(std::uint64_t i) {
  std::uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return (static_cast<double>(x >> 11) + 0.5) * 0x1p-53;
}

/// Adds `amount` rows one by one to the emptiest expert, none above `most`.
void raise(std::span<double> counts, double amount, double most) {
  std::sort(counts.begin(), counts.end());
  double level = counts.front();
  std::size_t below = 0;  // experts filled to the level
  while (amount > 0 && level < most) {
    while (below < counts.size() && counts[below] <= level) ++below;
    const double next = below < counts.size() ? std::min(counts[below], most) : most;
    const auto width = static_cast<double>(below);
    const double steps = std::min(next - level, std::floor(amount / width));
    if (steps >= 1) {
      level += steps;
      amount -= steps * width;
      std::fill_n(counts.begin(), below, level);
    } else {
      std::fill_n(counts.begin(), static_cast<std::size_t>(amount), level + 1);
      return;
    }
  }
}

/// Takes `amount` rows one by one from the fullest expert.
void lower(std::span<double> counts, double amount) {
  for (; amount > 0; --amount) {
    const auto fullest = std::max_element(counts.begin(), counts.end());
    if (*fullest <= 0) return;
    *fullest -= 1;
  }
}

/// Experts are dealt to ranks in order; where they do not divide, ranks differ by one.
std::span<double> of_rank(std::span<double> counts, std::size_t rank, std::size_t ranks) {
  const std::size_t from = rank * counts.size() / ranks, to = (rank + 1) * counts.size() / ranks;
  return counts.subspan(from, to - from);
}

/// Spreads a surplus (> 0) or a lack (< 0) of rows over the ranks in turn, as the tables' law does.
void settle(std::span<double> counts, std::size_t ranks, double amount, double most) {
  const double whole = std::floor(std::abs(amount) / static_cast<double>(ranks));
  double rest = std::abs(amount) - whole * static_cast<double>(ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    const double share = whole + (rest > 0 ? 1 : 0);
    rest -= 1;
    if (amount > 0)
      raise(of_rank(counts, r, ranks), share, most);
    else
      lower(of_rank(counts, r, ranks), share);
  }
}

/// Rows of every expert in one draw of the law.
void draw(std::span<double> counts, std::size_t ranks, double tokens, double top_k, double alpha,
          std::uint64_t seed) {
  const auto experts = static_cast<double>(counts.size());
  const bool many = tokens * top_k > experts;
  const double low = many ? 1.0 : 0.01, high = std::max(low * 1.000001, many ? 0.8 * tokens : 2.0);
  double sum = 0;
  // Inverse of the distribution function; alpha 1 is its limit, the logarithm.
  const double power = std::abs(1.0 - alpha) < 1e-6 ? 1e-6 : 1.0 - alpha;
  const double a = std::pow(low, power), b = std::pow(high, power);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = std::pow(a + (b - a) * uniform(seed + i), 1.0 / power);
    sum += counts[i];
  }
  const double target = tokens * top_k;
  double over = 0, placed = 0;
  for (double& c : counts) {
    c = std::round(c / sum * target);
    over += std::max(0.0, c - tokens);
    c = std::min(c, tokens);
  }
  if (over > 0) settle(counts, ranks, over, tokens);
  for (const double c : counts) placed += c;
  if (placed != target) settle(counts, ranks, target - placed, tokens);
}

/// Experts in stripes: token t takes experts t + i·E/k.
void stripe(std::span<double> counts, double tokens, double top_k) {
  const auto experts = static_cast<double>(counts.size());
  const double stride = std::ceil(experts / top_k);
  std::fill(counts.begin(), counts.end(), 0.0);
  // Whole rounds over the experts only repeat themselves.
  const double rounds = std::floor(tokens / experts);
  for (double& c : counts) c += rounds * top_k;
  for (double t = 0; t < tokens - rounds * experts; ++t) {
    const double first = tokens >= stride ? t : std::floor(t * stride / tokens);
    for (double i = 0; i < top_k; ++i)
      counts[static_cast<std::size_t>(std::fmod(first + i * stride, experts))] += 1;
  }
}

/// Weight-only and mixed types measured, nearest first.
std::span<const std::string_view> names_of(model::Format format, model::Compute compute) {
  using model::Format;
  static constexpr std::array<std::string_view, 2> kBlock = {"fp8_block", "fp8"};
  static constexpr std::array<std::string_view, 2> kFp8 = {"fp8", "fp8_block"};
  static constexpr std::array<std::string_view, 2> kNvfp4 = {"nvfp4", "w4a8_mxfp4_mxfp8"};
  static constexpr std::array<std::string_view, 3> kMxfp4 = {"w4a8_mxfp4_mxfp8", "w4a16_mxfp4",
                                                             "nvfp4"};
  static constexpr std::array<std::string_view, 3> kInt4 = {"int4_wo", "w4a16_mxfp4", "bfloat16"};
  static constexpr std::array<std::string_view, 3> kFp4Only = {"w4a16_mxfp4", "int4_wo",
                                                               "bfloat16"};
  static constexpr std::array<std::string_view, 1> kPlain = {"bfloat16"};
  switch (compute) {
    case model::Compute::kFp8:
      return format == Format::kFp8Block ? kBlock : kFp8;
    case model::Compute::kFp4:
      return format == Format::kMxfp4 ? std::span<const std::string_view>(kMxfp4) : kNvfp4;
    case model::Compute::kBf16:
      break;
    default:
      return {};
  }
  if (format == Format::kInt4) return kInt4;
  if (format == Format::kMxfp4 || format == Format::kNvfp4) return kFp4Only;
  return kPlain;
}

}  // namespace

std::optional<MoeType> moe_type(std::string_view dtype) {
  for (const Named& named : kTypes)
    if (named.name == dtype) return named.type;
  return std::nullopt;
}

ExpertLoads::ExpertLoads(double experts, double top_k, double ranks, const Routing& routing)
    : top_k_(top_k), ranks_(std::clamp(ranks, 1.0, std::max(1.0, experts))) {
  const auto held = static_cast<std::size_t>(std::max(1.0, std::round(experts)));
  const auto parts = static_cast<std::size_t>(std::max(1.0, std::round(ranks_)));
  const double chosen = std::clamp(std::round(top_k), 1.0, static_cast<double>(held));
  std::vector<double> counts(held);
  const auto draws =
      routing.alpha <= 0
          ? std::size_t{1}
          : static_cast<std::size_t>(std::clamp(kDraws / static_cast<double>(held), 12.0, 96.0));
  knots_.reserve(kTokens.size());
  for (const double tokens : kTokens) {
    double rows = 0, touched = 0, padded = 0;
    for (std::size_t k = 0; k < draws; ++k) {
      if (routing.alpha <= 0)
        stripe(counts, tokens, chosen);
      else
        draw(counts, parts, tokens, chosen, routing.alpha, k * held);
      // The tables measure rank 0 of stripes; every rank is the same but for the remainder.
      double most = -1;
      std::span<double> fullest;
      for (std::size_t r = 0; r < (routing.alpha <= 0 ? 1 : parts); ++r) {
        const std::span<double> mine = of_rank(counts, r, parts);
        double sum = 0;
        for (const double c : mine) sum += c;
        if (sum > most) {
          most = sum;
          fullest = mine;
        }
      }
      rows += most;
      for (const double c : fullest) {
        touched += c > 0 ? 1 : 0;
        padded += std::ceil(c / kTileRows) * kTileRows;
      }
    }
    rows = std::max(rows, 1e-3 * static_cast<double>(draws));
    // More tokens never leave fewer rows; draws may by a little.
    const double before = knots_.empty() ? 0.0 : knots_.back().rows;
    knots_.push_back({.rows = std::max(before, rows / static_cast<double>(draws)),
                      .experts = touched / static_cast<double>(draws),
                      .padding = std::max(1.0, padded / rows)});
  }
}

ExpertLoads::Load ExpertLoads::at(double tokens) const {
  if (tokens <= 0) return {.rows = 0, .experts = 0, .padding = 1};
  const double t = std::clamp(tokens, kTokens.front(), kTokens.back());
  const auto above = static_cast<std::size_t>(
      std::upper_bound(kTokens.begin() + 1, kTokens.end() - 1, t) - kTokens.begin());
  const Knot &a = knots_[above - 1], &b = knots_[above];
  const double w = (t - kTokens[above - 1]) / (kTokens[above] - kTokens[above - 1]);
  // Below one token a step is a mean over steps with none; above the last knot shares are held.
  return {.rows = (a.rows + w * (b.rows - a.rows)) * tokens / t,
          .experts = (a.experts + w * (b.experts - a.experts)) * std::min(1.0, tokens),
          .padding = a.padding + w * (b.padding - a.padding)};
}

double ExpertLoads::skew(double tokens) const {
  return tokens <= 0 ? 1.0 : at(tokens).rows * ranks_ / (tokens * top_k_);
}

const ExpertLoads& expert_loads(const MoeShape& shape, const Routing& routing) {
  static std::mutex mutex;
  static std::map<std::tuple<double, double, double, double>, ExpertLoads> known;
  const auto key = std::make_tuple(shape.experts, shape.top_k, shape.expert_ranks, routing.alpha);
  const std::scoped_lock lock(mutex);
  const auto at = known.find(key);
  if (at != known.end()) return at->second;
  return known.emplace(key, ExpertLoads(shape.experts, shape.top_k, shape.expert_ranks, routing))
      .first->second;
}

Call moe_call(const Chip& chip, const MoeType& type, const MoeShape& shape,
              const ExpertLoads& loads, double tokens) {
  return moe_call(chip, type, shape, loads.at(tokens), tokens);
}

ExpertLoads::Load even_load(const MoeShape& shape, double experts, double tokens) {
  const double rows = tokens * shape.top_k / shape.expert_ranks;
  return {.rows = rows,
          .experts = experts,
          .padding = std::ceil(rows / experts / kTileRows) * kTileRows * experts / rows};
}

Call moe_call(const Chip& chip, const MoeType& type, const MoeShape& shape,
              const ExpertLoads::Load& load, double tokens) {
  constexpr double kActivationBytes = 2;  // between operators
  const double width = shape.inter / shape.tensor_ranks, products = shape.gated ? 3 : 2;
  const double element = shape.hidden * width;
  Call call;
  call.compute =
      2 * load.rows * products * element / chip.peak[static_cast<std::size_t>(type.compute)];
  // Tokens are read and their sums written once; rows between the products may stay in the cache.
  call.memory = (type.weight_bytes * load.experts * products * element +
                 2 * kActivationBytes * std::min(tokens, load.rows) * shape.hidden) /
                chip.bandwidth;
  call.waste = load.padding * std::ceil(width / kTileColumns) * kTileColumns / width;
  // Rows scattered and gathered, and the sum over all choices, those of other ranks included.
  call.extra =
      kActivationBytes * (tokens * shape.top_k + 2 * load.rows) * shape.hidden / chip.bandwidth;
  const auto log = [](double x) { return static_cast<float>(std::log2(x)); };
  call.at = {log(std::max(tokens * shape.top_k / shape.experts, 1.0 / 1024)),
             log(std::max(load.experts, 0.5)), log(element), log(shape.hidden / width)};
  return call;
}

double MoeKernel::seconds(const Call& call) const {
  const double one = curve->seconds(call);
  return another == nullptr ? one : std::min(one, another->seconds(call));
}

MoeKernel moe_kernel(const KernelSet& kernels, model::Format format, model::Compute compute,
                     bool gated) {
  MoeKernel found;
  found.type = {
      .compute = compute, .weight_bytes = model::bytes_per_weight(format), .input_bytes = 2};
  for (const std::string_view name : names_of(format, compute)) {
    Chosen chosen = gated ? Chosen{} : kernels.find("moe", name, "nongated");
    if (chosen.curve == nullptr) chosen = kernels.find("moe", name, "");
    if (chosen.curve == nullptr) continue;
    if (found.curve != nullptr && chosen.tier >= found.tier) continue;
    found.curve = chosen.curve;
    found.tier = chosen.tier;
    found.another = nullptr;
    const MoeType type = *moe_type(name);
    found.type.compute = type.compute;
    found.type.input_bytes = type.input_bytes;
    if (name != "bfloat16") found.type.weight_bytes = type.weight_bytes;
    const Chosen fast = gated ? kernels.find("moe", name, "min_latency") : Chosen{};
    if (fast.curve != nullptr && fast.curve->key.accelerator == chosen.curve->key.accelerator &&
        fast.curve->key.backend == chosen.curve->key.backend)
      found.another = fast.curve;
    else
      found.another = chosen.rival;
  }
  return found;
}

}  // namespace portolan::cost
