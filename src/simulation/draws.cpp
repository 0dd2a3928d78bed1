#include "simulation/draws.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

constexpr double kEnd = 8'640'000;  // 100 days
constexpr double kPiece = 60;       // seconds over which a smooth rate is taken as linear
constexpr double kMostRate = 1e9;   // requests per second: keeps sums of growth finite

std::int64_t to_tokens(double value, std::int64_t low, std::int64_t high) {
  if (!(value < static_cast<double>(high))) return high;
  return std::max(low, static_cast<std::int64_t>(std::llround(value)));
}

std::unexpected<Error> bad(const std::string& what, double value, const char* why) {
  return fail(ErrorCode::kUsage, what + " is " + shortest(value) + ", not " + why);
}

// Marsaglia and Tsang (2000); below shape 1 with the power of a uniform draw.
double gamma_draw(double shape, const RandomStream& stream, std::uint64_t index) {
  constexpr std::uint64_t kPerDraw = 64;
  const std::uint64_t base = index * kPerDraw;
  double factor = 1;
  if (shape < 1) {
    factor = std::pow(stream.uniform(base), 1 / shape);
    shape += 1;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  // Each try is kept with a chance of more than 0.95.
  for (std::uint64_t i = 1; i + 2 < kPerDraw; i += 3) {
    const double radius = std::sqrt(2 * stream.exponential(base + i));
    const double x = radius * std::cos(2 * std::numbers::pi * stream.uniform(base + i + 1));
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 &&
        std::log(stream.uniform(base + i + 2)) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return factor * d * v;
    }
  }
  return factor * d;
}

// The shape whose coefficient of variation is `cv`: it falls as the shape grows.
double weibull_shape(double cv) {
  double low = 0.05, high = 1000;
  for (int i = 0; i < 200; ++i) {
    const double k = std::sqrt(low * high);
    const double square = std::expm1(std::lgamma(1 + 2 / k) - 2 * std::lgamma(1 + 1 / k));
    (square > cv * cv ? low : high) = k;
  }
  return std::sqrt(low * high);
}

// Position in a repeating pattern, from 0 to below 1.
double phase(double time, double period) {
  const double turns = time / period;
  return turns - std::floor(turns);
}

}  // namespace

Sampler::Sampler(const Lengths& lengths) : kind_(lengths.kind), low_(1), high_(kMostTokens) {
  using Kind = Lengths::Kind;
  mean_ = lengths.mean;
  if (lengths.high > 1) {
    low_ = to_tokens(lengths.low, 1, kMostTokens);
    high_ = to_tokens(lengths.high, low_, kMostTokens);
  }
  if (kind_ == Kind::kLogNormal) {
    sigma_ = std::sqrt(std::log1p(lengths.cv * lengths.cv));
    mu_ = std::log(mean_) - sigma_ * sigma_ / 2;
  }
  double sum = 0;
  for (const auto& [value, weight] : lengths.histogram) {
    sum += weight;
    cumulative_.push_back(sum);
    values_.push_back(to_tokens(value, 1, kMostTokens));
  }
}

std::int64_t Sampler::draw(const RandomStream& stream, std::uint64_t index) const {
  switch (kind_) {
    case Lengths::Kind::kConstant:
      return to_tokens(mean_, 1, kMostTokens);
    case Lengths::Kind::kUniform:
      return low_ + static_cast<std::int64_t>(
                        stream.below(index, static_cast<std::uint64_t>(high_ - low_ + 1)));
    case Lengths::Kind::kLogNormal:
      return to_tokens(std::exp(mu_ + sigma_ * stream.normal(index)), low_, high_);
    case Lengths::Kind::kGeometric:
      if (mean_ <= 1) return low_;
      return to_tokens(1 + std::floor(-stream.exponential(index) / std::log1p(-1 / mean_)), low_,
                       high_);
    case Lengths::Kind::kEmpirical: {
      const double at = stream.uniform(index) * cumulative_.back();
      const auto found = std::ranges::lower_bound(cumulative_, at);
      return values_[static_cast<std::size_t>(found - cumulative_.begin())];
    }
  }
  return 1;
}

Result<void> check_lengths(const Lengths& lengths, const std::string& what) {
  using Kind = Lengths::Kind;
  const auto most = static_cast<double>(kMostTokens);
  if (lengths.kind == Kind::kEmpirical) {
    double sum = 0;
    for (const auto& [value, weight] : lengths.histogram) {
      if (!(value >= 0.5 && value <= most)) {
        return bad("a length in the histogram of the " + what, value, "in 1 to 20,000,000");
      }
      if (!(weight >= 0 && weight <= 1e15)) {
        return bad("a weight in the histogram of the " + what, weight, "in 0 to 1e15");
      }
      sum += weight;
    }
    if (!(sum > 0)) return bad("the sum of the weights of the " + what, sum, "above 0");
    return {};
  }
  if (lengths.kind == Kind::kUniform || lengths.high > 1) {
    if (!(lengths.low >= 1 && lengths.low <= most)) {
      return bad("the least " + what, lengths.low, "in 1 to 20,000,000");
    }
    if (!(lengths.high >= lengths.low && lengths.high <= most)) {
      return bad("the most " + what, lengths.high, "between the least and 20,000,000");
    }
  }
  if (lengths.kind != Kind::kUniform && !(lengths.mean >= 0.5 && lengths.mean <= most)) {
    return bad("the mean " + what, lengths.mean, "in 1 to 20,000,000");
  }
  if (lengths.kind == Kind::kLogNormal && !(lengths.cv >= 0 && lengths.cv <= kMostCv)) {
    return bad("the coefficient of variation of the " + what, lengths.cv, "in 0 to 100");
  }
  return {};
}

Gaps::Gaps(Law law, double cv) : law_(law) {
  constexpr double kLeastCv = 0.002;  // below it nobody can tell
  if (law != Law::kExponential && cv < kLeastCv) law_ = Law::kConstant;
  if (law_ == Law::kGamma) {
    shape_ = 1 / (cv * cv);
    scale_ = cv * cv;
  } else if (law_ == Law::kWeibull) {
    shape_ = weibull_shape(cv);
    scale_ = std::exp(-std::lgamma(1 + 1 / shape_));
  }
}

double Gaps::draw(const RandomStream& stream, std::uint64_t index) const {
  switch (law_) {
    case Law::kExponential:
      return stream.exponential(index);
    case Law::kGamma:
      return scale_ * gamma_draw(shape_, stream, index);
    case Law::kWeibull:
      return scale_ * std::pow(stream.exponential(index), 1 / shape_);
    case Law::kConstant:
      return 1;
  }
  return 1;
}

RateCurve::RateCurve(double rate, std::vector<RateShape> shapes)
    : rate_(rate), shapes_(std::move(shapes)) {
  using Kind = RateShape::Kind;
  for (const RateShape& shape : shapes_) {
    const double sum = std::accumulate(shape.values.begin(), shape.values.end(), 0.0);
    profile_means_.push_back(shape.values.empty() ? 1
                                                  : sum / static_cast<double>(shape.values.size()));
    smooth_ = smooth_ || shape.kind == Kind::kSine || shape.kind == Kind::kRamp ||
              shape.kind == Kind::kGrowth;
  }
}

// `inside` lies in the piece that begins or ends at `time`, where the rate may jump.
double RateCurve::at(double time, double inside) const {
  double rate = rate_;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    const RateShape& shape = shapes_[i];
    switch (shape.kind) {
      case RateShape::Kind::kSine:
        rate *= 1 + shape.amplitude *
                        std::cos(2 * std::numbers::pi * phase(time - shape.at, shape.period));
        break;
      case RateShape::Kind::kProfile: {
        const auto count = static_cast<double>(shape.values.size());
        const auto step = static_cast<std::size_t>(count * phase(inside - shape.at, shape.period));
        rate *= shape.values[std::min(step, shape.values.size() - 1)] / profile_means_[i];
        break;
      }
      case RateShape::Kind::kStep:
        if (inside >= shape.at) rate *= shape.factor;
        break;
      case RateShape::Kind::kRamp: {
        const double part = std::clamp((time - shape.at) / shape.duration, 0.0, 1.0);
        rate *= 1 + (shape.factor - 1) * part;
        break;
      }
      case RateShape::Kind::kSpike:
        if (inside >= shape.at && inside < shape.at + shape.duration) rate *= shape.factor;
        break;
      case RateShape::Kind::kGrowth:
        rate *= std::pow(shape.factor, time / shape.period);
        break;
    }
  }
  return std::min(rate, kMostRate);
}

double RateCurve::piece_end(double from) const {
  double end = kEnd;
  const auto consider = [&](double time) {
    if (time > from) end = std::min(end, time);
  };
  if (smooth_) consider((std::floor(from / kPiece) + 1) * kPiece);
  for (const RateShape& shape : shapes_) {
    switch (shape.kind) {
      case RateShape::Kind::kProfile: {
        const double step = shape.period / static_cast<double>(shape.values.size());
        const double next = std::floor((from - shape.at) / step) + 1;
        consider(shape.at + next * step);
        consider(shape.at + (next + 1) * step);  // where rounding has put the first at `from`
        break;
      }
      case RateShape::Kind::kStep:
        consider(shape.at);
        break;
      case RateShape::Kind::kRamp:
      case RateShape::Kind::kSpike:
        consider(shape.at);
        consider(shape.at + shape.duration);
        break;
      case RateShape::Kind::kSine:
      case RateShape::Kind::kGrowth:
        break;
    }
  }
  return end;
}

std::optional<double> RateCurve::after(double from, double amount) const {
  if (shapes_.empty()) {
    const double time = from + amount / rate_;
    return time < kEnd ? std::optional(time) : std::nullopt;
  }
  while (from < kEnd) {
    const double end = piece_end(from), length = end - from, middle = from + length / 2;
    const double first = std::max(at(from, middle), 0.0), last = std::max(at(end, middle), 0.0);
    const double area = (first + last) / 2 * length;
    if (amount <= area && area > 0) {
      // first x + slope x² / 2 = amount, in the form that does not cancel.
      const double slope = (last - first) / length;
      const double root = std::sqrt(std::max(first * first + 2 * slope * amount, 0.0));
      const double time = from + std::min(2 * amount / (first + root), length);
      return time < kEnd ? std::optional(time) : std::nullopt;
    }
    amount -= area;
    from = end;
  }
  return std::nullopt;
}

Result<void> check_shape(const RateShape& shape) {
  using Kind = RateShape::Kind;
  const auto within = [](double value, double low, double high) {
    return value >= low && value <= high;
  };
  if (!within(shape.at, -kEnd, kEnd))
    return bad("the time of a change of rate", shape.at, "in 100 days");
  if (!within(shape.factor, 0, 1e6))
    return bad("a factor on the rate", shape.factor, "in 0 to 1,000,000");
  if (shape.kind == Kind::kGrowth && !(shape.factor > 0)) {
    return bad("a growth factor", shape.factor, "above 0");
  }
  if (!within(shape.amplitude, 0, 1)) return bad("an amplitude", shape.amplitude, "in 0 to 1");
  if (!within(shape.duration, 1e-3, kEnd)) {
    return bad("the duration of a change of rate", shape.duration, "in 0.001 to 8,640,000 s");
  }
  if (!within(shape.period, 1, 1e9)) return bad("a period", shape.period, "in 1 to 1e9 s");
  if (shape.kind == Kind::kProfile) {
    double sum = 0;
    for (const double value : shape.values) {
      if (!within(value, 0, 1e9)) return bad("a step of a profile", value, "in 0 to 1e9");
      sum += value;
    }
    if (!(sum > 0)) return bad("the sum of a profile", sum, "above 0");
    if (shape.period / static_cast<double>(shape.values.size()) < 1e-3) {
      return bad("the period of a profile", shape.period, "at least 0.001 s to a step");
    }
  }
  return {};
}

}  // namespace portolan::simulation
