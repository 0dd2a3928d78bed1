// Scoring the model on measured points: those that ship with it, or a user's own tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "app/left_out.hpp"
#include "measure/score.hpp"

namespace portolan::app {

struct ValidateRequest {
  std::vector<std::string> sets;    // shipped ones; none and no data = all
  std::optional<std::string> kind;  // of the data; absent = by its header
  std::vector<std::string> data;    // files
  std::optional<double> max_median_ape;
};

/// Another tool on points of ours. `ours` is our error on the same points, where they ship; what
/// was published or reproduced over whole tables stands alone.
struct PeerScore {
  std::string peer, basis;  // "same points", "reproduced", "published"
  measure::GroupScore score;
  std::optional<measure::GroupScore> ours;
  std::string source, date;
};

struct ValidateResult {
  std::vector<measure::GroupScore> groups;  // sorted by set, group, metric
  /// Per set and metric over the points that count: groups of overloaded, disaggregated and
  /// physically impossible points and of unpublished strategies left out.
  std::vector<measure::GroupScore> totals;
  std::vector<PeerScore> peers;
  std::vector<LeftOut> left_out;  // with the shipped set "kernels"; sorted by op, accelerator
  std::vector<measure::ScoredPoint> points;  // sorted by set, group, metric; rows keep their order
  /// Golden values of the reference article and how many moved; whole page only.
  std::optional<std::size_t> goldens, goldens_moved;
};

struct ValidateAnswer {
  ValidateResult result;
  Envelope envelope;
  std::optional<Error> policy;  // a group is worse than max_median_ape
};

Result<ValidateRequest> read_validate(const io::Value& request);
/// Errors: usage (sets beside data), those of opening tables; bad rows with file and line.
Result<ValidateAnswer> validate(const ValidateRequest& request, const Context& context);

/// Whether the points of a group stand for the model's accuracy: false for "overloaded", "disagg",
/// "strategy_unknown", "faster_than_roofline", "columns_disagree".
bool counts(const std::string& group);

}  // namespace portolan::app
