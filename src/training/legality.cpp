// Which strategies a machine and a model allow, and what the nearest allowed value is.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "training/tables.hpp"

namespace portolan::training {
namespace {

std::optional<Error> no(std::string message, std::string hint) {
  return Error{.code = ErrorCode::kInvalidInput,
               .message = std::move(message),
               .where = {},
               .why = {},
               .hint = std::move(hint),
               .also = {}};
}

/// The divisor of `whole` nearest to `wanted`, the smaller of two.
std::int64_t nearest_divisor(std::int64_t whole, std::int64_t wanted) {
  std::int64_t best = 1;
  for (std::int64_t i = 1; i <= whole; ++i) {
    if (whole % i == 0 && std::abs(i - wanted) < std::abs(best - wanted)) best = i;
  }
  return best;
}

}  // namespace

std::optional<Error> Compiled::objection(const Strategy& s, std::int64_t accelerators) const {
  for (const auto& [name, degree] :
       {std::pair("tp", s.tp), std::pair("pp", s.pp), std::pair("ep", s.ep), std::pair("cp", s.cp),
        std::pair("dp", s.dp), std::pair("microbatch", s.microbatch),
        std::pair("virtual_stages", s.virtual_stages)}) {
    if (degree < 1 || degree > accelerators * 1024)
      return no(fmt::format("{} {} is out of range", name, degree), fmt::format("{} 1", name));
  }
  if (s.zero < 0 || s.zero > 3)
    return no(fmt::format("ZeRO stage {} does not exist", s.zero),
              s.zero < 0 ? "zero 0" : "zero 3");
  if (sharding(s.tp) == nullptr) {
    int nearest = 1;
    for (const Sharding& sharding : shardings) {
      if (std::abs(sharding.tp - s.tp) < std::abs(nearest - s.tp)) nearest = sharding.tp;
    }
    return no(fmt::format("tp {} does not divide the heads and widths of every layer", s.tp),
              fmt::format("tp {}", nearest));
  }
  if (s.pp > layer_count) {
    return no(
        fmt::format("pp {} has more stages than the model has layers ({:g})", s.pp, layer_count),
        fmt::format("pp {:g}", layer_count));
  }
  if (s.cp > 1 && std::fmod(job.sequence, 2.0 * s.cp) != 0) {
    int nearest = s.cp;
    while (nearest > 1 && std::fmod(job.sequence, 2.0 * nearest) != 0) --nearest;
    return no(fmt::format("cp {}: a sequence of {:g} tokens does not split into {} equal chunks",
                          s.cp, job.sequence, 2 * s.cp),
              fmt::format("cp {}", nearest));
  }
  if (static_cast<double>(s.tp) * s.pp * s.cp * s.dp != static_cast<double>(accelerators)) {
    const std::int64_t inner = std::int64_t{s.tp} * s.pp * s.cp;
    return no(fmt::format("tp {} x pp {} x cp {} x dp {} is not {} accelerators", s.tp, s.pp, s.cp,
                          s.dp, accelerators),
              accelerators % inner == 0
                  ? fmt::format("dp {}", accelerators / inner)
                  : fmt::format("{} accelerators",
                                std::max<std::int64_t>(1, accelerators / inner) * inner));
  }
  if (s.ep > 1) {
    if (experts <= 0) return no(fmt::format("ep {}: the model has no experts", s.ep), "ep 1");
    const std::int64_t ranks = std::int64_t{s.dp} * s.cp * s.tp;
    if (std::fmod(experts, s.ep) != 0 || ranks % s.ep != 0) {
      std::int64_t nearest = nearest_divisor(static_cast<std::int64_t>(experts), s.ep);
      while (nearest > 1 &&
             (std::fmod(experts, static_cast<double>(nearest)) != 0 || ranks % nearest != 0))
        --nearest;
      return no(fmt::format("ep {} divides not both the {:g} experts and the {} ranks of a stage",
                            s.ep, experts, ranks),
                fmt::format("ep {}", nearest));
    }
  }
  if (s.shard != 0 && (s.shard < 1 || (s.dp * s.cp) % s.shard != 0)) {
    return no(
        fmt::format("shard {} does not divide the {} data-parallel ranks", s.shard, s.dp * s.cp),
        fmt::format("shard {}", nearest_divisor(std::int64_t{s.dp} * s.cp, s.shard)));
  }
  const int m = microbatches(s.dp, s.microbatch);
  if (m == 0) {
    const double sequences = job.global_batch_tokens / job.sequence,
                 slots = static_cast<double>(s.dp) * s.microbatch;
    return no(fmt::format("a batch of {:g} samples is no multiple of dp {} x microbatch {}",
                          sequences, s.dp, s.microbatch),
              fmt::format("a batch of {:g} samples",
                          std::max(1.0, std::round(sequences / slots)) * slots));
  }
  if (s.virtual_stages > 1) {  // the embedding and the head may have a chunk to themselves
    if (s.pp == 1) return no("virtual stages need a pipeline", "virtual_stages 1");
    if (m % s.pp != 0) {
      return no(
          fmt::format("interleaving needs microbatches in multiples of pp {}, not {}", s.pp, m),
          "virtual_stages 1");
    }
    if (static_cast<double>(s.pp) * s.virtual_stages > layer_count + 2) {
      return no(fmt::format("pp {} x {} virtual stages are more than {:g} layers", s.pp,
                            s.virtual_stages, layer_count),
                fmt::format("virtual_stages {:g}", std::floor((layer_count + 2) / s.pp)));
    }
    if (s.schedule != Schedule::k1F1B)
      return no("a zero-bubble schedule has one stage on each rank", "virtual_stages 1");
  }
  if (accelerators > fast_domain && machine.network.raw() <= 0) {
    return no(fmt::format("{} accelerators need a network and none is known", accelerators),
              fmt::format("{} accelerators", fast_domain));
  }
  return std::nullopt;
}

bool Compiled::legal(const Strategy& s, std::int64_t accelerators) const {
  return !objection(s, accelerators);
}

std::optional<Error> Trainer::objection(const Strategy& strategy, std::int64_t nodes) const {
  return compiled_->objection(strategy, nodes * compiled_->machine.node.count);
}

}  // namespace portolan::training
