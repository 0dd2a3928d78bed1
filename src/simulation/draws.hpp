// Random lengths, gaps and rates over time, for the files of this room that generate requests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {

/// A Lengths ready to be drawn from.
class Sampler {
 public:
  Sampler() = default;
  explicit Sampler(const Lengths& lengths);
  [[nodiscard]] std::int64_t draw(const RandomStream& stream, std::uint64_t index) const;

 private:
  Lengths::Kind kind_ = Lengths::Kind::kConstant;
  std::int64_t low_ = 1, high_ = 1;
  double mean_ = 1, mu_ = 0, sigma_ = 0;
  std::vector<double> cumulative_;
  std::vector<std::int64_t> values_;
};
/// Usage errors name the value; `what` is whose lengths they are.
Result<void> check_lengths(const Lengths& lengths, const std::string& what);

/// Gaps between arrivals, of mean 1.
class Gaps {
 public:
  enum class Law : std::uint8_t { kExponential, kGamma, kWeibull, kConstant };
  Gaps() = default;
  Gaps(Law law, double cv);
  [[nodiscard]] double draw(const RandomStream& stream, std::uint64_t index) const;

 private:
  Law law_ = Law::kExponential;
  double shape_ = 1, scale_ = 1;
};
inline constexpr double kMostCv = 100;

/// A rate over time: `rate` times all the shapes.
class RateCurve {
 public:
  RateCurve() = default;
  RateCurve(double rate, std::vector<RateShape> shapes);
  /// The time after `from` up to which the integral of the rate is `amount`; nullopt when it does
  /// not get there within the longest simulated time. Between breaks the rate is taken as linear
  /// over pieces of at most a minute.
  [[nodiscard]] std::optional<double> after(double from, double amount) const;

  /// The rate just after `time`.
  [[nodiscard]] double at(double time) const { return std::max(at(time, time), 0.0); }

 private:
  [[nodiscard]] double at(double time, double inside) const;
  [[nodiscard]] double piece_end(double from) const;
  double rate_ = 1;
  std::vector<RateShape> shapes_;
  std::vector<double> profile_means_;
  bool smooth_ = false;
};
Result<void> check_shape(const RateShape& shape);

}  // namespace portolan::simulation
