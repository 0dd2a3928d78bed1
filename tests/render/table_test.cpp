// Tables and wrapped text: nothing is wider than the terminal, what matters stays, markup stays
// text.
#include "render/table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "render/words.hpp"

namespace portolan::render {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

Style narrow(std::size_t width) {
  return {.width = width, .color = false, .unicode = true, .header = true};
}

Table offers() {
  Table table({Table::numbers("usd/h"), Table::names("sku", 8), Table::prose("note", 6, 1),
               Table::words("seen", 2)});
  table.add(
      {"6.840", "datacrunch__8xH100_80GB__176__1480", "a long remark about it", "2025-09-01"});
  table.add({"10.000", "p5.48xlarge", "", "2026-04-01"});
  return table;
}

TEST(Table, has_right_aligned_numbers_under_their_titles) {
  const auto shown = lines(offers().text(narrow(0)));
  ASSERT_EQ(shown.size(), 3u);
  EXPECT_EQ(shown[0].substr(0, 6), " usd/h");
  EXPECT_EQ(shown[1].substr(0, 6), " 6.840");
  EXPECT_EQ(shown[2].substr(0, 6), "10.000");
}

TEST(Table, leaves_out_columns_before_it_cuts_below_their_least) {
  std::vector<std::string> left_out;
  const std::string wide = offers().text(narrow(200), &left_out);
  EXPECT_TRUE(left_out.empty());
  EXPECT_NE(wide.find("datacrunch__8xH100_80GB__176__1480"), std::string::npos);
  const std::string tight = offers().text(narrow(34), &left_out);
  EXPECT_EQ(left_out, std::vector<std::string>{"seen"});  // the highest number goes first
  EXPECT_NE(tight.find("…"), std::string::npos);
  left_out.clear();
  EXPECT_NE(offers().text(narrow(20), &left_out).find("6.840"), std::string::npos);
  EXPECT_EQ(left_out, (std::vector<std::string>{"note", "seen"}));
}

TEST(Table, cuts_ids_in_the_middle_and_prose_at_the_end) {
  EXPECT_EQ(cut_to("p5.48xlarge-long", 9, Cut::kMiddle, true), "p5.4…long");
  EXPECT_EQ(cut_to("p5.48xlarge-long", 9, Cut::kEnd, true), "p5.48xla…");
  EXPECT_EQ(cut_to("p5.48xlarge-long", 9, Cut::kEnd, false), "p5.48xla~");
  EXPECT_EQ(cut_to("short", 9, Cut::kMiddle, true), "short");
  EXPECT_EQ(cut_to("never cut at all", 3, Cut::kNever, true), "never cut at all");
  EXPECT_EQ(display_width(cut_to("Zürich–Genève über alles", 10, Cut::kMiddle, true)), 10u);
}

TEST(Table, no_header_when_not_wanted) {
  Style style = narrow(80);
  style.header = false;
  EXPECT_EQ(lines(offers().text(style)).size(), 2u);
}

TEST(Table, columns_nobody_fills_can_go) {
  Table table({Table::words("a"), Table::words("b")});
  table.add({"x", "–"});
  table.add({"y", ""});
  table.leave_out_empty("b");
  EXPECT_EQ(table.text(narrow(0)), "a\nx\ny\n");
  table.leave_out_empty("a");
  EXPECT_EQ(lines(table.text(narrow(0))).size(), 3u);
}

// Names come from strangers: no control character reaches a terminal, no markup a page.
TEST(Table, shows_control_characters_and_escapes_markup) {
  Table table({Table::names("name", 8)});
  table.add({"a\x1b[31mred\x1b[0m\nb|c\r\xe2\x80\xae"});
  const std::string shown = table.text(narrow(0));
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  EXPECT_EQ(shown.find('\r'), std::string::npos);
  EXPECT_EQ(lines(shown).size(), 2u);
  const std::string page = table.markdown();
  EXPECT_EQ(lines(page).size(), 3u);
  EXPECT_NE(page.find("b\\|c"), std::string::npos);
  EXPECT_EQ(escape_markdown("[x](javascript:y) <b> `z` *w* _v_ \\"),
            "\\[x\\](javascript:y) \\<b\\> \\`z\\` \\*w\\* \\_v\\_ \\\\");
  EXPECT_EQ(escape_markdown("two\nlines"), "two lines");
}

RC_GTEST_PROP(Table, never_is_wider_than_the_terminal_where_columns_may_give_way, ()) {
  const auto width = *rc::gen::inRange<std::size_t>(24, 120);
  const auto rows = *rc::gen::container<std::vector<std::vector<std::string>>>(
      rc::gen::container<std::vector<std::string>>(4, rc::gen::string<std::string>()));
  Table table({Table::names("id", 4), Table::prose("what", 4, 1), Table::words("x", 2),
               Table::names("y", 4, 3)});
  for (const auto& row : rows) table.add(row);
  for (const std::string& line : lines(table.text(narrow(width))))
    RC_ASSERT(display_width(line) <= width);
}

RC_GTEST_PROP(Markdown, keeps_one_line_and_one_cell_per_cell, (const std::string& text)) {
  Table table({Table::words("a"), Table::words("b")});
  table.add({text, "end"});
  const auto shown = lines(table.markdown());
  RC_ASSERT(shown.size() == 3u);
  std::size_t bars = 0;
  for (std::size_t i = 0; i < shown[2].size(); ++i) {
    if (shown[2][i] == '\\') {
      ++i;  // what follows is text
    } else if (shown[2][i] == '|') {
      ++bars;
    }
  }
  RC_ASSERT(bars == 3u);
}

TEST(Wrap, keeps_the_prefix_and_indents_what_follows) {
  EXPECT_EQ(wrap("  name  ", "one two three", 14, 8), "  name  one\n        two\n        three");
  EXPECT_EQ(wrap("  name  ", "one two three", 0, 8), "  name  one two three");
  EXPECT_EQ(wrap("", "unbreakableword", 5, 2), "unbreakableword");
  EXPECT_EQ(wrap("> ", "", 10, 2), ">");
}

RC_GTEST_PROP(Wrap, loses_no_word, (const std::vector<std::string>& words)) {
  std::string paragraph, plain;
  for (const std::string& word : words) {
    if (word.find_first_of(" \n") != std::string::npos) continue;
    paragraph += word + " ";
    plain += word;
  }
  std::string back;
  for (char c : wrap("", paragraph, 20, 3)) {
    if (c != ' ' && c != '\n') back += c;
  }
  RC_ASSERT(back == plain);
}

TEST(Ascii, replaces_every_glyph_we_print) {
  EXPECT_EQ(to_ascii("✓ 1…2 – 3 × 4 · → Σ │└─"), "+ 1...2 - 3 x 4 * -> sum |+-");
  EXPECT_EQ(to_ascii("Zürich"), "Z?rich");
}

TEST(Words, figures_as_a_person_reads_them) {
  EXPECT_EQ(parameters(175e9), "175B");
  EXPECT_EQ(parameters(8.03e9), "8.03B");
  EXPECT_EQ(parameters(361e6), "361M");
  EXPECT_EQ(parameters(1.03e12), "1.03T");
  EXPECT_EQ(number(std::nullopt), "–");
  EXPECT_EQ(number(0.0), "0");
  EXPECT_EQ(time_text(Seconds(0.2232)), "223 ms");
  EXPECT_EQ(time_text(std::nullopt), "–");
  EXPECT_EQ(price_cell(9.3722), "9.372");
  EXPECT_EQ(plural(1, "offer"), "1 offer");
  EXPECT_EQ(plural(2301, "offer"), "2,301 offers");
  EXPECT_EQ(joined(std::vector<std::string>{"a", "b"}, ", "), "a, b");
}

}  // namespace
}  // namespace portolan::render
