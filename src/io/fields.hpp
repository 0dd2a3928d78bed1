// Reading the members of a document object field by field, collecting every problem with its place
// instead of stopping at the first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "io/value.hpp"

namespace portolan::io {

/// The problems of one document, in file order.
struct Problems {
  std::string file;  // named in places; "" for requests from a program
  std::vector<Error> errors;
  void add(const Value& at, const std::string& pointer, std::string message, std::string hint = {},
           ErrorCode code = ErrorCode::kInvalidInput);
};

/// A cursor over one object. Each getter returns nullopt when the key is absent, null or wrong
/// (then a problem was added). `finish()` reports unknown keys with the nearest known name.
class Fields {
 public:
  /// `value` must outlive the cursor. A value that is not an object is a problem.
  Fields(const Value& value, std::string pointer, Problems& problems);

  const Value* get(
      std::string_view key);  // raw, marks the key as known; nullptr when absent or null
  std::optional<std::string> text(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<double> number(std::string_view key, double minimum, double maximum);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t minimum,
                                      std::int64_t maximum);
  std::optional<double> count(std::string_view key);  // "4M", 1e12: >= 0
  std::optional<Bytes> bytes(std::string_view key);   // "80GB"; a bare number is bytes
  std::optional<Seconds> duration(
      std::string_view key);  // "300ms"; a bare number is an error that says so
  std::optional<double> share(std::string_view key);                    // "30%", 0.3 -> [0,1]
  std::optional<UsdRate> usd_per_hour(std::string_view key);            // 2.5, "$2.5/h"
  std::optional<std::vector<std::string>> texts(std::string_view key);  // a list or a single scalar
  /// A required key that is absent adds "missing key".
  bool require(std::string_view key);
  [[nodiscard]] std::string pointer(std::string_view key) const;
  [[nodiscard]] const Value& value() const { return value_; }
  void problem(std::string_view key, std::string message, std::string hint = {});
  void finish();

 private:
  template <class T, class Parse>
  std::optional<T> quantity(std::string_view key, std::string_view expected, Parse parse);

  const Value& value_;
  std::string pointer_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace portolan::io
