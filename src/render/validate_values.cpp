// Fields of `validate` (the article's and those of measured points) and of `calibrate`.
#include <cmath>

#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using measure::GroupScore;
using enum JsonType;

Value share(const std::optional<double>& value) { return value ? Value(*value) : Value(); }
/// Exact decimals of a float.
Value single(double value) { return Value(std::round(value * 1e6) / 1e6); }
Value single(const std::optional<double>& value) { return value ? single(*value) : Value(); }
/// Error on points left out; 0 where there were none.
Value left_out(double value) { return value > 0 ? single(value) : Value(); }

const Field<GroupScore> kGroup[] = {
    {{"set", kString, "which points"}, [](const GroupScore& g) { return Value(g.set); }},
    {{"group", kString, "what they have in common"},
     [](const GroupScore& g) { return Value(g.group); }},
    {{"metric", kString, "named as in the columns: ttft_mean, latency …"},
     [](const GroupScore& g) { return Value(g.metric); }},
    {{"points", kInteger, "measured, answered or not"},
     [](const GroupScore& g) { return count(g.points); }},
    {{"n", kInteger, "points scored"}, [](const GroupScore& g) { return count(g.n); }},
    {{"covered", kNumber, "share of the points that is answered"},
     [](const GroupScore& g) { return Value(g.covered); }},
    {{"median_ape", kNumber, "of |predicted - measured| / measured; 0.05 is 5 %", true},
     [](const GroupScore& g) { return share(g.median_ape); }},
    {{"mean_ape", kNumber, "likewise", true},
     [](const GroupScore& g) { return share(g.mean_ape); }},
    {{"p90_ape", kNumber, "likewise", true}, [](const GroupScore& g) { return share(g.p90_ape); }},
    {{"bias", kNumber, "median of (predicted - measured) / measured", true},
     [](const GroupScore& g) { return share(g.bias); }},
    {{"interval_share", kNumber, "of points with an 80 % interval that it holds", true},
     [](const GroupScore& g) { return share(g.interval); }},
};

using app::PeerScore;
using OurShare = std::optional<double> GroupScore::*;
Value ours(const PeerScore& p, OurShare member) {
  return p.ours ? share(*p.ours.*member) : Value();
}
const Field<PeerScore> kPeer[] = {
    {{"peer", kString, "the other tool"}, [](const PeerScore& p) { return Value(p.peer); }},
    {{"basis", kString,
      "same points: of both on ours; reproduced: running it; published: its authors"},
     [](const PeerScore& p) { return Value(p.basis); }},
    {{"set", kString, "which points"}, [](const PeerScore& p) { return Value(p.score.set); }},
    {{"group", kString, "of them"}, [](const PeerScore& p) { return Value(p.score.group); }},
    {{"metric", kString, "as in groups"}, [](const PeerScore& p) { return Value(p.score.metric); }},
    {{"n", kInteger, "points"}, [](const PeerScore& p) { return count(p.score.n); }},
    {{"median_ape", kNumber, "the peer's", true},
     [](const PeerScore& p) { return share(p.score.median_ape); }},
    {{"mean_ape", kNumber, "the peer's", true},
     [](const PeerScore& p) { return share(p.score.mean_ape); }},
    {{"p90_ape", kNumber, "the peer's", true},
     [](const PeerScore& p) { return share(p.score.p90_ape); }},
    {{"bias", kNumber, "the peer's", true}, [](const PeerScore& p) { return share(p.score.bias); }},
    {{"our_median_ape", kNumber, "ours on the same points", true},
     [](const PeerScore& p) { return ours(p, &GroupScore::median_ape); }},
    {{"our_mean_ape", kNumber, "ours on the same points", true},
     [](const PeerScore& p) { return ours(p, &GroupScore::mean_ape); }},
    {{"our_p90_ape", kNumber, "ours on the same points", true},
     [](const PeerScore& p) { return ours(p, &GroupScore::p90_ape); }},
    {{"source", kString, "who says so", true},
     [](const PeerScore& p) { return text_or_null(p.source); }},
    {{"date", kString, "as of", true}, [](const PeerScore& p) { return text_or_null(p.date); }},
};

using app::LeftOut;
const Field<LeftOut> kLeftOut[] = {
    {{"operator", kString, "of the kernels"}, [](const LeftOut& l) { return Value(l.op); }},
    {{"accelerator", kString, "catalogue id; null: of all", true},
     [](const LeftOut& l) { return text_or_null(l.accelerator); }},
    {{"curves", kInteger, "engines, versions and number formats"},
     [](const LeftOut& l) { return count(l.curves); }},
    {{"rows", kInteger, "fitted"}, [](const LeftOut& l) { return count(l.rows); }},
    {{"rejected", kInteger, "faster than physics"},
     [](const LeftOut& l) { return count(l.rejected); }},
    {{"median_ape_by_point", kNumber, "one point of a line left out; null: none could be", true},
     [](const LeftOut& l) { return single(l.median_point); }},
    {{"p90_ape_by_point", kNumber, "likewise", true},
     [](const LeftOut& l) { return single(l.p90_point); }},
    {{"median_ape_by_site", kNumber, "all points of a shape left out", true},
     [](const LeftOut& l) { return single(l.median_site); }},
    {{"p90_ape_by_site", kNumber, "likewise", true},
     [](const LeftOut& l) { return single(l.p90_site); }},
};

using app::FittedTime;
const Field<FittedTime> kTime[] = {
    {{"engine", kString, "family and version"},
     [](const FittedTime& t) { return Value(t.engine); }},
    {{"time", kString, "its name in the profile"},
     [](const FittedTime& t) { return Value(t.time); }},
    {{"known_us", kNumber, "of the record that was known"},
     [](const FittedTime& t) { return single(1e6 * t.known); }},
    {{"fitted_us", kNumber, "to your points"},
     [](const FittedTime& t) { return single(1e6 * t.fitted); }},
    {{"log_error", kNumber, "standard error of ln(fitted_us)", true},
     [](const FittedTime& t) { return single(t.log_error); }},
    {{"decided", kBoolean, "false: the points hardly tell it; near what was known"},
     [](const FittedTime& t) { return Value(t.decided); }},
};

using app::EngineError;
const Field<EngineError> kEngineError[] = {
    {{"engine", kString, "family and version"},
     [](const EngineError& e) { return Value(e.engine); }},
    {{"metric", kString, "tpot_mean, ttft_mean; run_time of static batches and offline runs"},
     [](const EngineError& e) { return Value(e.metric); }},
    {{"left_out_by", kString, "model, or of one model load"},
     [](const EngineError& e) { return Value(e.left_out_by); }},
    {{"part", kString, "what was left out; null: each part in turn, all points", true},
     [](const EngineError& e) { return text_or_null(e.part); }},
    {{"points", kInteger, "with this figure"},
     [](const EngineError& e) { return count(e.points); }},
    {{"known_median_ape", kNumber, "by the record that was known; 0.05 is 5 %", true},
     [](const EngineError& e) { return single(e.known_median); }},
    {{"known_mean_ape", kNumber, "likewise", true},
     [](const EngineError& e) { return single(e.known_mean); }},
    {{"median_ape_left_out", kNumber, "by a fit of the other parts"},
     [](const EngineError& e) { return single(e.median); }},
    {{"mean_ape_left_out", kNumber, "likewise", true},
     [](const EngineError& e) { return single(e.mean); }},
    {{"share_in_interval", kNumber, "of left-out points in the other parts' 80 % interval", true},
     [](const EngineError& e) { return single(e.inside); }},
};

using measure::CalibrationLine;
const Field<CalibrationLine> kCurve[] = {
    {{"accelerator", kString, "catalogue id"},
     [](const CalibrationLine& c) { return Value(c.key.accelerator); }},
    {{"engine", kString, "whose kernels", true},
     [](const CalibrationLine& c) { return text_or_null(c.key.backend); }},
    {{"engine_version", kString, "as in the table", true},
     [](const CalibrationLine& c) { return text_or_null(c.key.version); }},
    {{"operator", kString, "as in the table"},
     [](const CalibrationLine& c) { return Value(c.key.op); }},
    {{"dtype", kString, "number format", true},
     [](const CalibrationLine& c) { return text_or_null(c.key.dtype); }},
    {{"kv_dtype", kString, "of the cache", true},
     [](const CalibrationLine& c) { return text_or_null(c.key.kv_dtype); }},
    {{"variant", kString, "what one curve cannot join: head size, window …", true},
     [](const CalibrationLine& c) { return text_or_null(c.key.variant); }},
    {{"rows", kInteger, "fitted"}, [](const CalibrationLine& c) { return count(c.rows); }},
    {{"rejected", kInteger, "faster than physics"},
     [](const CalibrationLine& c) { return count(c.rejected); }},
    {{"median_ape_by_point", kNumber,
      "one point of a line left out; 0.05 is 5 %; null: none could be", true},
     [](const CalibrationLine& c) { return left_out(c.median_point); }},
    {{"p90_ape_by_point", kNumber, "likewise", true},
     [](const CalibrationLine& c) { return left_out(c.p90_point); }},
    {{"median_ape_by_site", kNumber, "all points of a shape left out", true},
     [](const CalibrationLine& c) { return left_out(c.median_site); }},
    {{"p90_ape_by_site", kNumber, "likewise", true},
     [](const CalibrationLine& c) { return left_out(c.p90_site); }},
};

}  // namespace

Value result_of(const app::ValidateAnswer& answer) {
  const app::ValidateResult& r = answer.result;
  Value out{Value::Object{}};
  out.set("groups", array_of(r.groups, kGroup));
  out.set("totals", array_of(r.totals, kGroup));
  out.set("peers", array_of(r.peers, kPeer));
  out.set("left_out", array_of(r.left_out, kLeftOut));
  if (r.goldens) {
    out.set("article_goldens", count(*r.goldens));
    out.set("article_moved", count(*r.goldens_moved));
  }
  return out;
}

std::vector<FieldInfo> validate_fields() {
  std::vector<FieldInfo> fields = article_fields();
  fields.insert(fields.end(),
                {{"groups", kArray, "errors of each group of points", false, infos(kGroup)},
                 {"totals", kArray,
                  "per set and metric, without overloaded, disaggregated and impossible points and "
                  "unpublished strategies",
                  false, infos(kGroup)},
                 {"peers", kArray, "other tools", false, infos(kPeer)},
                 {"left_out", kArray, "fitted kernel curves on points left out of their fit", false,
                  infos(kLeftOut)},
                 {"article_goldens", kInteger, "golden values of the reference article"},
                 {"article_moved", kInteger, "of them no longer met"}});
  // An answer is about the article or about measured points.
  for (FieldInfo& field : fields) field.optional = true;
  return fields;
}

Value result_of(const app::CalibrateAnswer& answer) {
  const app::CalibrateResult& r = answer.result;
  Value out{Value::Object{}};
  out.set("rows_read", count(r.rows_read));
  out.set("rows_fitted", count(r.rows_fitted));
  out.set("rows_rejected", count(r.rows_rejected));
  out.set("rows_unknown", count(r.rows_unknown));
  out.set("curves", array_of(r.curves, kCurve));
  out.set("by_operator", array_of(r.by_operator, kLeftOut));
  out.set("engines", array_of(r.engines, kEngineError));
  out.set("host_times", array_of(r.times, kTime));
  return out;
}

std::vector<FieldInfo> calibrate_fields() {
  return {{"rows_read", kInteger, "of all files"},
          {"rows_fitted", kInteger, "of several kernels of one call the fastest counts"},
          {"rows_rejected", kInteger, "faster than physics"},
          {"rows_unknown", kInteger, "operator, accelerator, model or load that cannot be fitted"},
          {"curves", kArray, "sorted by accelerator, engine, operator …", false, infos(kCurve)},
          {"by_operator", kArray, "the curves pooled, weighted by rows", false, infos(kLeftOut)},
          {"engines", kArray, "errors of fitted host times on points left out", false,
           infos(kEngineError)},
          {"host_times", kArray, "fitted host times of engines", false, infos(kTime)}};
}

}  // namespace portolan::render
