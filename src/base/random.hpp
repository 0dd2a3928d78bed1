// Counter-based random numbers: each draw is a pure function of (seed, purpose, entity, index), so
// that adding an entity never shifts another one's draws and order of evaluation does not matter.
#pragma once

#include <cmath>
#include <cstdint>

namespace portolan {

/// 64 well-mixed bits for a position in a stream. The finaliser is that of SplitMix64 (Steele, Lea,
/// Flood 2014), chained over the parts of the key.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// One stream of draws. `purpose` tells streams of one entity apart (arrivals, lengths, routing …).
class RandomStream {
 public:
  constexpr RandomStream(std::uint64_t seed, std::uint64_t purpose, std::uint64_t entity = 0)
      : key_(mix_bits(mix_bits(mix_bits(seed) ^ purpose) ^ entity)) {}

  [[nodiscard]] constexpr std::uint64_t bits(std::uint64_t index) const {
    return mix_bits(key_ ^ mix_bits(index));
  }
  /// Uniform in the open interval (0, 1).
  [[nodiscard]] constexpr double uniform(std::uint64_t index) const {
    return (static_cast<double>(bits(index) >> 11) + 0.5) * 0x1p-53;
  }
  /// Exponential with mean 1.
  [[nodiscard]] double exponential(std::uint64_t index) const { return -std::log(uniform(index)); }
  /// Standard normal (Box–Muller); takes two draws of its own at `index`.
  [[nodiscard]] double normal(std::uint64_t index) const {
    constexpr double kTwoPi = 6.283185307179586;
    return std::sqrt(2.0 * exponential(2 * index)) * std::cos(kTwoPi * uniform(2 * index + 1));
  }
  /// Uniform in [0, count); count > 0.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t index, std::uint64_t count) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * count) >> 64);
  }

 private:
  std::uint64_t key_;
};

}  // namespace portolan
