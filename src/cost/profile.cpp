#include "cost/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <type_traits>

#include "io/fields.hpp"
#include "io/text_formats.hpp"

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

constexpr std::array<HostTime, 10> kHostTimes = {{
    {"per_step", &Engine::per_step},
    {"per_layer", &Engine::per_layer},
    {"per_request", &Engine::per_request},
    {"per_prefill_token", &Engine::per_prefill_token},
    {"per_prefill_step", &Engine::per_prefill_step},
    {"front_end", &Engine::front_end},
    {"fan_out", &Engine::fan_out},
    {"per_prompt_token", &Engine::per_prompt_token},
    {"after_decode", &Engine::after_decode},
    {"per_output_token", &Engine::per_output_token},
}};

io::Value to_value(const Engine& e) {
  io::Value v, times;
  v.set("kind", "engine");
  v.set("engine", e.engine);
  for (const HostTime& t : kHostTimes)
    times.set(std::string(t.name), rounded((e.*t.field).raw() * 1e6, 4));
  v.set("host_us", std::move(times));
  if (e.ttft_band.known())
    v.set("ttft_band", list(std::array{e.ttft_band.low, e.ttft_band.high}, 4));
  if (e.tpot_band.known())
    v.set("tpot_band", list(std::array{e.tpot_band.low, e.tpot_band.high}, 4));
  v.set("source", e.source);
  v.set("date", e.date);
  return v;
}

Engine read_engine(io::Fields& fields, io::Problems& problems) {
  Engine e;
  const std::string name = fields.require("engine") ? fields.text("engine").value_or("") : "";
  const Engine* base = known_engine({}, name);
  if (base == nullptr) {
    fields.problem("engine", fmt::format("\"{}\" is no engine with a version", name),
                   "such as vllm-0.19, sglang-0.5 or trtllm-1.0");
  } else {
    e = *base;
    e.engine = name;
  }
  if (const io::Value* times = fields.get("host_us"); times != nullptr) {
    io::Fields inner(*times, fields.pointer("host_us"), problems);
    for (const HostTime& t : kHostTimes) {
      if (const auto us = inner.number(t.name, 0, 60e6)) e.*t.field = Seconds(*us * 1e-6);
    }
    inner.finish();
  } else {
    fields.problem("host_us", "missing key", "the times of the engine in microseconds");
  }
  const auto band = [&](std::string_view key, Band& into) {
    into = {};
    std::array<double, 2> ends{};
    if (fields.get(key) == nullptr || !read_list(fields, key, ends, 2, 2)) return;
    if (!(ends[0] > 0 && ends[0] <= ends[1] && ends[1] < 1e6))
      fields.problem(key, "expected two positive factors, the lower first");
    into = {.low = ends[0], .high = ends[1]};
  };
  band("ttft_band", e.ttft_band);
  band("tpot_band", e.tpot_band);
  e.source = fields.text("source").value_or("");
  e.date = fields.text("date").value_or("");
  if (!e.date.empty()) {
    if (const auto date = parse_date(e.date); !date) fields.problem("date", date.error().message);
  }
  return e;
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

}  // namespace

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
    std::optional<Engine> engine;
    if (kind == "curve")
      curves.push_back(read_curve(fields, problems));
    else if (kind == "engine")
      engine = read_engine(fields, problems);
    else
      fields.problem("kind",
                     fmt::format("unknown kind \"{}\"; expected \"curve\" or \"engine\"", kind));
    fields.finish();
    if (!problems.errors.empty()) return fail(problems.errors.front());
    if (engine) profile.add(*std::move(engine));
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
  for (const Engine& e : engines_) {
    text += io::write_json(to_value(e), false);
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

void Profile::add(Engine engine) {
  const auto at =
      std::lower_bound(engines_.begin(), engines_.end(), engine.engine,
                       [](const Engine& e, const std::string& n) { return e.engine < n; });
  if (at != engines_.end() && at->engine == engine.engine)
    *at = std::move(engine);
  else
    engines_.insert(at, std::move(engine));
}

void Profile::add(const Profile& other) {
  for (const Curve& c : other.curves_) add(c);
  for (const Engine& e : other.engines_) add(e);
}

void Profile::lay_over(const Profile& own) {
  const auto name = [](const CurveKey& k) {
    return std::tie(k.accelerator, k.backend, k.op, k.dtype, k.kv_dtype, k.variant);
  };
  std::erase_if(curves_, [&](const Curve& here) {
    return std::any_of(own.curves_.begin(), own.curves_.end(),
                       [&](const Curve& c) { return name(c.key) == name(here.key); });
  });
  add(own);
}

const Engine& Profile::default_engine() const {
  const Engine* newest = nullptr;
  for (const Engine& e : engines_) {
    if (e.family == EngineFamily::kVllm && e.vendor.empty() &&
        (newest == nullptr || engine_version(e.engine) > engine_version(newest->engine)))
      newest = &e;
  }
  return newest != nullptr ? *newest : cost::default_engine();
}

const Engine& serving_engine(const KernelSource& source) {
  return source.profile != nullptr ? source.profile->default_engine() : default_engine();
}

std::span<const HostTime> host_times() { return kHostTimes; }

}  // namespace portolan::cost
