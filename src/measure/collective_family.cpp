#include <fmt/format.h>

#include <array>

#include "cost/call_collective.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

struct Sized {
  std::string_view dtype;
  double bytes;
};
constexpr std::array kSizes = {Sized{"half", 2},  Sized{"bfloat16", 2},  Sized{"float16", 2},
                               Sized{"float", 4}, Sized{"float32", 4},   Sized{"int8", 1},
                               Sized{"fp8", 1},   Sized{"nvfp4", 0.5625}};

Result<double> element_bytes(const KernelTable& table, std::size_t row) {
  const std::string& dtype = table.text(row, "dtype");
  for (const Sized& s : kSizes)
    if (s.dtype == dtype) return s.bytes;
  return fail(table.problem(row, fmt::format("unknown dtype \"{}\" of a collective", dtype),
                            "name half, bfloat16, float, int8, fp8 or nvfp4"));
}

struct Group {
  double bytes = 0, ranks = 0;
};

Result<double> ranks_of(const KernelTable& table, std::size_t row, std::string_view column) {
  const double ranks = PORTOLAN_TRY(table.number(row, column));
  if (ranks >= 2) return ranks;
  return fail(table.problem(row, fmt::format("{} {} is no group", column, ranks),
                            "a collective has two ranks or more"));
}

Result<Group> group_of(const KernelTable& table, std::size_t row) {
  Group g;
  g.ranks = PORTOLAN_TRY(ranks_of(table, row, "num_gpus"));
  g.bytes =
      PORTOLAN_TRY(element_bytes(table, row)) * PORTOLAN_TRY(table.number(row, "message_elems"));
  if (g.bytes > 0) return g;
  return fail(table.problem(row, "message_elems is not positive", "count elements of the message"));
}

Result<KernelPoint> read_library(const KernelTable& table, std::size_t row,
                                 const cost::Chip& chip) {
  struct Named {
    std::string_view name;
    cost::CollectiveKind kind;
  };
  static constexpr std::array kKinds = {
      Named{"all_reduce", cost::CollectiveKind::kAllReduce},
      Named{"all_gather", cost::CollectiveKind::kAllGather},
      Named{"reduce_scatter", cost::CollectiveKind::kReduceScatter},
      Named{"alltoall", cost::CollectiveKind::kAllToAll},
  };
  const Group g = PORTOLAN_TRY(group_of(table, row));
  const std::string& name = table.text(row, "collective");
  for (const Named& named : kKinds) {
    if (named.name != name) continue;
    KernelPoint p;
    p.dtype = table.text(row, "dtype");
    p.variant = cost::link_variant(name, chip.link);
    p.call = cost::collective_call(chip.link, named.kind, g.bytes, g.ranks);
    p.site = site_of({g.ranks});
    return p;
  }
  return fail(table.problem(row, fmt::format("unknown collective \"{}\"", name),
                            "name all_reduce, all_gather, reduce_scatter or alltoall"));
}

Result<KernelPoint> read_engine(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  const Group g = PORTOLAN_TRY(group_of(table, row));
  const std::string_view kernel = table.text(row, "kernel");
  const auto has = [&](std::string_view word) {
    return kernel.find(word) != std::string_view::npos;
  };
  const std::string_view mode = has("eager") ? "eager" : has("graph") ? "graph" : "trtllm";
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  p.variant = cost::link_variant(mode, chip.link);
  p.call = cost::collective_call(chip.link, cost::CollectiveKind::kAllReduce, g.bytes, g.ranks);
  p.site = site_of({g.ranks});
  return p;
}

Result<KernelPoint> read_exchange(const KernelTable& table, std::size_t row,
                                  const cost::Chip& chip) {
  constexpr std::string_view kPrefix = "alltoall_";
  const double ranks = PORTOLAN_TRY(ranks_of(table, row, "moe_ep"));
  const double tokens = PORTOLAN_TRY(table.number(row, "num_tokens")),
               hidden = PORTOLAN_TRY(table.number(row, "hidden")),
               top_k = PORTOLAN_TRY(table.number(row, "topk"));
  if (!(tokens > 0 && hidden > 0 && top_k >= 1))
    return fail(table.problem(row, "not the shape of an exchange between experts",
                              "num_tokens, hidden and topk are positive"));
  std::string_view part = table.text(row, "variant");
  if (part.starts_with(kPrefix)) part.remove_prefix(kPrefix.size());
  const bool one_sided = table.text(row, "kernel").find("OneSided") != std::string::npos;
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  p.variant = cost::link_variant(fmt::format("{} {}", one_sided ? "one_sided" : "two_sided", part),
                                 chip.link);
  // What the engine sends back is 16 bit however it was sent out, unless the kernel says less.
  const double bytes = part == "combine" ? 2.0 : PORTOLAN_TRY(element_bytes(table, row));
  p.call = cost::expert_exchange_call(chip.link, bytes * tokens * top_k * hidden, ranks, top_k);
  if (part == "prepare") p.call.memory = 0;  // counts, not tokens
  p.site = site_of({ranks});
  return p;
}

FitOptions options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_of(coordinates(points, 0), 1.5F, 16);
  o.knots[1] = knots_of(coordinates(points, 1), 1.0F, 6);
  o.start.memory = 0.5;
  o.start.knee = 2;
  o.start.pass = 0.3;
  o.fit_compute = false;
  o.fit_pass = true;
  return o;
}

}  // namespace

const Family kNcclFamily{"nccl", read_library, options};
const Family kOneCclFamily{"oneccl", read_library, options};
const Family kCustomAllReduceFamily{"custom_allreduce", read_engine, options};
const Family kExchangeFamily{"trtllm_alltoall", read_exchange, options};

}  // namespace portolan::measure
