#include "measure/fit.hpp"

#include <nlopt.h>

#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "measure/score.hpp"

namespace portolan::measure {
namespace {

using cost::Call;
using cost::Curve;
using cost::Grid;
using cost::kCurveAxes;
using cost::Roofline;

// A residual counts like its absolute value beyond this; below, like its square (iteratively
// reweighted least squares towards the median).
constexpr double kHuber = 0.03;
constexpr int kReweightings = 4;
// Pulls cells without data towards no residual.
constexpr double kRidge = 1e-4;
constexpr std::size_t kRooflineSample = 3000;

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Median of small errors: the mean of log-cosh like |ln t/t'|, robust to a few kernel switches.
double loss(std::span<const FitPoint> points, const Roofline& roofline) {
  double sum = 0;
  for (const FitPoint& p : points) {
    const double e = std::log(p.seconds / roofline.seconds(p.call));
    sum += std::sqrt(e * e + kHuber * kHuber);
  }
  return sum / static_cast<double>(points.size());
}

/// The numbers as NLopt moves them: logarithms of positive ones.
struct Search {
  std::span<const FitPoint> points;
  const FitOptions* options = nullptr;
  [[nodiscard]] Roofline at(const double* x) const {
    Roofline r = options->start;
    std::size_t i = 0;
    r.floor = std::exp(x[i++]);
    if (options->fit_knee) r.knee = std::exp(x[i++]);
    if (options->fit_compute) r.compute = std::exp(x[i++]);
    if (options->fit_memory) r.memory = std::exp(x[i++]);
    if (options->fit_wave) r.wave = x[i++];
    if (options->fit_short_k) r.short_k = std::exp(x[i++]);
    if (options->fit_pass) r.pass = std::exp(x[i++]);
    return r;
  }
};

double objective(unsigned, const double* x, double*, void* data) {
  const auto& search = *static_cast<const Search*>(data);
  return loss(search.points, search.at(x));
}

Roofline fit_roofline(std::span<const FitPoint> all, const FitOptions& options) {
  std::vector<FitPoint> sample;
  const std::size_t stride = all.size() / kRooflineSample + 1;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (mix(i) % stride == 0) sample.push_back(all[i]);
  if (sample.empty()) sample.assign(all.begin(), all.end());
  Search search{.points = sample, .options = &options};
  double fastest = sample.front().seconds;
  for (const FitPoint& p : sample) fastest = std::min(fastest, p.seconds);

  std::vector<double> x, low, high;
  const auto add = [&](double start, double a, double b) {
    x.push_back(std::clamp(start, a, b));
    low.push_back(a);
    high.push_back(b);
  };
  add(std::log(0.8 * fastest), std::log(0.05 * fastest), std::log(3 * fastest));
  if (options.fit_knee) add(std::log(options.start.knee), std::log(1.0), std::log(12.0));
  if (options.fit_compute) add(std::log(options.start.compute), std::log(0.005), std::log(1.0));
  if (options.fit_memory) add(std::log(options.start.memory), std::log(0.005), std::log(1.0));
  if (options.fit_wave) add(options.start.wave, 0.0, 1.0);
  if (options.fit_short_k) add(std::log(100.0), std::log(1.0), std::log(2000.0));
  if (options.fit_pass) add(std::log(options.start.pass), std::log(0.05), std::log(1.0));

  const nlopt_opt optimiser = nlopt_create(NLOPT_LN_SBPLX, static_cast<unsigned>(x.size()));
  nlopt_set_min_objective(optimiser, objective, &search);
  nlopt_set_lower_bounds(optimiser, low.data());
  nlopt_set_upper_bounds(optimiser, high.data());
  nlopt_set_ftol_rel(optimiser, 1e-4);
  nlopt_set_maxeval(optimiser, 600);
  double value = 0;
  nlopt_optimize(optimiser, x.data(), &value);
  nlopt_destroy(optimiser);
  // As a profile writes them, so that the grid is fitted to the roofline that will be read back.
  Roofline found = search.at(x.data());
  for (double* number :
       {&found.compute, &found.memory, &found.knee, &found.wave, &found.short_k, &found.pass})
    *number = std::round(*number * 1e4) / 1e4;
  found.floor = std::round(found.floor * 1e10) / 1e10;
  return found;
}

/// Penalised least squares for the cells, reweighted towards the median; `skip` drops points.
class GridFit {
 public:
  GridFit(std::span<const FitPoint> points, const Roofline& roofline, const Grid& grid,
          const std::array<double, kCurveAxes>& smooth)
      : cells_(static_cast<Eigen::Index>(grid.size())), penalty_(cells_, cells_) {
    corners_.reserve(points.size());
    target_.reserve(points.size());
    for (const FitPoint& p : points) {
      corners_.push_back(grid.corners(p.call.at));
      target_.push_back(std::log(p.seconds / roofline.seconds(p.call)));
    }
    std::vector<Eigen::Triplet<double>> entries;
    std::size_t inner = 1;
    for (std::size_t a = kCurveAxes; a-- > 0;) {
      const std::size_t n = grid.knots[a].size();
      if (n == 0) continue;
      for (std::size_t cell = 0; cell < grid.size(); ++cell) {
        const std::size_t place = cell / inner % n;
        if (place + 1 >= n) continue;
        const auto& k = grid.knots[a];
        if (place + 2 < n) {
          // Second difference for uneven knots, scaled to the mean gap.
          const double h0 = k[place + 1] - k[place], h1 = k[place + 2] - k[place + 1];
          const std::array<double, 3> w = {2 * h1 / (h0 + h1), -2.0, 2 * h0 / (h0 + h1)};
          for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j)
              entries.emplace_back(cell + i * inner, cell + j * inner, smooth[a] * w[i] * w[j]);
        }
        // A little of first differences, so that edges without data follow their neighbour.
        const double first = 0.02 * smooth[a];
        entries.emplace_back(cell, cell, first);
        entries.emplace_back(cell + inner, cell + inner, first);
        entries.emplace_back(cell, cell + inner, -first);
        entries.emplace_back(cell + inner, cell, -first);
      }
      inner *= n;
    }
    for (Eigen::Index c = 0; c < cells_; ++c) entries.emplace_back(c, c, kRidge);
    // One pattern for every solve: the lower half of what the penalty and any point touch.
    std::erase_if(entries, [](const auto& e) { return e.row() < e.col(); });
    for (const Grid::Corners& c : corners_)
      each_pair(c, [&](auto row, auto column, double) { entries.emplace_back(row, column, 0.0); });
    penalty_.setFromTriplets(entries.begin(), entries.end());
    places_.reserve(corners_.size() * 36);
    for (const Grid::Corners& c : corners_)
      each_pair(c, [&](auto row, auto column, double) {
        const int* rows = penalty_.innerIndexPtr();
        const int first = penalty_.outerIndexPtr()[column],
                  last = penalty_.outerIndexPtr()[column + 1];
        places_.push_back(static_cast<std::uint32_t>(
            std::lower_bound(rows + first, rows + last, static_cast<int>(row)) - rows));
      });
  }

  /// `start` gives the first weights; `kept(i)` says which points count.
  template <class Kept>
  [[nodiscard]] Eigen::VectorXd solve(const Eigen::VectorXd& start, int reweightings,
                                      const Kept& kept) const {
    Eigen::VectorXd x = start;
    Eigen::SparseMatrix<double> normal = penalty_;
    Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>> solver;
    solver.analyzePattern(normal);
    for (int round = 0; round < reweightings; ++round) {
      double* values = normal.valuePtr();
      for (Eigen::Index i = 0; i < normal.nonZeros(); ++i)
        values[i] = penalty_.valuePtr()[i] * kHuber;
      Eigen::VectorXd right = Eigen::VectorXd::Zero(cells_);
      const std::uint32_t* place = places_.data();
      for (std::size_t i = 0; i < corners_.size(); ++i) {
        const Grid::Corners& c = corners_[i];
        if (!kept(i)) {
          place += c.count * (c.count + 1) / 2;
          continue;
        }
        const double residual = target_[i] - at(x, i);
        const double weight =
            round == 0 && start.isZero() ? 1.0 : 1.0 / std::max(kHuber, std::abs(residual));
        const double scaled = weight * kHuber;
        for (int p = 0; p < c.count; ++p) {
          const auto pc = static_cast<std::size_t>(p);
          right[c.cell[pc]] += scaled * static_cast<double>(c.weight[pc]) * target_[i];
        }
        each_pair(c, [&](auto, auto, double w) { values[*place++] += scaled * w; });
      }
      // Exact, not iterative: a guess that knows the points left out must not survive in cells
      // that hardly matter to the rest.
      solver.factorize(normal);
      x = solver.solve(right);
    }
    return x;
  }
  [[nodiscard]] double at(const Eigen::VectorXd& x, std::size_t point) const {
    const Grid::Corners& c = corners_[point];
    double sum = 0;
    for (int i = 0; i < c.count; ++i) {
      const auto k = static_cast<std::size_t>(i);
      sum += static_cast<double>(c.weight[k]) * x[c.cell[k]];
    }
    return sum;
  }
  [[nodiscard]] double target(std::size_t point) const { return target_[point]; }
  [[nodiscard]] Eigen::Index cells() const { return cells_; }

 private:
  /// Every pair of corners of the lower half with the product of their weights.
  template <class Do>
  static void each_pair(const Grid::Corners& c, const Do& action) {
    for (int p = 0; p < c.count; ++p) {
      for (int q = 0; q <= p; ++q) {
        const auto a = static_cast<std::size_t>(p), b = static_cast<std::size_t>(q);
        action(std::max(c.cell[a], c.cell[b]), std::min(c.cell[a], c.cell[b]),
               static_cast<double>(c.weight[a]) * static_cast<double>(c.weight[b]));
      }
    }
  }

  Eigen::Index cells_;
  Eigen::SparseMatrix<double> penalty_;  // lower half, with the pattern of every normal matrix
  std::vector<std::uint32_t> places_;    // of each point's pairs in the values of that matrix
  std::vector<Grid::Corners> corners_;
  std::vector<double> target_;
};

void quantise(const Eigen::VectorXd& x, Grid& grid) {
  const double most = x.size() == 0 ? 0.0 : x.cwiseAbs().maxCoeff();
  grid.step = static_cast<float>(std::max(most / 127.0, 1e-4));
  // As it will be written, so that a profile read back is the profile fitted.
  grid.step = std::round(grid.step * 1e6F + 0.5F) / 1e6F;
  grid.cells.resize(static_cast<std::size_t>(x.size()));
  for (Eigen::Index i = 0; i < x.size(); ++i)
    grid.cells[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(
        std::clamp(std::round(x[i] / static_cast<double>(grid.step)), -127.0, 127.0));
}

void describe(std::vector<double> log_ratio, cost::Residuals& residuals, float& median,
              float& p90) {
  if (log_ratio.empty()) return;
  std::vector<double> ape;
  for (const double e : log_ratio) ape.push_back(std::abs(std::exp(-e) - 1.0));
  std::sort(ape.begin(), ape.end());
  std::sort(log_ratio.begin(), log_ratio.end());
  median = static_cast<float>(quantile(ape, 0.5));
  p90 = static_cast<float>(quantile(ape, 0.9));
  static constexpr std::array kQuantiles = {0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95};
  for (std::size_t i = 0; i < kQuantiles.size(); ++i)
    residuals.at[i] = static_cast<float>(quantile(log_ratio, kQuantiles[i]));
  residuals.points = static_cast<std::uint32_t>(log_ratio.size());
}

}  // namespace

std::vector<float> knots_of(std::vector<float> values, float apart, std::size_t most) {
  std::sort(values.begin(), values.end());
  std::vector<float> knots;
  for (const float v : values)
    if (knots.empty() || v - knots.back() >= apart) knots.push_back(v);
  if (!values.empty() && values.back() > knots.back() + 0.25F * apart)
    knots.push_back(values.back());
  while (knots.size() > most && knots.size() > 2) {
    // The knot that its neighbours miss least.
    std::size_t worst = 1;
    for (std::size_t i = 2; i + 1 < knots.size(); ++i)
      if (knots[i + 1] - knots[i - 1] < knots[worst + 1] - knots[worst - 1]) worst = i;
    knots.erase(knots.begin() + static_cast<std::ptrdiff_t>(worst));
  }
  return knots;
}

Curve fit_curve(std::span<const FitPoint> points, const FitOptions& options) {
  Curve curve;
  curve.roofline = fit_roofline(points, options);
  curve.grid.knots = options.knots;
  curve.rows = static_cast<std::uint32_t>(points.size());
  const GridFit fit(points, curve.roofline, curve.grid, options.smooth);
  const Eigen::VectorXd zero = Eigen::VectorXd::Zero(fit.cells());
  const Eigen::VectorXd cells = fit.solve(zero, kReweightings, [](std::size_t) { return true; });
  quantise(cells, curve.grid);

  const auto cross = [&](const auto& fold_of) {
    std::vector<double> log_ratio;
    for (int fold = 0; fold < options.folds; ++fold) {
      const auto kept = [&](std::size_t i) { return fold_of(i) != fold; };
      const Eigen::VectorXd x = fit.solve(cells, 2, kept);
      for (std::size_t i = 0; i < points.size(); ++i)
        if (!kept(i)) log_ratio.push_back(fit.target(i) - fit.at(x, i));
    }
    return log_ratio;
  };
  const auto folds = static_cast<std::uint64_t>(options.folds);
  if (points.size() >= 2 * folds) {
    describe(cross([&](std::size_t i) { return static_cast<int>(mix(i) % folds); }), curve.by_point,
             curve.median_point, curve.p90_point);
    describe(
        cross([&](std::size_t i) { return static_cast<int>(mix(points[i].site + 77) % folds); }),
        curve.by_site, curve.median_site, curve.p90_site);
  }
  return curve;
}

}  // namespace portolan::measure
