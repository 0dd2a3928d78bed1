// Compiling is the test: units that do not belong together do not combine.
#include <concepts>
#include <type_traits>

#include "base/quantity.hpp"

namespace portolan {
namespace {

template <class A, class B>
concept Addable = requires(A a, B b) { a + b; };
template <class A, class B>
concept Subtractable = requires(A a, B b) { a - b; };
template <class A, class B>
concept Comparable = requires(A a, B b) { a < b; };
template <class A, class B>
concept Equatable = requires(A a, B b) { a == b; };
template <class A, class B>
concept Assignable = requires(A a, B b) { a = b; };
template <class A, class B>
concept Accumulable = requires(A a, B b) { a += b; };
template <class A>
concept ShiftableByNumber = requires(A a) { a + 1.0; };

static_assert(Addable<Usd, Usd>);
static_assert(!Addable<Usd, Seconds>);
static_assert(!Addable<Flop, FlopPerSecond>);
static_assert(!Addable<Bytes, Tokens>);
static_assert(!Addable<Usd, UsdRate>);
static_assert(!Subtractable<Joules, Watts>);
static_assert(!Comparable<Tokens, TokensPerSecond>);
static_assert(!Equatable<Bytes, BytesPerSecond>);
static_assert(!Accumulable<Seconds, Usd>);
static_assert(!Assignable<Flop, FlopPerSecond>);
static_assert(!ShiftableByNumber<Usd>);

static_assert(!std::is_convertible_v<double, Usd>);
static_assert(!std::is_convertible_v<Usd, double>);
static_assert(!std::is_convertible_v<Usd, UsdRate>);
static_assert(!std::is_constructible_v<Usd, UsdRate>);
static_assert(std::is_constructible_v<Usd, double>);
static_assert(!std::is_constructible_v<double, Usd>);

template <class A, class B>
using Quotient = decltype(A{} / B{});
template <class A, class B>
using Product = decltype(A{} * B{});

static_assert(std::same_as<Quotient<Flop, FlopPerSecond>, Seconds>);
static_assert(std::same_as<Quotient<Bytes, BytesPerSecond>, Seconds>);
static_assert(std::same_as<Quotient<Flop, Seconds>, FlopPerSecond>);
static_assert(std::same_as<Quotient<Usd, Usd>, double>);
static_assert(std::same_as<Quotient<Usd, Tokens>, UsdPerToken>);
static_assert(std::same_as<Quotient<UsdRate, TokensPerSecond>, UsdPerToken>);
static_assert(std::same_as<Product<Watts, Seconds>, Joules>);
static_assert(std::same_as<Product<UsdRate, Seconds>, Usd>);
static_assert(std::same_as<Product<TokensPerSecond, Seconds>, Tokens>);
static_assert(std::same_as<Product<Usd, double>, Usd>);

static_assert(kHour.in(kMinute) == 60.0);
static_assert(kYear.in(kHour) == 8766.0);
static_assert(kMonth.in(kHour) == 730.5);
static_assert(kYear / kMonth == 12.0);
static_assert(kGiB / kMiB == 1024.0);
static_assert(kGB.raw() == 1e9);
static_assert((2.0 * kUsdPerHour * (3.0 * kHour)).in(kUsd) == 6.0);
static_assert(sizeof(Usd) == sizeof(double));

}  // namespace
}  // namespace portolan
