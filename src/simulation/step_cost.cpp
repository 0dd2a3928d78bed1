#include "simulation/step_cost.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace portolan::simulation {
namespace {

/// Knots of the mean context: 0 to 16, then twelve to the octave up to 2^24 tokens.
constexpr std::int64_t kDense = 16;
constexpr std::int64_t kPerOctave = 12;

std::int64_t knot_context(std::size_t knot) {
  if (knot <= kDense) return static_cast<std::int64_t>(knot);
  const auto above = static_cast<double>(static_cast<std::int64_t>(knot) - kDense);
  return std::llround(static_cast<double>(kDense) *
                      std::exp2(above / static_cast<double>(kPerOctave)));
}

const std::vector<std::int64_t>& knots() {
  static const std::vector<std::int64_t> list = [] {
    std::vector<std::int64_t> all;
    for (std::size_t k = 0; k <= static_cast<std::size_t>(kDense + 20 * kPerOctave); ++k)
      all.push_back(knot_context(k));
    return all;
  }();
  return list;
}

/// The last knot at or below a context.
std::size_t knot_below(std::int64_t context) {
  const std::vector<std::int64_t>& all = knots();
  if (context <= kDense) return static_cast<std::size_t>(std::max<std::int64_t>(0, context));
  if (context >= all.back()) return all.size() - 2;
  const double octaves = std::log2(static_cast<double>(context) / static_cast<double>(kDense)) *
                         static_cast<double>(kPerOctave);
  auto at = static_cast<std::size_t>(kDense + static_cast<std::int64_t>(octaves));
  while (all[at] > context) --at;
  while (all[at + 1] <= context) ++at;
  return at;
}

}  // namespace

struct StepCost::Row {
  std::int64_t decodes = 0, all_decodes = 0;
  /// By knot; time 0 where nobody has asked yet.
  std::vector<Step> at = std::vector<Step>(knots().size());
};

StepCost::StepCost(cost::StepModel step, std::int32_t ranks, double drafted)
    : step_(std::move(step)),
      ranks_(ranks),
      lanes_(std::max(1, step_.deployment().pp)),
      drafted_(drafted) {}

StepCost::StepCost(const StepCost& other)
    : step_(other.step_), ranks_(other.ranks_), lanes_(other.lanes_), drafted_(other.drafted_) {}

StepCost::~StepCost() = default;

StepCost::Step StepCost::step(const cost::Batch& batch) const {
  const cost::StepTime time = step_.time(batch);
  const double seconds = std::max(time.total.raw(), static_cast<double>(lanes_) * time.stage.raw());
  Step result;
  result.time = std::max<Time>(1, from_seconds(seconds));
  if (const std::optional<Joules> joules = step_.energy(batch, time))
    result.joules = joules->raw() * static_cast<double>(lanes_);
  return result;
}

const StepCost::Row& StepCost::row(std::int64_t decodes, std::int64_t all_decodes) const {
  // Without data-parallel attention a batch is its size.
  const auto slot = static_cast<std::size_t>(ranks_ == 1 ? decodes : all_decodes);
  if (slot >= rows_.size()) rows_.resize(slot + 1);
  std::unique_ptr<Row>& row = rows_[slot];
  if (!row || row->decodes != decodes || row->all_decodes != all_decodes) {
    row = std::make_unique<Row>();
    row->decodes = decodes;
    row->all_decodes = all_decodes;
  }
  return *row;
}

DecodeRun StepCost::decode(std::int64_t decodes, std::int64_t context_sum,
                           std::int64_t all_decodes) const {
  const Row& table = row(decodes, all_decodes);
  const std::int64_t context = context_sum / decodes, rest = context_sum % decodes;
  const std::size_t low = knot_below(context);
  const auto at = [&](std::size_t knot) -> const Step& {
    Step& entry = const_cast<Row&>(table).at[knot];
    if (entry.time == 0) {
      cost::Batch batch;
      batch.decode_requests = static_cast<double>(decodes) / lanes_;
      batch.decode_context = static_cast<double>(knots()[knot]);
      batch.drafted = drafted_;
      batch.sampled = batch.decode_tokens();
      if (ranks_ > 1)
        batch.mean_rank_tokens = static_cast<double>(all_decodes) / ranks_ * (1.0 + drafted_);
      entry = step(batch);
    }
    return entry;
  };
  const Step &a = at(low), &b = at(low + 1);
  const std::int64_t width = knots()[low + 1] - knots()[low], past = context - knots()[low];
  DecodeRun run;
  run.growth = (b.time - a.time) / width;
  run.first = a.time + run.growth * past + run.growth * rest / decodes;
  run.first = std::max<Time>(1, run.first);
  run.joules_growth = (b.joules - a.joules) / static_cast<double>(width);
  run.joules_first =
      a.joules + run.joules_growth * (static_cast<double>(past) +
                                      static_cast<double>(rest) / static_cast<double>(decodes));
  run.steps = low + 2 < knots().size() ? width - past : kNever;
  return run;
}

}  // namespace portolan::simulation
