#include <fmt/format.h>

#include <charconv>

#include "cost/call_moe.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

/// Published models without a gate in their experts (Nemotron 3 nano, super and ultra, and their
/// latent widths), for tables whose kernel names do not say it.
bool known_without_gate(const cost::MoeShape& shape) {
  return (shape.top_k == 22 && shape.experts == 512) ||
         (shape.hidden == 2688 && shape.inter == 1856 && shape.experts == 128);
}

Result<cost::Routing> routing_of(const KernelTable& table, std::size_t row) {
  constexpr std::string_view kPrefix = "power_law_";
  const std::string_view name = table.text(row, "distribution");
  if (name.empty() || name == "balanced") return cost::Routing{.alpha = 0};
  cost::Routing routing;
  if (name.starts_with(kPrefix)) {
    const std::string_view number = name.substr(kPrefix.size());
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), routing.alpha);
    if (error == std::errc() && end == number.data() + number.size() && routing.alpha > 0 &&
        routing.alpha < 4)
      return routing;
  }
  return fail(table.problem(row, fmt::format("unknown distribution \"{}\"", name),
                            "name balanced, power_law_1.01 or another power_law_ALPHA"));
}

Result<KernelPoint> read(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  const auto type = cost::moe_type(p.dtype);
  if (!type)
    return fail(table.problem(row, fmt::format("unknown dtype \"{}\" of experts", p.dtype),
                              "name a type of the kernel tables: bfloat16, fp8, fp8_block, nvfp4, "
                              "w4a16_mxfp4, w4a8_mxfp4_mxfp8, int4_wo"));
  const double tokens = PORTOLAN_TRY(table.number(row, "num_tokens"));
  cost::MoeShape shape;
  shape.hidden = PORTOLAN_TRY(table.number(row, "hidden"));
  shape.inter = PORTOLAN_TRY(table.number(row, "inter"));
  shape.top_k = PORTOLAN_TRY(table.number(row, "topk"));
  shape.experts = PORTOLAN_TRY(table.number(row, "num_experts"));
  shape.tensor_ranks = PORTOLAN_TRY(table.number(row, "moe_tp", 1));
  shape.expert_ranks = PORTOLAN_TRY(table.number(row, "moe_ep", 1));
  const cost::Routing routing = PORTOLAN_TRY(routing_of(table, row));
  constexpr double kMostExperts = 65536, kMostTokens = 1 << 24;
  if (!(tokens > 0 && tokens <= kMostTokens && shape.hidden > 0 && shape.inter > 0 &&
        shape.top_k >= 1 && shape.top_k <= shape.experts && shape.experts <= kMostExperts &&
        shape.tensor_ranks >= 1 && shape.expert_ranks >= 1 && shape.expert_ranks <= shape.experts))
    return fail(
        table.problem(row, "not the shape of a block of experts",
                      "num_tokens, hidden and inter are positive, 1 <= topk <= num_experts, "
                      "1 <= moe_ep <= num_experts"));
  const std::string_view kernel = table.text(row, "kernel");
  shape.gated = kernel.find("nongated") == std::string_view::npos && !known_without_gate(shape);
  if (!shape.gated)
    p.variant = "nongated";
  else if (kernel.find("min_latency") != std::string_view::npos)
    p.variant = "min_latency";
  if (const double touched = PORTOLAN_TRY(table.number(row, "activated_experts", 0)); touched > 0) {
    if (touched > shape.experts / shape.expert_ranks || touched > tokens * shape.top_k)
      return fail(table.problem(row, fmt::format("{} activated experts", touched),
                                "no more than the rank has, nor than the tokens choose"));
    p.call = cost::moe_call(chip, *type, shape, cost::even_load(shape, touched, tokens), tokens);
  } else {
    p.call = cost::moe_call(chip, *type, shape, cost::expert_loads(shape, routing), tokens);
  }
  p.site = site_of({shape.hidden, shape.inter, shape.top_k, shape.experts});
  return p;
}

FitOptions options(std::span<const KernelPoint> points) {
  FitOptions o;
  // Cells in proportion to what was measured: a type of two models must not get its own table.
  const std::size_t n = points.size(), rich = n >= 6000 ? 2 : n >= 1500 ? 1 : 0;
  o.knots[0] = knots_of(coordinates(points, 0), 1.0F, 8 + 2 * rich);
  o.knots[1] = knots_of(coordinates(points, 1), 1.0F, 4 + rich);
  o.knots[2] = knots_of(coordinates(points, 2), 1.0F, 4 + rich);
  if (rich > 0) o.knots[3] = knots_of(coordinates(points, 3), 2.0F, 2);
  o.start.compute = 0.4;
  o.start.memory = 0.8;
  o.start.knee = 1.5;
  o.fit_wave = o.fit_pass = true;
  return o;
}

}  // namespace

const Family kMoeFamily{"moe", read, options};

}  // namespace portolan::measure
