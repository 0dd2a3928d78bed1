// Laws of the readers and writers, tried on random values.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

// Text as it may come from outside: ASCII, control characters, quotes, wide characters.
std::string any_text() {
  std::string text;
  for (const int choice : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 160))) {
    static const std::vector<std::string> kWide{"é",      "€",      "𝄞",     "\u0085",
                                                "\u2028", "\u202e", "\ufffd"};
    text += choice < 128 ? std::string(1, static_cast<char>(choice))
                         : kWide[static_cast<std::size_t>(choice) % kWide.size()];
  }
  return text;
}

Value any_value(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 8 : 6)) {
    case 0:
      return {};
    case 1:
      return Value(*rc::gen::arbitrary<bool>());
    case 2:
      return Value(*rc::gen::arbitrary<std::int64_t>());
    case 3: {
      const double number = *rc::gen::arbitrary<double>();
      return std::isfinite(number) ? Value(number) : Value(0.5);
    }
    case 4:
    case 5:
      return Value(any_text());
    case 6: {
      Value::Array elements;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) elements.push_back(any_value(depth - 1));
      return elements;
    }
    default: {
      Value::Object members;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        members.emplace_back(std::to_string(i) + any_text(), any_value(depth - 1));
      }
      return members;
    }
  }
}

RC_GTEST_PROP(JsonLaws, WhatIsWrittenReadsBack, ()) {
  const Value value = any_value(3);
  for (const bool indented : {false, true}) {
    const std::string text = write_json(value, indented);
    const Result<Value> read = parse_json(text, "x", DuplicateKeys::kRefuse);
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == value);
    RC_ASSERT(write_json(*read, indented) == text);
  }
}

RC_GTEST_PROP(YamlLaws, WhatIsWrittenReadsBack, ()) {
  const Value value = any_value(3);
  const std::string text = write_yaml(value);
  const Result<Value> read = parse_yaml(text, "x");
  if (!read) RC_FAIL(text + format_error(read.error()));
  if (!(*read == value)) RC_FAIL(text + write_json(*read, false));
}

RC_GTEST_PROP(JsonLaws, AnyBytesWriteAsValidJson, (std::string bytes)) {
  const Result<Value> read =
      parse_json(write_json(Value(bytes), false), "x", DuplicateKeys::kRefuse);
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->is_string());
}

RC_GTEST_PROP(CsvLaws, WhatIsWrittenReadsBack, ()) {
  const int columns = *rc::gen::inRange(1, 5);
  std::vector<std::vector<std::string>> rows;
  std::string text;
  for (int i = *rc::gen::inRange(1, 6); i > 0; --i) {
    std::vector<std::string>& row = rows.emplace_back();
    for (int j = 0; j < columns; ++j) {
      row.push_back(rows.size() == 1 ? std::to_string(j) + any_text() : any_text());
    }
    text += csv_line(row, false);
  }
  const Result<CsvTable> table = parse_csv(text, "x");
  if (!table) RC_FAIL(text + format_error(table.error()));
  RC_ASSERT(table->header == rows.front());
  RC_ASSERT(table->rows == std::vector(rows.begin() + 1, rows.end()));
}

RC_GTEST_PROP(ReaderLaws, NoBytesBreakAReader, (std::string bytes)) {
  // Results do not matter here; the sanitizers and checks do.
  (void)parse_json(bytes, "x", DuplicateKeys::kKeepLast);
  (void)parse_yaml(bytes, "x");
  (void)parse_csv(bytes, "x");
}

}  // namespace
}  // namespace portolan::io
