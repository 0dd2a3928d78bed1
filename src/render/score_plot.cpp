#include "render/score_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "render/plot.hpp"
#include "render/table.hpp"

namespace portolan::render {
namespace {

using measure::ScoredPoint;

constexpr double kPanel = 260, kLeft = 62, kTop = 40, kGapX = 34, kGapY = 62, kLegendRow = 16;
constexpr std::size_t kColumns = 3, kLegend = 12, kMostPerPanel = 1500;
// Paul Tol's muted palette, readable for the colour-blind.
constexpr std::array<const char*, 10> kColours = {"#332288", "#117733", "#cc6677", "#88ccee",
                                                  "#ddaa33", "#aa4499", "#44aa99", "#882255",
                                                  "#999933", "#5b7c99"};
constexpr const char* kOther = "#9aa5b1";

struct Panel {
  std::string title;
  std::vector<const ScoredPoint*> points;
  double low = 0, high = 0;
};

std::vector<Panel> panels_of(std::span<const ScoredPoint> points) {
  std::map<std::pair<std::string, std::string>, Panel> by_metric;
  for (const ScoredPoint& p : points) {
    if (!p.predicted || !(*p.predicted > 0) || !(p.measured > 0)) continue;
    Panel& panel = by_metric[{p.set, p.metric}];
    panel.title = p.set + " " + p.metric;
    panel.points.push_back(&p);
    for (const double value : {p.measured, *p.predicted}) {
      panel.low = panel.low == 0 ? value : std::min(panel.low, value);
      panel.high = std::max(panel.high, value);
    }
  }
  std::vector<Panel> panels;
  for (auto& [key, panel] : by_metric) {
    panel.low /= 1.3;
    panel.high *= 1.3;
    // A cloud of many thousands says no more than every k-th of its points.
    if (const std::size_t step = panel.points.size() / kMostPerPanel + 1; step > 1) {
      std::vector<const ScoredPoint*> thinned;
      for (std::size_t i = 0; i < panel.points.size(); i += step)
        thinned.push_back(panel.points[i]);
      panel.points = std::move(thinned);
    }
    panels.push_back(std::move(panel));
  }
  return panels;
}

/// What a colour stands for: a set and the first word of a group where sets are many, else the
/// group.
std::string family(const ScoredPoint& p, bool many_sets) { return many_sets ? p.set : p.group; }

std::map<std::string, std::size_t> colour_ranks(std::span<const ScoredPoint> points,
                                                bool many_sets) {
  std::map<std::string, std::size_t> sizes;
  for (const ScoredPoint& p : points) {
    if (p.predicted) ++sizes[family(p, many_sets)];
  }
  std::vector<std::pair<std::string, std::size_t>> order(sizes.begin(), sizes.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::map<std::string, std::size_t> ranks;
  for (std::size_t i = 0; i < order.size(); ++i) ranks[order[i].first] = i;
  return ranks;
}

const char* colour(std::size_t rank) { return rank < kColours.size() ? kColours[rank] : kOther; }

std::string draw(const Panel& panel, double x0, double y0,
                 const std::map<std::string, std::size_t>& ranks, bool many_sets) {
  const double span = std::log(panel.high / panel.low);
  const auto at = [&](double v) { return kPanel * std::log(v / panel.low) / span; };
  const auto px = [&](double v) { return x0 + at(v); };
  const auto py = [&](double v) { return y0 + kPanel - at(v); };
  std::string out = fmt::format(
      "<text x=\"{:.0f}\" y=\"{:.0f}\" fill=\"#1b2a41\" font-weight=\"600\">{} ({})</text>\n", x0,
      y0 - 8, xml_escaped(panel.title), panel.points.size());
  // ±20 %: truth times 0.8 and 1.2, kept inside the frame.
  const double a = panel.low / 0.8, b = panel.high / 1.2;
  out += fmt::format(
      "<polygon points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} "
      "{:.1f},{:.1f}\" fill=\"#eef2f6\"/>\n",
      px(panel.low), py(panel.low), px(panel.low), py(1.2 * panel.low), px(b), py(1.2 * b),
      px(panel.high), py(panel.high), px(panel.high), py(0.8 * panel.high), px(a), py(0.8 * a));
  const int first = static_cast<int>(std::floor(std::log10(panel.low))),
            last = static_cast<int>(std::floor(std::log10(panel.high)));
  const int every = std::max(1, (last - first) / 6 + 1);
  std::vector<double> ticks;
  for (int e = first; e <= last; e += every) {
    for (const double m : {1.0, 2.0, 5.0}) {
      const double v = m * std::pow(10, e);
      // Below two decades the tens alone would leave an axis nearly bare.
      if (v >= panel.low && v <= panel.high && (m == 1 || last - first < 3)) ticks.push_back(v);
    }
  }
  for (const double v : ticks) {
    const std::string name = v >= 1e-3 && v < 1e5 ? significant(v, 1) : fmt::format("{:.0e}", v);
    out += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {4:.1f}H{5:.1f}\" stroke=\"#d8dee6\"/>"
        "<text x=\"{0:.1f}\" y=\"{6:.1f}\" text-anchor=\"middle\" fill=\"#555\">{8}</text>"
        "<text x=\"{7:.1f}\" y=\"{9:.1f}\" text-anchor=\"end\" fill=\"#555\">{8}</text>\n",
        px(v), y0, y0 + kPanel, x0, py(v), x0 + kPanel, y0 + kPanel + 15, x0 - 5, name, py(v) + 4);
  }
  out += fmt::format(
      "<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"#1b2a41\" stroke-dasharray=\"4 3\"/>\n"
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"none\" "
      "stroke=\"#9aa5b1\"/>\n",
      px(panel.low), py(panel.low), px(panel.high), py(panel.high), x0, y0, kPanel, kPanel);
  for (const ScoredPoint* p : panel.points) {
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" fill=\"{}\" fill-opacity=\"0.65\"/>\n",
        px(p->measured), py(*p->predicted), colour(ranks.at(family(*p, many_sets))));
  }
  return out;
}

}  // namespace

std::string score_plot(std::span<const ScoredPoint> points, const std::string& title) {
  const std::vector<Panel> panels = panels_of(points);
  const bool many_sets = std::any_of(points.begin(), points.end(), [&](const ScoredPoint& p) {
    return p.set != points.front().set;
  });
  const std::map<std::string, std::size_t> ranks = colour_ranks(points, many_sets);
  const std::size_t columns = std::clamp<std::size_t>(panels.size(), 1, kColumns),
                    lines = (panels.size() + columns - 1) / columns,
                    named = std::min({ranks.size(), kLegend, kColours.size()});
  const double width = kLeft + static_cast<double>(columns) * (kPanel + kLeft) - kLeft + kGapX,
               legend_at = kTop + 22 + static_cast<double>(lines) * (kPanel + kGapY),
               height = legend_at + kLegendRow * static_cast<double>(named + 2);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\" font-family=\"system-ui,sans-serif\" "
      "font-size=\"11\">\n<title>{2}</title>\n<rect width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "fill=\"#ffffff\"/>\n<text x=\"{3:.0f}\" y=\"22\" font-size=\"15\" fill=\"#1b2a41\">{2}"
      "</text>\n",
      width, height, xml_escaped(title), kLeft);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    out += draw(panels[i], kLeft + static_cast<double>(i % columns) * (kPanel + kLeft),
                kTop + 22 + static_cast<double>(i / columns) * (kPanel + kGapY), ranks, many_sets);
  }
  if (panels.empty())
    out += fmt::format("<text x=\"{:.0f}\" y=\"60\" fill=\"#555\">nothing was predicted</text>\n",
                       kLeft);
  std::vector<std::string> names(ranks.size());
  for (const auto& [name, rank] : ranks) names[rank] = name;
  // About six units of width a character at this size.
  const auto most = static_cast<std::size_t>((width - kLeft - 40) / 6);
  for (std::size_t i = 0; i < named; ++i) {
    const double y = legend_at + kLegendRow * static_cast<double>(i);
    out += fmt::format(
        "<circle cx=\"{:.0f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/><text x=\"{:.0f}\" "
        "y=\"{:.1f}\" fill=\"#1b2a41\">{}</text>\n",
        kLeft + 5, y - 4, colour(i), kLeft + 16, y,
        xml_escaped(cut_to(names[i], most, Cut::kMiddle, true)));
  }
  out += fmt::format(
      "<text x=\"{:.0f}\" y=\"{:.1f}\" fill=\"#555\">across: measured, up: predicted; dashed: "
      "equal; band: ±20 %{}</text>\n</svg>\n",
      kLeft, legend_at + kLegendRow * static_cast<double>(named),
      ranks.size() > named ? fmt::format("; grey: {} smaller groups", ranks.size() - named) : "");
  return out;
}

std::string score_rows(std::span<const ScoredPoint> points, bool guard_formulas) {
  static constexpr std::array<std::string_view, 13> kNames = {
      "set",  "group", "metric", "label",  "measured", "predicted", "low",
      "high", "ape",   "tier",   "method", "reason",   "source"};
  std::vector<std::string> cells(kNames.begin(), kNames.end());
  std::string out = io::csv_line(cells, false);
  const auto number = [](const std::optional<double>& x) { return x ? shortest(*x) : ""; };
  for (const ScoredPoint& p : points) {
    const std::string ape = p.predicted && p.measured != 0
                                ? shortest(std::abs(*p.predicted / p.measured - 1))
                                : std::string();
    cells = {p.set,
             p.group,
             p.metric,
             p.label,
             shortest(p.measured),
             number(p.predicted),
             number(p.low),
             number(p.high),
             ape,
             p.tier,
             p.method,
             p.reason,
             p.source};
    out += io::csv_line(cells, guard_formulas);
  }
  return out;
}

}  // namespace portolan::render
