#include "measure/training_fit.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "base/parallel.hpp"
#include "measure/score.hpp"
#include "measure/training_architecture.hpp"
#include "measure/training_setting.hpp"

namespace portolan::measure {
namespace {

using training::Stack;

#define PORTOLAN_LEVER(field)                     \
  [](const Stack& stack) { return stack.field; }, \
      [](Stack& stack, double value) { stack.field = value; }

constexpr Lever kLevers[] = {
    {"product_share", PORTOLAN_LEVER(product_share), 0.3, 1.1, 0.15, true},
    {"low_precision_share", PORTOLAN_LEVER(low_precision_share), 0.3, 1.2, 0.15, true},
    {"grouped_share", PORTOLAN_LEVER(grouped_share), 0.1, 1, 0.3, true},
    {"fp4_share", PORTOLAN_LEVER(fp4_share), 0.3, 2, 0.2, true},
    {"ultra_share", PORTOLAN_LEVER(ultra_share), 0.7, 1.5, 0.1, true},
    {"routed_passes", PORTOLAN_LEVER(routed_passes), 0.3, 20, 0.7, true},
    {"scan", PORTOLAN_LEVER(corrections.scan), 0.3, 20, 0.7, true},
    {"short_products", PORTOLAN_LEVER(short_products), 0, 3, 0.5, false},
    {"wave_products", PORTOLAN_LEVER(wave_products), 0, 2, 0.5, false},
    {"attention_share", PORTOLAN_LEVER(attention_share), 0.2, 1.3, 0.25, true},
    {"attention_share_hopper", PORTOLAN_LEVER(attention_share_hopper), 0.2, 1.2, 0.25, true},
    {"misaligned", PORTOLAN_LEVER(misaligned), 0, 0.5, 0.1, false},
    {"elementwise_passes", PORTOLAN_LEVER(elementwise_passes), 0.3, 6, 0.5, true},
    {"data_overlap", PORTOLAN_LEVER(data_overlap), 0, 1, 0.3, false},
    {"tensor_overlap", PORTOLAN_LEVER(tensor_overlap), 0, 1, 0.3, false},
    {"expert_overlap", PORTOLAN_LEVER(expert_overlap), 0, 1, 0.3, false},
    {"pipeline_overlap", PORTOLAN_LEVER(pipeline_overlap), 0, 1, 0.5, false},
    {"straggler_per_decade", PORTOLAN_LEVER(straggler_per_decade), 0, 0.2, 0.03, false},
    {"linear", PORTOLAN_LEVER(corrections.linear), 0.3, 3, 0.3, true},
    {"elementwise", PORTOLAN_LEVER(corrections.elementwise), 0.2, 5, 0.5, true},
    {"head", PORTOLAN_LEVER(corrections.head), 0.3, 6, 0.7, true},
    {"tensor", PORTOLAN_LEVER(corrections.tensor), 0.2, 6, 0.7, true},
    {"expert_exchange", PORTOLAN_LEVER(corrections.expert_exchange), 0.2, 6, 0.7, true},
    {"pipeline", PORTOLAN_LEVER(corrections.pipeline), 0.2, 20, 1, true},
    {"data", PORTOLAN_LEVER(corrections.data), 0.2, 20, 1, true},
    {"optimizer", PORTOLAN_LEVER(corrections.optimizer), 0.2, 6, 0.7, true},
    {"host_per_layer", [](const Stack& stack) { return stack.host_per_layer.raw(); },
     [](Stack& stack, double value) { stack.host_per_layer = Seconds{value}; }, 1e-5, 2e-2, 0.7,
     true},
    {"host_per_step", [](const Stack& stack) { return stack.host_per_step.raw(); },
     [](Stack& stack, double value) { stack.host_per_step = Seconds{value}; }, 1e-3, 1, 1, true},
};
#undef PORTOLAN_LEVER

constexpr double kHuber = 0.10;  // of a logarithm: beyond it a residual counts linearly
constexpr double kNoise = 0.10;  // of one row, against which the prior is weighed
constexpr int kRounds = 8;

double to_free(const Lever& lever, double value) { return lever.ratio ? std::log(value) : value; }
double to_value(const Lever& lever, double free) {
  return std::clamp(lever.ratio ? std::exp(free) : free, lever.low, lever.high);
}

/// Solves the symmetric positive definite system a·x = b in place, by Cholesky.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j][j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k][i] * b[k];
    b[i] /= a[i][i];
  }
  return b;
}

class Fitter {
 public:
  Fitter(std::span<const StepPoint> points, Stack start, std::vector<const Lever*> levers)
      : points_(points), start_(start), levers_(std::move(levers)) {
    for (const Lever* lever : levers_) origin_.push_back(to_free(*lever, lever->get(start_)));
  }

  [[nodiscard]] Stack stack_at(std::span<const double> x) const {
    Stack stack = start_;
    for (std::size_t i = 0; i < levers_.size(); ++i)
      levers_[i]->set(stack, to_value(*levers_[i], x[i]));
    return stack;
  }

  [[nodiscard]] double residual(std::size_t point, const Stack& stack) const {
    const double predicted = points_[point].predict(stack);
    return predicted > 0 ? std::log(predicted / points_[point].measured) : 0;
  }

  /// The constants that fit the points for which `in` holds.
  template <class In>
  std::vector<double> fit(std::vector<double> x, In in, int rounds) const {
    const std::size_t n = levers_.size();
    double damping = 1e-3, now = loss(x, in);
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::vector<double>> normal(n, std::vector<double>(n, 0));
      std::vector<double> gradient(n, 0);
      for (std::size_t i = 0; i < n; ++i) {
        const double precision = 1 / (levers_[i]->spread * levers_[i]->spread);
        normal[i][i] += precision;
        gradient[i] -= precision * (x[i] - origin_[i]);
      }
      const Stack stack = stack_at(x);
      std::vector<Stack> moved;
      std::vector<double> steps;
      for (std::size_t i = 0; i < n; ++i) {
        std::vector<double> other = x;
        double h = levers_[i]->ratio ? 0.01 : 0.01 * (levers_[i]->high - levers_[i]->low);
        if (to_value(*levers_[i], x[i] + h) >= levers_[i]->high) h = -h;
        other[i] += h;
        moved.push_back(stack_at(other));
        steps.push_back(h);
      }
      std::vector<double> slope(n);
      for (std::size_t p = 0; p < points_.size(); ++p) {
        if (!in(p)) continue;
        const double r = residual(p, stack);
        const double weight =
            std::min(1.0, kHuber / std::max(1e-9, std::abs(r))) / (kNoise * kNoise);
        for (std::size_t i = 0; i < n; ++i) slope[i] = (residual(p, moved[i]) - r) / steps[i];
        for (std::size_t i = 0; i < n; ++i) {
          gradient[i] -= weight * slope[i] * r;
          for (std::size_t j = 0; j < n; ++j) normal[i][j] += weight * slope[i] * slope[j];
        }
      }
      bool better = false;
      for (int attempt = 0; attempt < 6 && !better; ++attempt) {
        auto damped = normal;
        for (std::size_t i = 0; i < n; ++i) damped[i][i] *= 1 + damping;
        const std::vector<double> step = solve(damped, gradient);
        std::vector<double> next = x;
        for (std::size_t i = 0; i < n; ++i)
          next[i] = to_free(*levers_[i], to_value(*levers_[i], x[i] + step[i]));
        const double there = loss(next, in);
        better = there < now * (1 - 1e-5);
        if (there < now) {
          x = next;
          now = there;
        }
        damping = better ? damping / 5 : damping * 8;
      }
      if (!better) break;
    }
    return x;
  }

  [[nodiscard]] const std::vector<double>& origin() const { return origin_; }

 private:
  template <class In>
  double loss(std::span<const double> x, In in) const {
    const Stack stack = stack_at(x);
    double sum = 0;
    for (std::size_t i = 0; i < levers_.size(); ++i) {
      const double z = (x[i] - origin_[i]) / levers_[i]->spread;
      sum += z * z / 2;
    }
    for (std::size_t p = 0; p < points_.size(); ++p) {
      if (!in(p)) continue;
      const double r = std::abs(residual(p, stack));
      sum += (r < kHuber ? r * r / 2 : kHuber * (r - kHuber / 2)) / (kNoise * kNoise);
    }
    return sum;
  }

  std::span<const StepPoint> points_;
  Stack start_;
  std::vector<const Lever*> levers_;
  std::vector<double> origin_;
};

}  // namespace

std::span<const Lever> stack_levers() { return kLevers; }

StepErrors step_errors(std::vector<double> ratios) {
  StepErrors errors;
  errors.n = ratios.size();
  if (ratios.empty()) return errors;
  std::sort(ratios.begin(), ratios.end());
  errors.bias = quantile(ratios, 0.5) - 1;
  for (double& ratio : ratios) ratio = std::abs(ratio - 1);
  std::sort(ratios.begin(), ratios.end());
  for (const double ape : ratios) errors.mean_ape += ape / static_cast<double>(ratios.size());
  errors.median_ape = quantile(ratios, 0.5);
  errors.p90_ape = quantile(ratios, 0.9);
  return errors;
}

StackFit fit_stack(std::span<const StepPoint> points, const Stack& start,
                   std::span<const std::string> names) {
  std::vector<const Lever*> levers;
  for (const std::string& name : names) {
    for (const Lever& lever : kLevers) {
      if (lever.name == name) levers.push_back(&lever);
    }
  }
  const Fitter fitter(points, start, levers);
  StackFit result;
  const auto errors_of = [&](const Stack& stack, auto in, std::vector<double>& ratios) {
    for (std::size_t p = 0; p < points.size(); ++p) {
      const double predicted = in(p) ? points[p].predict(stack) : 0;
      if (predicted > 0) ratios.push_back(predicted / points[p].measured);
    }
  };
  const auto all = [](std::size_t) { return true; };
  std::vector<double> before, fitted, left_out;
  errors_of(start, all, before);
  const std::vector<double> x = fitter.fit(fitter.origin(), all, kRounds);
  result.stack = fitter.stack_at(x);
  for (std::size_t i = 0; i < levers.size(); ++i)
    result.values.push_back(levers[i]->get(result.stack));
  errors_of(result.stack, all, fitted);

  std::map<std::string, std::size_t> folds;
  for (const StepPoint& point : points) folds.emplace(point.group, folds.size());
  constexpr std::size_t kParts = 5;
  const bool parts = folds.size() < 2;
  const std::size_t count = parts ? kParts : folds.size();
  for (std::size_t fold = 0; fold < count; ++fold) {
    const auto out = [&](std::size_t p) {
      return parts ? p % kParts == fold : folds.at(points[p].group) == fold;
    };
    const auto y = fitter.fit(fitter.origin(), [&](std::size_t p) { return !out(p); }, kRounds);
    errors_of(fitter.stack_at(y), out, left_out);
  }
  result.before = step_errors(std::move(before));
  result.fitted = step_errors(std::move(fitted));
  result.left_out = step_errors(std::move(left_out));
  return result;
}

std::vector<StepPoint> step_points(const Table& table, const KnownThings& known,
                                   std::string_view stack) {
  std::vector<StepPoint> points;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    if (stack_of(row).name != stack) continue;
    std::string reason;
    auto setting = training_setting(row, known.accelerators, reason);
    if (!setting || !setting->strategy_known || !setting->precision_known) continue;
    const auto architecture = training_architecture(row, known.models);
    const double batch = setting->job.global_batch_tokens;
    const auto measured = published_step(row, architecture, batch);
    if (!architecture || !measured || *measured <= 0 || columns_disagree(row, *architecture))
      continue;
    auto shared = std::make_shared<const Setting>(*std::move(setting));
    auto model = std::make_shared<const model::Architecture>(*architecture);
    points.push_back({.group = row.text("model"),
                      .measured = *measured,
                      .predict = [shared, model, batch](const Stack& with) {
                        training::Job job = shared->job;
                        const bool sequence_parallel = job.stack.sequence_parallel;
                        const double overlap = job.stack.tensor_overlap,
                                     own = training::find_stack(job.stack.name)->tensor_overlap;
                        job.stack = with;
                        job.stack.sequence_parallel = sequence_parallel;
                        if (overlap != own) job.stack.tensor_overlap = overlap;
                        Setting run_as = *shared;
                        run_as.job = job;
                        const auto trainer =
                            training::Trainer::compile(*model, run_as.machine, job);
                        if (!trainer) return 0.0;
                        const auto run = predicted_run(run_as, *trainer);
                        return run ? run->step.raw() * batch / std::max(1.0, run->batch_tokens) : 0;
                      }});
  }
  return points;
}

}  // namespace portolan::measure
