// Lines over time and over latency: nothing is drawn outside of the frame, gaps stay gaps.
#include "render/line_plot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

namespace portolan::render {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

LinePlot plot_of(std::vector<std::pair<double, double>> points) {
  LinePlot plot;
  plot.title = "load <&>";
  plot.x_title = "hours";
  plot.y_title = "requests/s";
  plot.lines = {{.name = "answered", .points = std::move(points)}};
  return plot;
}

TEST(LinePlot, draws_every_line_inside_the_frame) {
  LinePlot plot = plot_of({{0, 0}, {1, 5}, {2, 1e9}, {3, 2}});
  plot.lines.push_back({.name = "other", .points = {{0, 1}, {3, 4}}});
  const std::string svg = line_plot(plot);
  EXPECT_EQ(count(svg, "<svg"), 1u);
  EXPECT_EQ(count(svg, "</svg>"), 1u);
  EXPECT_EQ(count(svg, "class=\"l l0\""), 2u);  // the line and its legend
  EXPECT_EQ(count(svg, "class=\"l l1\""), 2u);
  EXPECT_NE(svg.find("load &lt;&amp;&gt;"), std::string::npos);
  const std::regex pair("[ML]([0-9.]+) ([0-9.]+)");
  for (auto it = std::sregex_iterator(svg.begin(), svg.end(), pair); it != std::sregex_iterator();
       ++it) {
    EXPECT_LE(std::stod((*it)[1]), 640.0);
    EXPECT_LE(std::stod((*it)[2]), 300.0);
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(LinePlot, an_unknown_value_is_a_gap) {
  const std::string svg = line_plot(plot_of({{0, 1}, {1, 2}, {2, std::nan("")}, {3, 2}, {4, 1}}));
  const std::size_t at = svg.find("class=\"l l0\" d=\"");
  const std::string path = svg.substr(at, svg.find("/>", at) - at);
  EXPECT_EQ(count(path, "M"), 2u) << path;
  EXPECT_EQ(count(path, "L"), 2u) << path;
}

TEST(LinePlot, without_a_point_there_is_no_plot) {
  EXPECT_EQ(line_plot(plot_of({})), "");
  EXPECT_EQ(line_plot(plot_of({{1, std::nan("")}})), "");
}

TEST(LinePlot, one_point_all_zero_and_a_logarithmic_axis_are_drawn) {
  EXPECT_NE(line_plot(plot_of({{5, 0}})), "");
  EXPECT_NE(line_plot(plot_of({{0, 0}, {1, 0}})), "");
  LinePlot plot = plot_of({{1e-3, 1}, {1e-2, 50}, {10, 100}});
  plot.log_x = true;
  const std::string svg = line_plot(plot);
  EXPECT_NE(svg.find(">0.001<"), std::string::npos) << svg;
  EXPECT_NE(svg.find(">10<"), std::string::npos) << svg;
}

TEST(LinePlot, steps_go_across_and_then_up) {
  LinePlot plot = plot_of({{0, 1}, {1, 1}, {2, 3}, {3, 3}});
  plot.steps = true;
  const std::string svg = line_plot(plot);
  const std::size_t at = svg.find("class=\"l l0\" d=\"");
  const std::string path = svg.substr(at, svg.find("/>", at) - at);
  EXPECT_EQ(count(path, "V"), 1u) << path;
  EXPECT_EQ(count(path, "L"), 0u) << path;
}

}  // namespace
}  // namespace portolan::render
