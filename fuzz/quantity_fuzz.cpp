// The small grammars of flags and job files: a refusal has a hint or a reason, and what is accepted
// prints as text that is accepted again.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/date.hpp"
#include "base/money.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"
#include "contract.hpp"

using namespace portolan;

namespace {

template <class T>
bool accepted(const Result<T>& result) {
  if (!result) fuzz::check_refusal(result.error(), false);
  return result.has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Bytes> bytes = parse_bytes(text);
  if (accepted(bytes)) {
    const std::string printed = bytes_text(*bytes);
    const Result<Bytes> again = parse_bytes(printed);
    fuzz::require(again.has_value(), "bytes print as " + printed);
    fuzz::require(bytes_text(*again) == printed, "bytes print differently: " + printed);
  }
  const Result<Seconds> duration = parse_duration(text);
  if (accepted(duration)) {
    const std::string printed = duration_text(*duration);
    const Result<Seconds> again = parse_duration(printed);
    fuzz::require(again.has_value(), "a duration prints as " + printed);
    fuzz::require(std::fabs(again->raw() - duration->raw()) <= 1e-3 * duration->raw() + 1e-12,
                  "a duration prints as another: " + printed);
  }
  const Result<double> count = parse_count(text);
  if (accepted(count)) {
    fuzz::require(parse_count(shortest(*count)) == *count, "a count prints as another");
  }
  const Result<double> share = parse_share(text);
  if (accepted(share)) fuzz::require(*share >= 0 && *share <= 1, "a share outside 0 to 1");
  const Result<Money> money = Money::parse(text);
  if (accepted(money)) {
    fuzz::require(Money::parse(money->text()) == *money, "an amount prints as another");
  }
  const Result<Date> date = parse_date(text);
  if (accepted(date)) {
    fuzz::require(parse_date(date->text()) == *date, "a date prints as another");
  }
  const Result<DateInterval> interval = parse_date_interval(text);
  if (accepted(interval) && interval->earliest) {
    fuzz::require(*interval->earliest <= *interval->latest, "an interval runs backwards");
  }
  accepted(parse_requests_per_second(text));
  accepted(parse_usd_rate(text));
  accepted(parse_usd(text));
  accepted(parse_count_range(text));
  fuzz::require(printable(printable(text)) == printable(text), "printable text is not printable");
  return 0;
}
