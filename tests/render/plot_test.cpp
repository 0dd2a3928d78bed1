// The cost-latency chart: every point is on it, text stays in its frame, the SVG is well-formed.
#include "render/plot.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "render/table.hpp"

namespace portolan::render {
namespace {

std::vector<PlotPoint> points() {
  return {{.x = 2.58, .y = 0.22, .front = true, .winner = true, .label = "hyperbolic <b>&\"x\""},
          {.x = 4.9, .y = 0.14, .front = true, .winner = false, .label = "verda"},
          {.x = 21000, .y = 0.9, .front = false, .winner = false, .label = "the dearest"}};
}

/// Tags that are opened and closed in order, attributes in quotes, no bare ampersand: what an XML
/// reader insists on, for the little XML an SVG of ours uses.
::testing::AssertionResult well_formed(const std::string& xml) {
  std::vector<std::string> open;
  std::size_t i = 0;
  while (i < xml.size()) {
    if (xml[i] == '&') {
      const std::size_t end = xml.find(';', i);
      const std::string name = end == std::string::npos ? "" : xml.substr(i, end - i + 1);
      if (name != "&amp;" && name != "&lt;" && name != "&gt;" && name != "&quot;") {
        return ::testing::AssertionFailure() << "bare ampersand at " << i;
      }
    }
    if (xml[i] != '<') {
      ++i;
      continue;
    }
    const std::size_t end = xml.find('>', i);
    if (end == std::string::npos) return ::testing::AssertionFailure() << "open tag at " << i;
    const std::string tag = xml.substr(i + 1, end - i - 1);
    if (tag.find('<') != std::string::npos) return ::testing::AssertionFailure() << "< in <" << tag;
    const std::string name =
        tag.substr(tag[0] == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag[0] == '/' ? 1 : 0));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1))
        return ::testing::AssertionFailure() << "</" << tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0)
      return ::testing::AssertionFailure() << "quotes in <" << tag;
    i = end + 1;
  }
  return open.empty() ? ::testing::AssertionSuccess()
                      : ::testing::AssertionFailure() << open.back() << " is not closed";
}

std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(Svg, is_well_formed_and_holds_every_point) {
  const std::string svg =
      svg_plot(points(), "cost & \"latency\" <x>", "USD per hour", "p95 TTFT, s");
  EXPECT_TRUE(well_formed(svg));
  EXPECT_EQ(occurrences(svg, "<circle"), 3u);
  EXPECT_EQ(occurrences(svg, "<polyline"), 1u);
  EXPECT_NE(svg.find("USD per hour"), std::string::npos);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find("href"), std::string::npos);
}

TEST(Svg, without_points_says_so) { EXPECT_TRUE(well_formed(svg_plot({}, "t", "x", "y"))); }

TEST(TextPlot, marks_winner_and_front_within_its_width) {
  for (std::size_t width : {40u, 60u, 80u, 200u}) {
    const std::string plot = text_plot(points(), "USD per hour", "p95 TTFT, s", width, true);
    std::size_t from = 0;
    std::string body;
    while (from < plot.size()) {
      const std::size_t end = plot.find('\n', from);
      const std::string line = plot.substr(from, end - from);
      if (line.find("(1 cheapest") == std::string::npos) {
        EXPECT_LE(display_width(line), std::min<std::size_t>(width, 80)) << line;
        if (line.find("│") != std::string::npos) body += line.substr(line.find("│"));
      }
      from = end + 1;
    }
    EXPECT_EQ(occurrences(body, "1"), 1u);
    EXPECT_EQ(occurrences(body, "*"), 1u);
    EXPECT_EQ(occurrences(body, "."), 1u);
  }
  const std::string ascii = text_plot(points(), "x", "y", 80, false);
  for (char c : ascii) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
}

TEST(TextPlot, points_on_top_of_each_other_and_flat_axes) {
  std::vector<PlotPoint> same(3, {.x = 1, .y = 1, .front = true, .winner = false, .label = "a"});
  EXPECT_FALSE(text_plot(same, "x", "y", 80, true).empty());
  EXPECT_TRUE(well_formed(svg_plot(same, "t", "x", "y")));
  EXPECT_TRUE(text_plot({}, "x", "y", 80, true).empty());
}

}  // namespace
}  // namespace portolan::render
