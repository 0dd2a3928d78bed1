// Named models against values derived without this reader: published totals and hand-made sums.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

io::CsvTable table(const std::string& name) {
  const std::string path = joined({PORTOLAN_SOURCE_DIR "/tests/model/", name});
  const auto text = read_file(path);
  EXPECT_TRUE(text.has_value()) << path;
  auto parsed = io::parse_csv(text ? *text : "", path);
  EXPECT_TRUE(parsed.has_value());
  return parsed ? *std::move(parsed) : io::CsvTable{};
}

double number(const std::string& text) { return parse_double(text).value_or(std::nan("")); }

TEST(ExpectedParameters, WithinTheStatedTolerance) {
  const io::CsvTable rows = table("expected_parameters.csv");
  const int id = rows.column("id"), value = rows.column("expected_parameters"),
            tolerance = rows.column("tolerance_percent");
  ASSERT_GE(std::min({id, value, tolerance}), 0);
  ASSERT_GE(rows.rows.size(), 150U);
  for (const auto& row : rows.rows) {
    const auto at = [&](int column) { return row[static_cast<std::size_t>(column)]; };
    const double expected = number(at(value));
    const auto counted = static_cast<double>(count_parameters(named(at(id))).total);
    EXPECT_LE(std::abs(counted - expected), expected * number(at(tolerance)) / 100)
        << at(id) << " counts " << with_commas(static_cast<std::int64_t>(counted));
  }
}

TEST(ExpectedKv, BytesAreExact) {
  const io::CsvTable rows = table("expected_kv.csv");
  const int id = rows.column("id"), tokens = rows.column("context_tokens"),
            element = rows.column("kv_dtype_bytes"), value = rows.column("expected_kv_bytes");
  ASSERT_GE(std::min({id, tokens, element, value}), 0);
  std::set<std::string> models;
  for (const auto& row : rows.rows) {
    const auto at = [&](int column) { return row[static_cast<std::size_t>(column)]; };
    models.insert(at(id));
    EXPECT_EQ(kv_bytes(named(at(id)), number(at(tokens)), number(at(element))).raw(),
              number(at(value)))
        << at(id) << " at " << at(tokens);
  }
  EXPECT_GE(models.size(), 25U);
}

TEST(NamedModels, AreReadWithAllTheirOperators) {
  ASSERT_GE(library().ids().size(), 150U);
  for (const std::string_view id : library().ids()) {
    const auto model = library().named(id);
    ASSERT_TRUE(model.has_value()) << id << ": " << format_error(model.error());
    EXPECT_NE(model->architecture.coverage, Coverage::kPartial) << id;
    EXPECT_FALSE(model->source.empty()) << id;
    EXPECT_FALSE(model->date.empty()) << id;
  }
}

TEST(NamedModels, PublishedTotalsAgreeWithinHalfAPercentOrAreListed) {
  // Rounded by their authors, or counted with parts that are not described; each with its exact
  // count.
  const std::set<std::string, std::less<>> rounded = {
      "gemma-4-e4b",  // the checkpoint carries unused keys and values of shared layers
      "glm-4.5",     "glm-4.6",
      "glm-4.7",  // "355 B"; 352,797,829,024 without the prediction layer, 358.3 B with it
      "gpt3-1.3b",   "gpt3-2.7b", "gpt3-350m",
      "gpt3-6.7b",  // table 2.1 rounds: 1,315,723,264; 2,651,553,280; 355,871,744; 6,658,404,352
      "grok-1",     // "314 B"; 315,684,820,992
  };
  for (const std::string_view id : library().ids()) {
    const auto model = library().named(id);
    ASSERT_TRUE(model.has_value()) << id;
    if (!model->published_parameters || rounded.contains(id)) continue;
    const auto counted = static_cast<double>(count_parameters(model->architecture).total);
    EXPECT_LE(std::abs(counted - *model->published_parameters),
              0.005 * *model->published_parameters)
        << id << " counts " << with_commas(static_cast<std::int64_t>(counted));
  }
}

}  // namespace
}  // namespace portolan::model
