#include "render/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "render/axis.hpp"

namespace portolan::render {
namespace {

std::pair<Axis, Axis> axes(const std::vector<PlotPoint>& points) {
  auto [x0, x1] =
      std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.x < b.x; });
  auto [y0, y1] =
      std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.y < b.y; });
  return {axis_of(x0->x, x1->x), axis_of(y0->y, y1->y)};
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<PlotPoint> plot_points(const planner::PlanResult& result, std::string* x_title,
                                   std::string* y_title) {
  const bool serve = result.job.kind == planner::JobKind::kServe;
  *x_title = serve ? "USD per hour" : "USD in all";
  *y_title = serve ? "p95 TTFT, s" : "duration, h";
  std::vector<PlotPoint> points;
  for (const planner::Plan& plan : result.plans) {
    PlotPoint point;
    point.x = serve ? plan.usd_per_hour.in(kUsdPerHour) : plan.usd_total.value_or(Usd(0)).raw();
    point.y = serve ? plan.ttft_p95.value_or(Seconds(0)).raw()
                    : plan.duration.value_or(Seconds(0)).in(kHour);
    if (!(point.x > 0) || !(point.y > 0)) continue;
    point.front = plan.pareto;
    point.winner = plan.rank == 1;
    point.label = fmt::format("{} {} {}x {}", plan.offer->provider, plan.offer->sku, plan.nodes,
                              plan.offer->accelerator->id);
    points.push_back(std::move(point));
  }
  if (points.size() < 2) points.clear();
  return points;
}

std::string text_plot(const std::vector<PlotPoint>& points, const std::string& x_title,
                      const std::string& y_title, std::size_t width, bool unicode) {
  if (points.empty()) return {};
  constexpr int kRows = 12;
  constexpr std::size_t kLabel = 8;
  const std::size_t columns = std::clamp<std::size_t>(width == 0 ? 80 : width, 40, 80) - kLabel - 2;
  const auto [ax, ay] = axes(points);
  std::vector<std::string> grid(kRows, std::string(columns, ' '));
  // Losers first, then the front, then the winner, so that nothing hides what matters.
  for (int pass = 0; pass < 3; ++pass) {
    for (const PlotPoint& point : points) {
      const int kind = point.winner ? 2 : point.front ? 1 : 0;
      if (kind != pass) continue;
      const auto c = static_cast<std::size_t>(std::clamp(ax.at(point.x), 0.0, 1.0) *
                                              static_cast<double>(columns - 1));
      const auto r =
          static_cast<std::size_t>((1 - std::clamp(ay.at(point.y), 0.0, 1.0)) * (kRows - 1));
      grid[r][c] = kind == 2 ? '1' : kind == 1 ? '*' : '.';
    }
  }
  std::vector<std::string> labels(kRows);
  for (double tick : ay.ticks()) {
    const auto r = static_cast<std::size_t>((1 - std::clamp(ay.at(tick), 0.0, 1.0)) * (kRows - 1));
    if (labels[r].empty()) labels[r] = tick_text(tick);
  }
  const char* bar = unicode ? "│" : "|";
  const char* dash = unicode ? "─" : "-";
  std::string out = y_title + "\n";
  for (std::size_t r = 0; r < grid.size(); ++r) {
    const std::size_t end = grid[r].find_last_not_of(' ');
    out += fmt::format("{:>{}} {}{}\n", labels[r], kLabel, bar,
                       end == std::string::npos ? "" : grid[r].substr(0, end + 1));
  }
  out += std::string(kLabel + 1, ' ') + (unicode ? "└" : "+");
  for (std::size_t c = 0; c < columns; ++c) out += dash;
  out += '\n';
  std::string axis(kLabel + 2 + columns, ' ');
  std::size_t free_from = 0;
  for (double tick : ax.ticks()) {
    const std::string text = tick_text(tick);
    const std::size_t centre = kLabel + 2 +
                               static_cast<std::size_t>(std::clamp(ax.at(tick), 0.0, 1.0) *
                                                        static_cast<double>(columns - 1));
    const std::size_t start = centre >= text.size() / 2 ? centre - text.size() / 2 : 0;
    if (start < free_from || start + text.size() > axis.size()) continue;
    axis.replace(start, text.size(), text);
    free_from = start + text.size() + 1;
  }
  out += axis.substr(0, axis.find_last_not_of(' ') + 1) + "\n";
  out += fmt::format("{:>{}}   (1 cheapest, * on the cost-latency front, . other plans)\n", x_title,
                     kLabel + 2 + x_title.size());
  return out;
}

std::string svg_plot(const std::vector<PlotPoint>& points, const std::string& title,
                     const std::string& x_title, const std::string& y_title) {
  constexpr double kWidth = 760, kHeight = 460, kLeft = 74, kRight = 20, kTop = 44, kBottom = 56;
  const double w = kWidth - kLeft - kRight, h = kHeight - kTop - kBottom;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" "
      "font-family=\"system-ui,sans-serif\" font-size=\"12\">\n<title>{2}</title>\n<rect "
      "width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
      "<text x=\"{3}\" y=\"24\" font-size=\"15\" fill=\"#1b2a41\">{2}</text>\n",
      kWidth, kHeight, xml_escaped(title), kLeft);
  if (points.empty())
    return out +
           "<text x=\"74\" y=\"120\" fill=\"#555\">fewer than two plans to "
           "compare</text>\n</svg>\n";
  const auto both = axes(points);
  const auto& ax = both.first;
  const auto& ay = both.second;
  auto px = [&](double x) { return kLeft + ax.at(x) * w; };
  auto py = [&](double y) { return kTop + (1 - ay.at(y)) * h; };
  for (double tick : ax.ticks()) {
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e3e8ef\"/><text "
        "x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#555\">{4}</text>\n",
        px(tick), kTop, kTop + h, kTop + h + 18, tick_text(tick));
  }
  for (double tick : ay.ticks()) {
    out += fmt::format(
        "<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#e3e8ef\"/><text "
        "x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\" fill=\"#555\">{5}</text>\n",
        kLeft, py(tick), kLeft + w, kLeft - 8, py(tick) + 4, tick_text(tick));
  }
  out += fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#9aa5b1\"/>\n",
      kLeft, kTop, w, h);
  out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#1b2a41\">{}</text>\n",
                     kLeft + w / 2, kHeight - 14, xml_escaped(x_title));
  out += fmt::format(
      "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\" "
      "fill=\"#1b2a41\">{}</text>\n",
      kTop + h / 2, xml_escaped(y_title));
  std::vector<PlotPoint> front;
  for (const PlotPoint& p : points) {
    if (p.front) front.push_back(p);
  }
  std::sort(front.begin(), front.end(),
            [](const auto& a, const auto& b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
  if (front.size() > 1) {
    out +=
        "<polyline fill=\"none\" stroke=\"#c2410c\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\" "
        "points=\"";
    for (const PlotPoint& p : front) out += fmt::format("{:.1f},{:.1f} ", px(p.x), py(p.y));
    out += "\"/>\n";
  }
  for (const PlotPoint& p : points) {
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"{}><title>{}: {} {}, {} "
        "{}</title></circle>\n",
        px(p.x), py(p.y), p.winner ? 6 : 4, p.front ? "#c2410c" : "#5b7c99",
        p.winner ? " stroke=\"#1b2a41\" stroke-width=\"2\"" : "", xml_escaped(p.label),
        tick_text(p.x), xml_escaped(x_title), tick_text(p.y), xml_escaped(y_title));
  }
  return out + "</svg>\n";
}

}  // namespace portolan::render
