// What is asked for: a serving, batch, training or fine-tuning job with its constraints, as written
// in JOB.yaml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "io/value.hpp"
#include "market/offer.hpp"
#include "serving/steady_state.hpp"
#include "training/run.hpp"

namespace portolan::planner {

enum class JobKind : std::uint8_t { kServe, kBatch, kTrain, kFinetune };
std::string_view job_name(JobKind kind);
/// Training and fine-tuning run `training::Trainer`; serving and batch run an inference engine.
constexpr bool is_training(JobKind kind) {
  return kind == JobKind::kTrain || kind == JobKind::kFinetune;
}

/// A model that may do the job, with the user's own quality score (R16).
struct Candidate {
  std::string model;
  std::optional<double> quality;
};

struct Traffic {
  double requests_per_second = 0;       // mean
  double peak_requests_per_second = 0;  // sizing rate: mean × peak factor, or the curve's top
  serving::Workload work;
  std::vector<double> hourly;  // requests per second for each hour of a day, empty = flat
  double requests = 0;         // batch: how many in all
};

/// What the user knows about supply (R2, R51). An empty field matches anything; the region is a
/// glob, the GPU uses the offers grammar.
struct Quota {
  std::string provider;
  double accelerators = 0;
};
struct SoldOut {
  std::string provider, region, gpu;
};

struct WhereToLook {
  // Empty = anywhere; regions are globs, gpus use the offers grammar.
  std::vector<std::string> providers, regions, countries, gpus;
  std::vector<std::string> exclude_providers;
  std::vector<market::Purchase> purchase;
  std::optional<UsdRate> max_usd_per_hour;
  std::optional<Usd> max_usd_total;
  std::optional<double> max_accelerators;  // quota: accelerators in all
  std::optional<double> max_nodes;
  std::optional<std::int32_t> max_price_age_days;
  bool announced = false;  // plan on announced parts too
  std::vector<Quota> quotas;
  std::vector<SoldOut> sold_out;
  bool need_scale_up_link = false;  // R53: NVLink or its like between the accelerators used
  bool need_rdma = false;           // R53: RDMA between nodes, where there is more than one
};

/// Where a value stands in the file, by JSON pointer.
struct Place {
  std::string pointer;
  std::uint64_t line = 0, column = 0;
};

struct Job {
  JobKind kind = JobKind::kServe;
  std::string name;
  std::vector<Candidate> models;
  std::optional<double> min_quality;
  Traffic traffic;
  serving::Slo slo;
  std::optional<Seconds> deadline;        // batch, train
  std::vector<std::string> precision;     // format names; empty = the checkpoint's own
  std::vector<std::string> kv_precision;  // empty = bf16
  std::optional<std::string> engine;
  double max_utilisation = 0.8;
  int spare_replicas = 0;
  training::Job training;      // train, finetune
  std::optional<double> runs;  // multiplier for failed and ablation runs (R31)
  WhereToLook where;
  std::optional<std::int64_t> max_accelerators_per_replica;
  std::string file;           // it was read from; empty for a request
  std::vector<Place> places;  // of /model and /where, for what only `plan` can judge
};
/// A position in the job's file: what an error about that value points at.
Where where_in(const Job& job, std::string pointer);

/// Reads a job document. All problems with their places, in file order; unknown keys with the
/// nearest known one. See docs/formats/job.md.
Result<Job> read_job(const io::Value& document, const std::string& file);

}  // namespace portolan::planner
