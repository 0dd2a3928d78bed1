// The formats of an answer: rows, fields, formulas, streams.
#include "render/format.hpp"

#include <gtest/gtest.h>

#include "io/text_formats.hpp"
#include "tests/app/ask.hpp"

namespace portolan::render {
namespace {

using testing::ask;
using testing::request;

std::string in(std::string_view format, std::string_view verb, const io::Value& asked,
               std::vector<std::string> fields = {}) {
  Options options;
  options.format = parse_format(format).value();
  options.style.width = 80;
  options.fields = std::move(fields);
  options.timing = false;
  return format_answer(ask(verb, asked), options).value();
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

const std::vector<std::pair<const char*, io::Value>>& answers() {
  static const std::vector<std::pair<const char*, io::Value>> kAnswers = {
      {"estimate", request({{"model", "llama-3.1-8b"}, {"gpu", "l4"}})},
      {"offers", request({{"limit", 3}})},
      {"offers", request({{"stats", true}, {"limit", 2}})},
      {"offers", request({{"gpu", "h100:77"}})},
      {"gpus", request({{"limit", 3}})},
      {"models", request({{"limit", 3}})},
      {"models", request({{"prices", true}, {"limit", 3}})},
      {"providers", request({{"name", "aws"}})},
      {"providers", request({{"engines", true}})},
      {"validate", request({{"set", "article"}})},
      {"validate", request({{"set", "training"}})},
      {"validate", request({{"errata", true}})},
  };
  return kAnswers;
}

TEST(Format, every_format_of_every_verb) {
  for (const auto& [verb, asked] : answers()) {
    const io::Value object =
        io::parse_json(in("json", verb, asked), "json", io::DuplicateKeys::kRefuse).value();
    EXPECT_EQ(object.find("command")->string(), verb);
    const io::Value yaml = io::parse_yaml(in("yaml", verb, asked), "yaml").value();
    EXPECT_EQ(io::write_json(yaml, false), io::write_json(object, false)) << verb;
    for (const char* people : {"table", "wide", "md"})
      EXPECT_FALSE(in(people, verb, asked).empty());
  }
}

TEST(Format, csv_has_a_cell_per_field_and_a_line_per_row) {
  for (const auto& [verb, asked] : answers()) {
    const io::CsvTable table = io::parse_csv(in("csv", verb, asked), "csv").value();
    EXPECT_EQ(in("jsonl", verb, asked).find("{\"schema_version\""), 0u);
    const auto stream = lines(in("jsonl", verb, asked));
    EXPECT_EQ(stream.size(), table.rows.size() + 2) << verb;
    EXPECT_EQ(stream.back(), "{\"end\":true,\"count\":" + std::to_string(table.rows.size()) + "}");
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.header.size());
  }
}

TEST(Format, name_prints_ids_only) {
  EXPECT_EQ(in("name", "estimate", request({{"model", "gpt3-175b"}})), "gpt3-175b\n");
  EXPECT_EQ(in("name", "gpus", request({{"gpu", "h100-sxm"}})), "h100-sxm-80gb\n");
  EXPECT_EQ(in("name", "providers", request({{"name", "aws"}})), "aws\n");
  for (const std::string& line : lines(in("name", "offers", request({{"provider", "lambda"}})))) {
    EXPECT_TRUE(line.starts_with("lambda:")) << line;
  }
  EXPECT_EQ(lines(in("name", "offers", request({{"stats", true}, {"gpu", "h100-sxm"}}))).front(),
            "h100-sxm-80gb");
}

TEST(Format, fields_are_picked_in_the_order_asked) {
  EXPECT_EQ(lines(in("csv", "offers", request({{"limit", 1}}), {"sku", "provider"})).front(),
            "sku,provider");
  EXPECT_EQ(lines(in("csv", "estimate", request({{"model", "gpt3-175b"}, {"dtype", "fp16"}}),
                     {"rule_of_thumb.forward_flop", "on.bound"})),
            (std::vector<std::string>{"rule_of_thumb.forward_flop,on.bound", "358400000000000,"}));
  const io::Value picked =
      io::parse_json(in("json", "offers", request({{"limit", 2}}), {"provider"}), "json",
                     io::DuplicateKeys::kRefuse)
          .value();
  ASSERT_EQ(picked.find("result")->find("offers")->array().size(), 2u);
  EXPECT_EQ(picked.find("result")->find("offers")->array().front().object().size(), 1u);
  EXPECT_NE(in("table", "gpus", request({{"gpu", "l4"}}), {"id", "tdp_watts"}).find("l4"),
            std::string::npos);
  // A group stands for all below it.
  EXPECT_NE(in("json", "estimate", request({{"model", "gpt3-175b"}}), {"memory"})
                .find("kv_bytes_per_token"),
            std::string::npos);
}

TEST(Format, fields_do_not_depend_on_there_being_rows) {
  EXPECT_EQ(in("csv", "offers", request({{"gpu", "h100:77"}}), {"sku", "usd_per_hour"}),
            "sku,usd_per_hour\n");
  const std::string names = field_names(ask("offers", request({{"gpu", "h100:77"}})));
  EXPECT_NE(names.find("usd_per_accelerator_hour\n"), std::string::npos);
  EXPECT_NE(
      field_names(ask("estimate", request({{"model", "gpt3-175b"}}))).find("on.prefill_seconds\n"),
      std::string::npos);
}

TEST(Format, an_unknown_field_has_neighbours) {
  Options options;
  options.format = Format::kCsv;
  options.fields = {"usd_per_huor"};
  const auto text = format_answer(ask("offers", request({{"limit", 1}})), options);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::kUsage);
  EXPECT_NE(text.error().hint.find("usd_per_hour"), std::string::npos);
  EXPECT_FALSE(parse_format("jsn"));
  EXPECT_NE(parse_format("jsn").error().hint.find("json"), std::string::npos);
}

// A cell that a spreadsheet would run is text; numbers are left alone.
TEST(Format, formulas_in_cells_are_guarded) {
  const std::vector<std::string> cells = {"=1+1", "+x", "-x", "@x", "\tx", "-5", "1e9", "plain"};
  EXPECT_EQ(io::csv_line(cells, true), "'=1+1,'+x,'-x,'@x,'\tx,-5,1e9,plain\n");
  EXPECT_EQ(io::csv_line(cells, false), "=1+1,+x,-x,@x,\tx,-5,1e9,plain\n");
}

TEST(Format, explain_and_assumptions_are_printed_when_asked) {
  Options options;
  options.explain = options.assumptions = true;
  const std::string text =
      format_answer(
          ask("estimate",
              request({{"model", "gpt3-175b"}, {"gpu", "a100-sxm-80gb"}, {"explain", true}})),
          options)
          .value();
  EXPECT_NE(text.find("how the figures come about"), std::string::npos);
  EXPECT_NE(text.find("2 · n · p"), std::string::npos);
  EXPECT_NE(text.find("change with"), std::string::npos);
}

TEST(Format, a_table_keeps_to_the_width_of_the_terminal) {
  for (std::size_t width : {60u, 80u, 100u}) {
    for (const auto& [verb, asked] : answers()) {
      Options options;
      options.style.width = width;
      for (const std::string& line : lines(format_answer(ask(verb, asked), options).value())) {
        // A single word, a link for example, is not broken.
        if (line.find(' ', line.find_first_not_of(' ')) == std::string::npos) continue;
        EXPECT_LE(display_width(line), width) << verb << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace portolan::render
