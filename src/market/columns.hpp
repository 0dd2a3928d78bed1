// Columnar coding of plain structs: one description of a table both writes and reads it.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.hpp"
#include "base/money.hpp"
#include "base/quantity.hpp"

namespace portolan::market {

/// Writes columns: integers as variable-length bytes, texts as numbers in one dictionary.
class ColumnWriter {
 public:
  static constexpr bool kReads = false;

  void count(std::uint64_t value) { unsigned_integer(value); }
  void value(std::string& text) {
    const auto [at, fresh] = numbers_.try_emplace(text, numbers_.size());
    if (fresh) order_.push_back(&at->first);
    unsigned_integer(at->second);
  }
  void value(std::int64_t& number) {
    const auto bits = static_cast<std::uint64_t>(number);
    unsigned_integer(number < 0 ? ~(bits << 1) : bits << 1);
  }
  void value(int& number) {
    auto wide = std::int64_t{number};
    value(wide);
  }
  void value(bool& flag) { bytes_ += flag ? '\1' : '\0'; }
  void value(double& number) {
    auto bits = std::bit_cast<std::uint64_t>(number);
    for (int i = 0; i < 8; ++i, bits >>= 8) bytes_ += static_cast<char>(bits & 0xff);
  }
  void value(Money& money) {
    auto nano = money.nano();
    value(nano);
  }
  void value(Date& date) { value(date.days); }
  template <Dim D>
  void value(Quantity<D>& quantity) {
    double raw = quantity.raw();
    value(raw);
  }
  template <class T>
  void value(std::optional<T>& maybe) {
    bool known = maybe.has_value();
    value(known);
    if (known) value(*maybe);
  }
  [[nodiscard]] bool good() const { return true; }

  /// Dictionary, then columns.
  [[nodiscard]] std::string finish() const {
    ColumnWriter head;
    head.count(order_.size());
    std::string texts;
    for (const std::string* text : order_) {
      head.count(text->size());
      texts += *text;
    }
    return head.bytes_ + texts + bytes_;
  }

 private:
  void unsigned_integer(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
  std::map<std::string, std::uint64_t> numbers_;
  std::vector<const std::string*> order_;
};

/// Reads what ColumnWriter wrote. After damage `good()` is false and every value is a default.
class ColumnReader {
 public:
  static constexpr bool kReads = true;

  explicit ColumnReader(std::string_view bytes) : rest_(bytes) {
    std::vector<std::uint64_t> sizes(count());
    for (std::uint64_t& size : sizes) size = unsigned_integer();
    for (const std::uint64_t size : sizes) {
      if (size > rest_.size()) {
        fail();
        break;
      }
      texts_.push_back(rest_.substr(0, size));
      rest_.remove_prefix(size);
    }
  }

  /// A number of things that follow; each takes at least one byte.
  std::uint64_t count() {
    const std::uint64_t value = unsigned_integer();
    if (value > rest_.size()) {
      fail();
      return 0;
    }
    return value;
  }
  void value(std::string& text) {
    const std::uint64_t number = unsigned_integer();
    if (number >= texts_.size()) return fail();
    text = texts_[number];
  }
  void value(std::int64_t& number) {
    const std::uint64_t bits = unsigned_integer();
    number = static_cast<std::int64_t>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
  }
  void value(int& number) {
    std::int64_t wide = 0;
    value(wide);
    number = static_cast<int>(wide);
  }
  void value(bool& flag) { flag = byte() != 0; }
  void value(double& number) {
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits |= std::uint64_t{byte()} << (8 * i);
    number = std::bit_cast<double>(bits);
  }
  void value(Money& money) {
    std::int64_t nano = 0;
    value(nano);
    money = Money::from_nano(nano);
  }
  void value(Date& date) { value(date.days); }
  template <Dim D>
  void value(Quantity<D>& quantity) {
    double raw = 0;
    value(raw);
    quantity = Quantity<D>(raw);
  }
  template <class T>
  void value(std::optional<T>& maybe) {
    bool known = false;
    value(known);
    maybe.reset();
    if (known) value(maybe.emplace());
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return good_ && rest_.empty(); }
  void fail() {
    good_ = false;
    rest_ = {};
  }

 private:
  std::uint8_t byte() {
    if (rest_.empty()) {
      fail();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t unsigned_integer() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= std::uint64_t{next & 0x7fu} << shift;
      if ((next & 0x80) == 0) break;
    }
    return value;
  }

  std::string_view rest_;
  std::vector<std::string_view> texts_;
  bool good_ = true;
};

/// The number of rows, which a reader also applies.
template <class Archive, class Row>
void table_size(Archive& archive, std::vector<Row>& rows) {
  if constexpr (Archive::kReads) {
    rows.clear();
    rows.resize(archive.count());
  } else {
    archive.count(rows.size());
  }
}

/// Columns of a table one after another: columns(archive, rows, &Row::a, &Row::b, …).
template <class Archive, class Row, class... Members>
void columns(Archive& archive, std::vector<Row>& rows, Members... members) {
  const auto column = [&](auto member) {
    for (Row& row : rows) archive.value(row.*member);
  };
  (column(members), ...);
}

}  // namespace portolan::market
