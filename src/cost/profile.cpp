#include "cost/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <type_traits>

#include "base/check.hpp"
#include "io/fields.hpp"
#include "io/text_formats.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 base64 with padding.
std::string encode(const std::vector<std::int8_t>& cells) {
  std::string text;
  text.reserve((cells.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < cells.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t n = std::min<std::size_t>(3, cells.size() - i);
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < n ? static_cast<std::uint8_t>(cells[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      text += j <= n ? kAlphabet[bits >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}

std::optional<std::vector<std::int8_t>> decode(std::string_view text) {
  static const std::array<std::int8_t, 256> values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
      table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    return table;
  }();
  if (text.size() % 4 != 0) return std::nullopt;
  std::vector<std::int8_t> cells;
  cells.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t bits = 0;
    int pad = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      if (c == '=' && i + 4 == text.size() && j >= 2) {
        ++pad;
        bits <<= 6;
        continue;
      }
      const std::int8_t v = values[static_cast<unsigned char>(c)];
      if (v < 0 || pad > 0) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(v);
    }
    for (int j = 0; j < 3 - pad; ++j)
      cells.push_back(static_cast<std::int8_t>(bits >> (16 - 8 * j) & 255U));
  }
  return cells;
}

/// Rounded to what is worth keeping, so that files are short and repeat.
io::Value rounded(double value, double places) {
  const double scale = std::pow(10.0, places);
  return std::round(value * scale) / scale;
}

template <class Numbers>
io::Value list(const Numbers& numbers, double places) {
  io::Value::Array array;
  for (const auto x : numbers) array.push_back(rounded(static_cast<double>(x), places));
  return array;
}

io::Value to_value(const Curve& c) {
  io::Value v;
  v.set("kind", "curve");
  v.set("accelerator", c.key.accelerator);
  v.set("backend", c.key.backend);
  v.set("version", c.key.version);
  v.set("op", c.key.op);
  v.set("dtype", c.key.dtype);
  if (!c.key.kv_dtype.empty()) v.set("kv_dtype", c.key.kv_dtype);
  if (!c.key.variant.empty()) v.set("variant", c.key.variant);
  const Roofline& r = c.roofline;
  v.set("roofline",
        list(std::array{r.compute, r.memory, r.knee, r.floor * 1e6, r.wave, r.short_k, r.pass}, 4));
  io::Value::Array axes;
  for (const auto& axis : c.grid.knots) axes.push_back(list(axis, 4));
  while (!axes.empty() && axes.back().array().empty()) axes.pop_back();
  v.set("axes", std::move(axes));
  v.set("step", rounded(c.grid.step, 6));
  v.set("cells", encode(c.grid.cells));
  v.set("rows", static_cast<std::int64_t>(c.rows));
  v.set("rejected", static_cast<std::int64_t>(c.rejected));
  const auto residuals = [](const Residuals& q, float median, float p90) {
    io::Value o;
    o.set("points", static_cast<std::int64_t>(q.points));
    o.set("median_ape", rounded(median, 4));
    o.set("p90_ape", rounded(p90, 4));
    o.set("log_ratio", list(q.at, 4));
    return o;
  };
  if (c.by_point.points > 0)
    v.set("point_left_out", residuals(c.by_point, c.median_point, c.p90_point));
  if (c.by_site.points > 0) v.set("site_left_out", residuals(c.by_site, c.median_site, c.p90_site));
  v.set("source", c.source);
  v.set("date", c.date.text());
  return v;
}

template <class Out>
bool read_list(io::Fields& fields, std::string_view key, Out& out, std::size_t minimum,
               std::size_t maximum) {
  const io::Value* v = fields.get(key);
  if (v == nullptr || !v->is_array() || v->array().size() < minimum ||
      v->array().size() > maximum) {
    fields.problem(key, fmt::format("expected a list of {} to {} numbers", minimum, maximum));
    return false;
  }
  std::size_t i = 0;
  for (const io::Value& x : v->array()) {
    if (!x.is_number()) {
      fields.problem(key, "expected numbers only");
      return false;
    }
    out[i++] = static_cast<std::remove_reference_t<decltype(out[0])>>(x.number());
  }
  return true;
}

void read_residuals(io::Fields& fields, std::string_view key, io::Problems& problems, Residuals& q,
                    float& median, float& p90) {
  const io::Value* v = fields.get(key);
  if (v == nullptr) return;
  io::Fields inner(*v, fields.pointer(key), problems);
  q.points = static_cast<std::uint32_t>(inner.integer("points", 0, 1LL << 31).value_or(0));
  median = static_cast<float>(inner.number("median_ape", 0, 1e6).value_or(0));
  p90 = static_cast<float>(inner.number("p90_ape", 0, 1e6).value_or(0));
  read_list(inner, "log_ratio", q.at, q.at.size(), q.at.size());
  inner.finish();
}

Curve read_curve(io::Fields& fields, io::Problems& problems) {
  constexpr double kMost = 1e9;
  Curve c;
  const auto required = [&](std::string_view key, std::string& into) {
    if (fields.require(key)) into = fields.text(key).value_or("");
  };
  required("accelerator", c.key.accelerator);
  required("backend", c.key.backend);
  required("version", c.key.version);
  required("op", c.key.op);
  required("dtype", c.key.dtype);
  c.key.kv_dtype = fields.text("kv_dtype").value_or("");
  c.key.variant = fields.text("variant").value_or("");
  std::array<double, 7> r{};
  if (read_list(fields, "roofline", r, r.size(), r.size())) {
    c.roofline = {r[0], r[1], r[2], r[3] * 1e-6, r[4], r[5], r[6]};
    if (!(r[0] > 0 && r[1] > 0 && r[2] > 0 && r[3] >= 0 && r[4] >= 0 && r[5] >= 0 && r[6] > 0))
      fields.problem("roofline", "shares and knee must be positive, the rest not negative");
  }
  if (const io::Value* axes = fields.get("axes");
      axes != nullptr && axes->is_array() && axes->array().size() <= kCurveAxes) {
    std::size_t a = 0;
    for (const io::Value& axis : axes->array()) {
      if (!axis.is_array()) {
        fields.problem("axes", "expected lists of numbers");
        break;
      }
      for (const io::Value& x : axis.array()) {
        if (!x.is_number() || (!c.grid.knots[a].empty() &&
                               static_cast<float>(x.number()) <= c.grid.knots[a].back())) {
          fields.problem("axes", "knots must be ascending numbers");
          break;
        }
        c.grid.knots[a].push_back(static_cast<float>(x.number()));
      }
      ++a;
    }
  } else {
    fields.problem("axes", fmt::format("expected at most {} lists of numbers", kCurveAxes));
  }
  c.grid.step = static_cast<float>(fields.number("step", 0, 10).value_or(0.01));
  const auto cells = decode(fields.text("cells").value_or(""));
  if (!cells) {
    fields.problem("cells", "not base64");
  } else if (!cells->empty() && cells->size() != c.grid.size()) {
    fields.problem("cells",
                   fmt::format("{} cells where the axes have {}", cells->size(), c.grid.size()));
  } else {
    c.grid.cells = *cells;
  }
  c.rows = static_cast<std::uint32_t>(fields.number("rows", 0, kMost).value_or(0));
  c.rejected = static_cast<std::uint32_t>(fields.number("rejected", 0, kMost).value_or(0));
  read_residuals(fields, "point_left_out", problems, c.by_point, c.median_point, c.p90_point);
  read_residuals(fields, "site_left_out", problems, c.by_site, c.median_site, c.p90_site);
  c.source = fields.text("source").value_or("");
  if (const auto text = fields.text("date")) {
    if (const auto date = parse_date(*text))
      c.date = *date;
    else
      fields.problem("date", date.error().message);
  }
  return c;
}

// Quantiles 10 and 90 % of ln(measured / predicted) when the accelerator, or its backend, is left
// out of the profile: developer program portolan_transfer over the published tables, 2026-08.
struct TransferBand {
  std::string_view op;
  double low, high;
};
constexpr std::array kTransferBands = {
    TransferBand{"gemm", -0.19, 0.22}, TransferBand{"", -0.45, 0.45},  // any other
};
constexpr double kSiblingLow = -0.60, kSiblingHigh = 0.23, kSiblingHighOther = 0.55;
// Beyond the knots a curve keeps its last value.
constexpr double kOutside = 0.15;

const TransferBand& transfer_band(std::string_view op) {
  for (const TransferBand& band : kTransferBands)
    if (band.op == op) return band;
  return kTransferBands.back();
}

/// How unlike two types of a kernel table are, in units of a donor's rank: a type of the same
/// accelerator comes before the same type of a relative (10 and more).
double type_distance(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  // 16-bit; weights alone stored small; input quantised inside the call.
  const auto kind = [](std::string_view name) {
    if (name == "bfloat16" || name == "float16" || name == "half") return 0;
    return name.ends_with("_wo") || name.starts_with("w4a16") ? 1 : 2;
  };
  const int steps = std::abs(kind(a) - kind(b));
  return steps == 0 ? 2.0 : 2.0 + 2.0 * steps;
}

/// How unlike two variants are: sum of |log2| of the ratios of their numbers; 8 where words differ.
double variant_distance(std::string_view a, std::string_view b) {
  double sum = 0;
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](std::string_view text, std::size_t& at) {
    double x = 0;
    for (; at < text.size() && digit(text[at]); ++at) x = 10 * x + (text[at] - '0');
    return x;
  };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const double x = number(a, i), y = number(b, j);
      sum += std::abs(std::log2((x + 1) / (y + 1)));
    } else if (a[i++] != b[j++]) {
      return 8;
    }
  }
  return i < a.size() || j < b.size() ? 8 : sum;
}

bool is_hbm(const hardware::Accelerator& a) {
  return a.memory_type.empty() || a.memory_type.find("HBM") != std::string::npos;
}

/// Distance between architectures whose kernels are written alike; negative = not related.
int architecture_distance(std::string_view from, std::string_view to) {
  if (from == to) return 0;
  static constexpr std::array kLine = {"volta",  "turing",    "ampere",         "ada",
                                       "hopper", "blackwell", "blackwell-ultra"};
  const auto place = [](std::string_view name) {
    for (std::size_t i = 0; i < kLine.size(); ++i)
      if (kLine[i] == name) return static_cast<int>(i);
    return -1;
  };
  const int a = place(from), b = place(to);
  return a < 0 || b < 0 ? -1 : std::abs(a - b);
}

// A product's own floor is 2 to 15 us; one of more than 40 is a host that launches it.
constexpr double kLaunchedFloor = 40e-6, kCapturedShare = 0.25;

}  // namespace

bool newer_version(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      std::uint64_t x = 0, y = 0;
      for (; i < a.size() && digit(a[i]); ++i) x = x * 10 + static_cast<std::uint64_t>(a[i] - '0');
      for (; j < b.size() && digit(b[j]); ++j) y = y * 10 + static_cast<std::uint64_t>(b[j] - '0');
      if (x != y) return x > y;
    } else {
      if (a[i] != b[j]) return a[i] > b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i > b.size() - j;
}

Chip chip_of(const hardware::Accelerator& accelerator) {
  using hardware::Rate;
  Chip chip;
  const auto peak = [&](Rate rate) {
    const auto p = accelerator.peak_of(rate);
    return p ? p->raw() : 0.0;
  };
  const auto set = [&](model::Compute compute, double rate) {
    chip.peak[static_cast<std::size_t>(compute)] = rate;
  };
  set(model::Compute::kBf16, peak(Rate::kBf16) > 0 ? peak(Rate::kBf16) : peak(Rate::kFp16));
  set(model::Compute::kFp32, peak(Rate::kFp32));
  set(model::Compute::kTf32, peak(Rate::kTf32));
  set(model::Compute::kFp8, peak(Rate::kFp8));
  set(model::Compute::kFp4, peak(Rate::kFp4));
  set(model::Compute::kInt8, peak(Rate::kInt8));
  chip.bandwidth = accelerator.bandwidth.raw();
  chip.multiprocessors =
      accelerator.multiprocessors ? static_cast<double>(*accelerator.multiprocessors) : 0.0;
  if (accelerator.link_per_direction)
    chip.link = accelerator.link_per_direction->raw();
  else if (accelerator.pcie_per_direction)
    chip.link = accelerator.pcie_per_direction->raw();
  return chip;
}

Result<Profile> Profile::parse(std::string_view text, const std::string& file) {
  Profile profile;
  std::vector<Curve> curves;
  std::size_t line = 0;
  while (!text.empty()) {
    ++line;
    const std::size_t end = text.find('\n');
    const std::string_view one = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (one.empty()) continue;
    const std::string place = fmt::format("{}:{}", file, line);
    const io::Value value = PORTOLAN_TRY(io::parse_json(one, place, io::DuplicateKeys::kRefuse));
    io::Problems problems{.file = place, .errors = {}};
    io::Fields fields(value, "", problems);
    const std::string kind = fields.text("kind").value_or("");
    if (kind == "curve")
      curves.push_back(read_curve(fields, problems));
    else
      fields.problem("kind", fmt::format("unknown kind \"{}\"; expected \"curve\"", kind));
    fields.finish();
    if (!problems.errors.empty()) return fail(problems.errors.front());
  }
  std::stable_sort(curves.begin(), curves.end(),
                   [](const Curve& a, const Curve& b) { return a.key < b.key; });
  for (Curve& c : curves) {
    if (!profile.curves_.empty() && profile.curves_.back().key == c.key)
      profile.curves_.back() = std::move(c);
    else
      profile.curves_.push_back(std::move(c));
  }
  return profile;
}

std::string Profile::write() const {
  std::string text;
  for (const Curve& c : curves_) {
    text += io::write_json(to_value(c), false);
    text += '\n';
  }
  return text;
}

void Profile::add(Curve curve) {
  const auto at = std::lower_bound(curves_.begin(), curves_.end(), curve.key,
                                   [](const Curve& c, const CurveKey& k) { return c.key < k; });
  if (at != curves_.end() && at->key == curve.key)
    *at = std::move(curve);
  else
    curves_.insert(at, std::move(curve));
}

void Profile::add(const Profile& other) {
  for (const Curve& c : other.curves_) add(c);
}

KernelSet::KernelSet(const Profile& profile, const hardware::Accelerators* all,
                     const hardware::Accelerator& accelerator, std::string_view backend,
                     std::string_view version)
    : backend_(backend) {
  // Rank of a donor: own part first, then architecture, memory kind, balance of compute and
  // bandwidth.
  const auto balance = [](const hardware::Accelerator& a) {
    const Chip chip = chip_of(a);
    return chip.bandwidth > 0
               ? chip.peak[static_cast<std::size_t>(model::Compute::kBf16)] / chip.bandwidth
               : 0.0;
  };
  std::string_view last;
  double distance = -1;
  for (const Curve& curve : profile.curves()) {
    if (curve.key.accelerator != last) {
      last = curve.key.accelerator;
      distance = -1;
      if (last == accelerator.id) {
        distance = 0;
      } else if (const auto* donor = all == nullptr ? nullptr : all->by_id(last)) {
        const int steps = architecture_distance(accelerator.architecture, donor->architecture);
        if (steps >= 0) {
          const double own = balance(accelerator), other = balance(*donor);
          distance = 10.0 + 10.0 * steps + (is_hbm(accelerator) == is_hbm(*donor) ? 0.0 : 25.0) +
                     (own > 0 && other > 0 ? std::min(5.0, std::abs(std::log(own / other))) : 5.0);
        }
      }
    }
    if (distance < 0) continue;
    double rank = distance;
    Tier tier = distance > 0 ? Tier::kTransferred : Tier::kMeasured;
    if (curve.key.backend != backend) {
      // Collectives are measured per library, not per engine; that is no step away.
      // Small types of another engine run in other kernels (35 % off where the same engine on the
      // next chip of the architecture is 4 to 8 % off); 16-bit products do not (5 to 6 %).
      const bool own_kernels =
          curve.key.op == "gemm" && type_distance(curve.key.dtype, "bfloat16") > 2;
      rank += curve.key.op == "nccl" || curve.key.op == "oneccl" ? 0.01 : own_kernels ? 16.0 : 6.0;
      if (distance <= 0 && rank > 1) tier = Tier::kSibling;
    } else if (!version.empty() && curve.key.version != version) {
      rank += 0.1;
      if (distance <= 0) tier = Tier::kSibling;
    }
    found_.push_back({&curve, tier, rank, &curve, nullptr});
  }
  const auto name = [](const Entry& e) {
    const CurveKey& k = e.curve->key;
    return std::tie(k.op, k.dtype, k.variant, k.kv_dtype);
  };
  std::stable_sort(found_.begin(), found_.end(), [&](const Entry& a, const Entry& b) {
    if (name(a) != name(b)) return name(a) < name(b);
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.curve->key.version != b.curve->key.version)
      return newer_version(a.curve->key.version, b.curve->key.version);
    return a.curve->key < b.curve->key;
  });
  for (std::size_t i = 0, best = 0; i < found_.size(); ++i) {
    if (i == 0 || name(found_[i]) != name(found_[best])) best = i;
    const Curve &own = *found_[best].curve, &other = *found_[i].curve;
    if (i == best || other.key.accelerator != own.key.accelerator ||
        other.key.backend == own.key.backend)
      continue;
    found_[best].rival = &other;
    const bool launched = own.roofline.floor > kLaunchedFloor &&
                          other.roofline.floor < kCapturedShare * own.roofline.floor;
    const bool foreign = own.key.backend != backend && other.roofline.floor < own.roofline.floor;
    if (own.key.op != "moe" && (launched || foreign)) found_[best].captured = &other;
  }
  found_.erase(std::unique(found_.begin(), found_.end(),
                           [&](const Entry& a, const Entry& b) { return name(a) == name(b); }),
               found_.end());
}

Chosen KernelSet::find(std::string_view op, std::string_view dtype, std::string_view variant,
                       std::string_view kv_dtype) const {
  const auto key = std::tie(op, dtype, variant);
  auto at = std::lower_bound(found_.begin(), found_.end(), key, [](const Entry& e, const auto& k) {
    const CurveKey& c = e.curve->key;
    return std::tuple<std::string_view, std::string_view, std::string_view>(c.op, c.dtype,
                                                                            c.variant) < k;
  });
  Chosen best;
  for (; at != found_.end(); ++at) {
    const CurveKey& c = at->curve->key;
    if (c.op != op || c.dtype != dtype || c.variant != variant) break;
    if (c.kv_dtype == kv_dtype) return {at->curve, at->tier, at->captured, at->rival};
    if (best.curve == nullptr) best = {at->curve, at->tier, at->captured, at->rival};
  }
  if (best.curve == nullptr && op == "gemm")
    return best_of(op, [&](const CurveKey& c) {
      return c.variant == variant ? type_distance(c.dtype, dtype) : -1.0;
    });
  return best;
}

template <class Penalty>
Chosen KernelSet::best_of(std::string_view op, const Penalty& penalty) const {
  const auto first = std::lower_bound(
      found_.begin(), found_.end(), op,
      [](const Entry& e, std::string_view name) { return e.curve->key.op < name; });
  Chosen best;
  double least = 0;
  for (auto at = first; at != found_.end() && at->curve->key.op == op; ++at) {
    const double extra = penalty(at->curve->key);
    if (extra < 0 || (best.curve != nullptr && at->rank + extra >= least)) continue;
    least = at->rank + extra;
    best = {at->curve, std::max(at->tier, Tier::kTransferred), at->captured, at->rival};
  }
  return best;
}

Chosen KernelSet::nearest(std::string_view op, std::string_view dtype, std::string_view variant,
                          std::string_view kv_dtype) const {
  const Chosen found = find(op, dtype, variant, kv_dtype);
  if (found.curve != nullptr) return found;
  return best_of(op, [&](const CurveKey& c) {
    return type_distance(c.dtype, dtype) + 4.0 * variant_distance(c.variant, variant) +
           (c.kv_dtype == kv_dtype ? 0.0 : 1.0);
  });
}

Interval transfer_interval(std::string_view op) {
  const TransferBand& band = transfer_band(op);
  return {std::exp(band.low), std::exp(band.high)};
}

Interval interval_of(const Chosen& chosen, const Call& call) {
  if (chosen.curve == nullptr) {
    const ErrorBand band = error_band(Tier::kDatasheet);
    return {band.low, band.high};
  }
  double low = 0, high = 0;
  if (chosen.tier >= Tier::kTransferred) {
    const TransferBand& band = transfer_band(chosen.curve->key.op);
    low = band.low;
    high = band.high;
  } else {
    const Residuals& r =
        chosen.tier == Tier::kMeasured ? chosen.curve->by_point : chosen.curve->by_site;
    low = static_cast<double>(r.at[1]);
    high = static_cast<double>(r.at[5]);
    if (chosen.tier == Tier::kSibling) {
      low = std::min(low, kSiblingLow);
      high = std::max(high, chosen.curve->key.op == "gemm" ? kSiblingHigh : kSiblingHighOther);
    }
  }
  if (!chosen.curve->grid.covers(call.at)) {
    low -= kOutside;
    high += kOutside;
  }
  return {std::exp(low), std::exp(high)};
}

}  // namespace portolan::cost
