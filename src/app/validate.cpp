#include "app/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "app/article.hpp"
#include "app/request.hpp"
#include "base/text.hpp"
#include "measure/inferencex.hpp"
#include "measure/kernel_tables.hpp"
#include "measure/kernels.hpp"
#include "measure/profiler_layout.hpp"
#include "measure/serving_rows.hpp"
#include "measure/shipped.hpp"
#include "measure/table.hpp"
#include "measure/training_rows.hpp"

namespace portolan::app {
namespace {

using measure::GroupScore;
using measure::ScoredPoint;
using measure::Table;
using measure::TableKind;

Result<std::vector<ScoredPoint>> score_table(const Table& table, TableKind kind,
                                             const Context& context) {
  const measure::KnownThings known{.accelerators = context.catalogue().accelerators(),
                                   .models = context.models(),
                                   .threads = context.threads()};
  switch (kind) {
    case TableKind::kKernels:
      return measure::score_kernel_table(table, context.profile(), known.accelerators);
    case TableKind::kServing: {
      measure::ServingOptions options;
      options.profile = &context.profile();
      return measure::score_serving(table.csv(), table.file(), known.models, known.accelerators,
                                    options);
    }
    case TableKind::kInferencex:
      return measure::score_inferencex(table.csv(), table.file(), known.models, known.accelerators,
                                       known.threads, &context.profile());
    case TableKind::kTraining:
      return measure::score_training(table, "training", known);
    case TableKind::kTrainingMemory:
      break;
  }
  return measure::score_training_memory(table, "training-memory", known);
}

/// Rows that stand for the points of one metric, in the order the scorers keep: those with a figure
/// in its column.
std::vector<std::string> ids_with(const Table& table, std::string_view column) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const measure::TableRow row(table, i);
    if (row.number_or(column, 0) != 0) ids.push_back(row.text("point"));
  }
  return ids;
}

struct PeerMetric {
  std::string_view set, metric, column;
  std::optional<double> measure::PeerPoint::* value;
};
constexpr std::array<PeerMetric, 5> kPeerMetrics = {
    {{"inferencex", "ttft_mean", "measured_ttft_ms", &measure::PeerPoint::ttft_mean},
     {"inferencex", "tpot_mean", "measured_tpot_ms", &measure::PeerPoint::tpot_mean},
     {"blis", "ttft_mean", "ttft_ms_mean", &measure::PeerPoint::ttft_mean},
     {"blis", "itl_mean", "tpot_ms_mean", &measure::PeerPoint::tpot_mean},
     {"blis", "e2e_mean", "e2e_ms_mean", &measure::PeerPoint::e2e_mean}}};

/// Peers on the very points that ship, ours beside them; only points that both answer.
Result<void> add_same_points(const std::string& set, const Table& table,
                             const std::vector<ScoredPoint>& points, std::vector<PeerScore>& out) {
  const std::vector<measure::PeerPoint> peers = PORTOLAN_TRY(measure::peer_points());
  for (const PeerMetric& metric : kPeerMetrics) {
    if (metric.set != set) continue;
    const std::vector<std::string> ids = ids_with(table, metric.column);
    std::map<std::string, const ScoredPoint*> by_id;
    std::size_t at = 0;
    for (const ScoredPoint& p : points) {
      if (p.metric != metric.metric) continue;
      if (at < ids.size()) by_id[ids[at]] = &p;
      ++at;
    }
    if (at != ids.size()) {
      return fail(ErrorCode::kInternal, fmt::format("{} points of {} in {}, {} rows have a figure",
                                                    at, metric.metric, set, ids.size()));
    }
    struct Pair {
      std::vector<ScoredPoint> theirs, ours;
      std::string source, date;
    };
    std::map<std::string, Pair> pairs;
    for (const measure::PeerPoint& peer : peers) {
      const auto found = by_id.find(peer.point);
      if (peer.set != set || !(peer.*metric.value) || found == by_id.end() ||
          !found->second->predicted)
        continue;
      Pair& pair = pairs[peer.peer];
      pair.ours.push_back(*found->second);
      ScoredPoint theirs = *found->second;
      theirs.predicted = peer.*metric.value;
      theirs.low.reset();
      theirs.high.reset();
      pair.theirs.push_back(std::move(theirs));
      pair.source = peer.source;
      pair.date = peer.date;
    }
    for (const auto& [name, pair] : pairs) {
      const std::string group = "points of both", figure(metric.metric);
      out.push_back({.peer = name,
                     .basis = "same points",
                     .score = measure::score_all(pair.theirs, set, group, figure),
                     .ours = measure::score_all(pair.ours, set, group, figure),
                     .source = pair.source,
                     .date = pair.date});
    }
  }
  return {};
}

Result<void> add_published(const std::vector<std::string>& sets, std::vector<PeerScore>& out) {
  for (measure::PeerFigure& figure : PORTOLAN_TRY(measure::peer_figures())) {
    if (std::find(sets.begin(), sets.end(), figure.set) == sets.end()) continue;
    GroupScore score;
    score.set = figure.set;
    score.group = figure.group;
    score.metric = figure.metric;
    score.points = score.n = static_cast<std::size_t>(figure.n);
    score.covered = 1;
    score.median_ape = figure.median_ape;
    score.mean_ape = figure.mean_ape;
    score.p90_ape = figure.p90_ape;
    score.bias = figure.bias;
    out.push_back({.peer = std::move(figure.peer),
                   .basis = std::move(figure.basis),
                   .score = std::move(score),
                   .ours = std::nullopt,
                   .source = std::move(figure.source),
                   .date = std::move(figure.date)});
  }
  return {};
}

std::vector<GroupScore> totals_of(const std::vector<ScoredPoint>& points) {
  std::map<std::pair<std::string, std::string>, std::vector<ScoredPoint>> parts;
  for (const ScoredPoint& p : points) {
    if (counts(p.group)) parts[{p.set, p.metric}].push_back(p);
  }
  std::vector<GroupScore> totals;
  totals.reserve(parts.size());
  for (const auto& [key, part] : parts)
    totals.push_back(measure::score_all(part, key.first, "all", key.second));
  return totals;
}

std::optional<Error> policy_of(const std::vector<GroupScore>& groups, double most) {
  const GroupScore* worst = nullptr;
  std::size_t over = 0;
  for (const GroupScore& g : groups) {
    if (!g.median_ape || *g.median_ape <= most) continue;
    ++over;
    if (worst == nullptr || *g.median_ape > *worst->median_ape) worst = &g;
  }
  if (worst == nullptr) return std::nullopt;
  return Error{
      .code = ErrorCode::kPolicy,
      .message = fmt::format("{} of {} groups are off by more than {:.3g} % in the median", over,
                             groups.size(), 100 * most),
      .where = {},
      .why = fmt::format("--max-median-ape; worst: {} {} {}, {:.3g} % over {} points", worst->set,
                         worst->group, worst->metric, 100 * *worst->median_ape, worst->n),
      .hint = {},
      .also = {}};
}

/// Adds the points of a table under its set's name.
Result<void> run(const std::string& name, const Table& table, TableKind kind,
                 const Context& context, ValidateResult& result) {
  context.progress(fmt::format("scoring {} ({} rows)", name, table.size()));
  std::vector<ScoredPoint> points = PORTOLAN_TRY(score_table(table, kind, context));
  result.points.insert(result.points.end(), std::make_move_iterator(points.begin()),
                       std::make_move_iterator(points.end()));
  return {};
}

/// "gemm fp8 h100-sxm-80gb vllm" -> "gemm h100-sxm-80gb": a sample has few points of one format.
std::string without_format(const std::string& group) {
  const std::vector<std::string_view> words = split(group, ' ');
  if (words.size() < 4) return group;
  std::string out = fmt::format("{} {}", words[0], words[2]);
  for (std::size_t i = 4; i < words.size(); ++i) out += " " + std::string(words[i]);
  return out;
}

Result<void> run_shipped(const measure::ShippedSet& set, const Context& context,
                         ValidateResult& result) {
  const std::string name(set.name);
  const Table table = PORTOLAN_TRY(measure::shipped_table(set));
  context.progress(fmt::format("scoring {} ({} rows)", name, table.size()));
  std::vector<ScoredPoint> points = PORTOLAN_TRY(score_table(table, set.layout, context));
  for (ScoredPoint& p : points) {
    p.set = name;
    if (set.layout == TableKind::kKernels) p.group = without_format(p.group);
  }
  PORTOLAN_DO(add_same_points(name, table, points, result.peers));
  result.points.insert(result.points.end(), std::make_move_iterator(points.begin()),
                       std::make_move_iterator(points.end()));
  return {};
}

}  // namespace

bool counts(const std::string& group) {
  for (const char* apart :
       {"overloaded", "disagg", "strategy_unknown", "faster_than_roofline", "columns_disagree"}) {
    if (group.find(apart) != std::string::npos) return false;
  }
  return true;
}

Result<ValidateRequest> read_validate(const io::Value& request) {
  io::Problems problems;
  io::Fields fields(request, "", problems);
  ValidateRequest out;
  out.sets = text_list(fields, "set");
  std::vector<std::string_view> names = {"article"};
  for (const measure::ShippedSet& set : measure::shipped_sets()) names.push_back(set.name);
  for (const std::string& set : out.sets) {
    if (std::find(names.begin(), names.end(), set) != names.end()) continue;
    std::string list;
    for (std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
    const std::string hint = did_you_mean(set, names);
    fields.problem("set", "unknown set " + quoted(set), hint.empty() ? "one of: " + list : hint);
  }
  out.data = fields.texts("data").value_or(std::vector<std::string>{});
  out.kind = fields.text("kind");
  const auto kinds = measure::kind_names();
  if (out.kind && std::find(kinds.begin(), kinds.end(), *out.kind) == kinds.end()) {
    std::string list;
    for (std::string_view name : kinds) list += (list.empty() ? "" : ", ") + std::string(name);
    const std::string hint = did_you_mean(*out.kind, kinds);
    fields.problem("kind", "unknown kind " + quoted(*out.kind),
                   hint.empty() ? "one of: " + list : hint);
  }
  out.max_median_ape = fields.share("max_median_ape");
  if (out.kind && out.data.empty())
    fields.problem("kind", "a kind says what --data is", "add --data FILE");
  if (!out.data.empty() && !out.sets.empty())
    fields.problem("data", "sets that ship and files of your own do not go together",
                   "leave one of them out");
  fields.integer("limit", 0, 1'000'000);  // how the answer is shown is the face's business
  flag(fields, "errata");
  flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return out;
}

Result<ValidateAnswer> validate(const ValidateRequest& request, const Context& context) {
  ValidateAnswer answer;
  answer.envelope.command = "validate";
  answer.envelope.catalogue_date = context.catalogue().date();
  ValidateResult& result = answer.result;
  if (!request.data.empty()) {
    for (const std::string& file : request.data) {
      Table table = PORTOLAN_TRY(Table::open(file));
      if (measure::is_profiler_table(table))
        table = PORTOLAN_TRY(measure::as_kernel_rows(table, context.models()));
      const TableKind kind = PORTOLAN_TRY(request.kind ? measure::kind_for(table, *request.kind)
                                                       : measure::kind_of(table));
      PORTOLAN_DO(run(file, table, kind, context, result));
    }
    if (result.points.empty()) {
      return fail(ErrorCode::kInvalidInput,
                  fmt::format("{} holds no measured figure", request.data.front()),
                  "docs/formats/measurements.md says which columns are compared");
    }
  } else {
    std::vector<std::string> sets = request.sets;
    const bool whole = sets.empty();
    for (const measure::ShippedSet& set : measure::shipped_sets()) {
      if (whole) sets.emplace_back(set.name);
      if (std::find(sets.begin(), sets.end(), set.name) == sets.end()) continue;
      PORTOLAN_DO(run_shipped(set, context, result));
      if (set.layout == TableKind::kKernels)
        result.left_out = left_out_of(measure::calibration_report(context.profile()), true);
    }
    PORTOLAN_DO(add_published(sets, result.peers));
    if (whole || std::find(sets.begin(), sets.end(), "article") != sets.end()) {
      const ArticleAnswer goldens = PORTOLAN_TRY(article(context));
      result.goldens = goldens.result.goldens.size();
      result.goldens_moved = goldens.result.failed;
    }
    answer.envelope.warnings.emplace_back(
        "shipped points overlap with the data the model was calibrated on; errors on unseen models "
        "and accelerators are in docs/accuracy.md");
  }
  context.progress("");
  std::stable_sort(result.points.begin(), result.points.end(),
                   [](const ScoredPoint& a, const ScoredPoint& b) {
                     return std::tie(a.set, a.group, a.metric) < std::tie(b.set, b.group, b.metric);
                   });
  result.groups = measure::score(result.points);
  result.totals = totals_of(result.points);
  if (request.max_median_ape) answer.policy = policy_of(result.groups, *request.max_median_ape);
  return answer;
}

}  // namespace portolan::app
