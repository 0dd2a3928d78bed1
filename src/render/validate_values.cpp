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
    {{"accelerator", kString, "catalogue id"},
     [](const LeftOut& l) { return Value(l.accelerator); }},
    {{"curves", kInteger, "engines, versions and number formats"},
     [](const LeftOut& l) { return count(l.curves); }},
    {{"rows", kInteger, "fitted"}, [](const LeftOut& l) { return count(l.rows); }},
    {{"rejected", kInteger, "faster than physics"},
     [](const LeftOut& l) { return count(l.rejected); }},
    {{"median_ape_by_point", kNumber, "one point of a line left out"},
     [](const LeftOut& l) { return single(l.median_point); }},
    {{"p90_ape_by_point", kNumber, "likewise"},
     [](const LeftOut& l) { return single(l.p90_point); }},
    {{"median_ape_by_site", kNumber, "all points of a shape left out"},
     [](const LeftOut& l) { return single(l.median_site); }},
    {{"p90_ape_by_site", kNumber, "likewise"}, [](const LeftOut& l) { return single(l.p90_site); }},
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
    {{"median_ape_by_point", kNumber, "one point of a line left out; 0.05 is 5 %"},
     [](const CalibrationLine& c) { return single(c.median_point); }},
    {{"p90_ape_by_point", kNumber, "likewise"},
     [](const CalibrationLine& c) { return single(c.p90_point); }},
    {{"median_ape_by_site", kNumber, "all points of a shape left out"},
     [](const CalibrationLine& c) { return single(c.median_site); }},
    {{"p90_ape_by_site", kNumber, "likewise"},
     [](const CalibrationLine& c) { return single(c.p90_site); }},
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
  return out;
}

std::vector<FieldInfo> calibrate_fields() {
  return {{"rows_read", kInteger, "of all files"},
          {"rows_fitted", kInteger, "of several kernels of one call the fastest counts"},
          {"rows_rejected", kInteger, "faster than physics"},
          {"rows_unknown", kInteger, "operator or accelerator without a place in a profile"},
          {"curves", kArray, "sorted by accelerator, engine, operator …", false, infos(kCurve)}};
}

}  // namespace portolan::render
