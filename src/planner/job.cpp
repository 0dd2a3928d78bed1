#include "planner/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "io/fields.hpp"
#include "model/numeric_format.hpp"
#include "planner/job_fields.hpp"

namespace portolan::planner {
namespace {

// Caps that no real job comes near; they keep every product below the range of a double's integers.
constexpr double kMostTokens = 1e18, kMostRequests = 1e15, kMostRate = 1e7, kMostPerRequest = 1e8;
constexpr double kHighestUtilisation = 0.95;  // serving.md 2.4: above it no latency is believed

constexpr std::array<std::string_view, 4> kJobs{"serve", "batch", "train", "finetune"};

class JobReader {
 public:
  JobReader(const io::Value& document, io::Problems& problems)
      : problems_(problems), top_(document, "", problems) {}

  Job read() {
    if (!top_.value().is_object()) return {};
    const bool kind_known = read_kind();
    read_models();
    read_formats();
    if (const auto name = top_.text("name")) job_.name = *name;
    if (const auto engine = top_.text("engine")) job_.engine = to_lower(trim(*engine));
    if (job_.engine && job_.engine->empty()) top_.problem("engine", "an empty name");
    if (const io::Value* where = top_.get("where")) {
      job_.where = read_where(*where, top_.pointer("where"), job_.kind, problems_);
    }
    // Which other keys make sense depends on the kind: without it every one of them would be a
    // problem that is none.
    if (!kind_known) return {};
    read_traffic();
    read_slo();
    read_replicas();
    read_run();
    job_.deadline = positive_duration(top_, "deadline");
    refuse_unless(job_.kind != JobKind::kServe, "deadline",
                  "a serving job runs until it is stopped; for a finite amount of work use "
                  "job: batch");
    refuse_what_stands_elsewhere();
    top_.finish();
    return std::move(job_);
  }

 private:
  // A key that exists, but not for this kind of job, deserves a reason and not "unknown key".
  void refuse_unless(bool allowed, std::string_view key, std::string hint) {
    if (allowed || top_.get(key) == nullptr) return;
    top_.problem(key, fmt::format("has no meaning in a {} job", job_name(job_.kind)),
                 std::move(hint));
  }

  // What people write at the top and the job has inside of `where`.
  void refuse_what_stands_elsewhere() {
    for (const std::string_view key :
         {"max_usd_per_hour", "max_usd_total", "gpus", "regions", "countries", "providers",
          "exclude_providers", "purchase", "max_accelerators", "max_nodes", "quotas",
          "max_price_age", "interconnect"}) {
      if (top_.value().find(key) != nullptr && top_.get(key) != nullptr)
        top_.problem(key, fmt::format("{} stands inside of where", quoted(key)),
                     fmt::format("where: {{{}: …}}", key));
    }
    for (const std::string_view key : {"budget", "max_price", "max_cost"}) {
      if (top_.value().find(key) != nullptr && top_.get(key) != nullptr)
        top_.problem(key, "unknown key " + quoted(key),
                     "a limit on money is where: {max_usd_per_hour: …} or {max_usd_total: …}");
    }
  }

  bool read_kind() {
    if (top_.get("job") == nullptr) {
      problems_.add(top_.value(), "", "missing key \"job\"",
                    "job: serve, batch, train or finetune");
      return false;
    }
    const std::optional<std::string> text = top_.text("job");
    if (!text) return false;
    const auto* const found = std::find(kJobs.begin(), kJobs.end(), to_lower(*text));
    if (found == kJobs.end()) {
      const std::string guess = did_you_mean(*text, kJobs);
      top_.problem("job", fmt::format("unknown job {}", quoted(*text)),
                   guess.empty() ? "jobs: serve, batch, train, finetune" : guess);
      return false;
    }
    job_.kind = static_cast<JobKind>(found - kJobs.begin());
    return true;
  }

  void add_model(const io::Value& value, const std::string& pointer) {
    Candidate candidate;
    if (value.is_object()) {
      io::Fields fields(value, pointer, problems_);
      fields.require("name");
      candidate.model = fields.text("name").value_or("");
      candidate.quality = fields.number("quality", 0, 1e9);
      fields.finish();
      if (fields.get("name") == nullptr) return;
    } else if (value.is_string() || value.is_number()) {
      candidate.model = value.scalar_text();
    } else {
      problems_.add(value, pointer, "model: expected a name, or a mapping with name and quality",
                    "model: [{name: llama-3.1-8b, quality: 0.73}]");
      return;
    }
    if (trim(candidate.model).empty()) {
      problems_.add(value, pointer, "model: an empty name");
      return;
    }
    for (const Candidate& other : job_.models) {
      if (to_lower(other.model) == to_lower(candidate.model)) {
        problems_.add(value, pointer,
                      fmt::format("model: {} appears twice", quoted(candidate.model)));
        return;
      }
    }
    job_.models.push_back(std::move(candidate));
  }

  void read_models() {
    job_.min_quality = top_.number("min_quality", 0, 1e9);
    if (!top_.require("model")) return;
    const io::Value* value = top_.get("model");
    if (value == nullptr) return;
    const std::string pointer = top_.pointer("model");
    if (!value->is_array()) {
      add_model(*value, pointer);
    } else if (value->array().empty() || value->array().size() > kMostNames) {
      top_.problem("model", fmt::format("a list of {} models", value->array().size()),
                   fmt::format("name 1 to {}", kMostNames));
    } else {
      for (std::size_t i = 0; i < value->array().size(); ++i) {
        add_model(value->array()[i], pointer + "/" + std::to_string(i));
      }
    }
    const bool scored = std::any_of(job_.models.begin(), job_.models.end(),
                                    [](const Candidate& c) { return c.quality.has_value(); });
    if (job_.min_quality && !scored && !job_.models.empty()) {
      top_.problem("min_quality", "no model has a quality to compare with",
                   "model: [{name: …, quality: 0.7}]");
    }
  }

  void read_formats() {
    job_.precision = names(top_, "precision");
    for (const std::string& name : job_.precision) {
      const Result<model::Format> format = model::parse_format(name);
      if (!format) {
        top_.problem("precision", format.error().message, format.error().hint);
        continue;
      }
      const bool trains = *format == model::Format::kBf16 || *format == model::Format::kFp16 ||
                          *format == model::Format::kFp8 || *format == model::Format::kFp32;
      if (is_training(job_.kind) && !trains) {
        top_.problem("precision", fmt::format("{} is not trained in", quoted(name)),
                     "bf16, fp16, fp8 or fp32; for 4-bit frozen weights use method: qlora");
      }
    }
    job_.kv_precision = names(top_, "kv_precision");
    for (const std::string& name : job_.kv_precision) {
      const Result<double> bytes = model::kv_bytes_per_element(name);
      if (!bytes) {
        top_.problem("kv_precision", bytes.error().message, bytes.error().hint);
      }
    }
    refuse_unless(!is_training(job_.kind), "kv_precision", "training keeps no KV cache");
  }

  void read_hourly(io::Fields& fields) {
    const io::Value* value = fields.get("hourly");
    if (value == nullptr) return;
    if (!value->is_array() || value->array().size() != 24) {
      fields.problem("hourly", "expected 24 rates, one for each hour of a day",
                     "requests per second, midnight first: hourly: [1, 1, 0.5, …]");
      return;
    }
    double sum = 0;
    for (std::size_t i = 0; i < value->array().size(); ++i) {
      const io::Value& item = value->array()[i];
      const Result<double> rate = is_scalar(item)
                                      ? parse_requests_per_second(item.scalar_text())
                                      : fail(ErrorCode::kInvalidInput, "expected a rate");
      if (!rate || *rate < 0 || *rate > kMostRate) {
        problems_.add(
            item, fmt::format("{}/{}", fields.pointer("hourly"), i),
            rate ? fmt::format("hourly: {} is outside 0..{}", shortest(*rate), shortest(kMostRate))
                 : fmt::format("hourly: {}", rate.error().message));
        return;
      }
      job_.traffic.hourly.push_back(*rate);
      sum += *rate;
    }
    if (sum <= 0) fields.problem("hourly", "every hour is 0");
  }

  void read_rates(io::Fields& fields) {
    read_hourly(fields);
    const auto rate =
        positive(fields, "requests_per_second",
                 parsed(fields, "requests_per_second", parse_requests_per_second), kMostRate);
    double factor = fields.number("peak_factor", 1, 1e4).value_or(1);
    Traffic& traffic = job_.traffic;
    if (!traffic.hourly.empty()) {
      if (fields.get("requests_per_second") != nullptr) {
        fields.problem("requests_per_second", "given beside hourly: which one is the demand?",
                       "keep one; the mean of hourly is used as the mean rate");
      }
      double sum = 0;
      for (const double hour : traffic.hourly) sum += hour;
      traffic.requests_per_second = sum / 24;
      traffic.peak_requests_per_second =
          factor * *std::max_element(traffic.hourly.begin(), traffic.hourly.end());
    } else if (fields.get("hourly") == nullptr && fields.require("requests_per_second") && rate) {
      traffic.requests_per_second = *rate;
      traffic.peak_requests_per_second = *rate * factor;
    }
  }

  void read_traffic() {
    const bool wanted = !is_training(job_.kind);
    refuse_unless(wanted, "traffic", "a training job is described by tokens, sequence_length …");
    if (!wanted || !top_.require("traffic")) return;
    const io::Value* value = top_.get("traffic");
    if (value == nullptr) return;
    io::Fields fields(*value, top_.pointer("traffic"), problems_);
    if (!value->is_object()) return;
    if (fields.get("trace") != nullptr) {
      fields.problem(
          "trace", "plans are sized from rates and mean lengths, traces are not read yet",
          "give requests_per_second (or 24 hourly rates), input_tokens and output_tokens of the "
          "trace");
      (void)fields.get("requests_per_second");
      (void)fields.get("input_tokens");
      (void)fields.get("output_tokens");
      return;
    }
    const bool serving = job_.kind == JobKind::kServe;
    const auto only = [&](bool allowed, std::string_view key, std::string_view hint) {
      if (allowed || fields.get(key) == nullptr) return;
      fields.problem(key, fmt::format("has no meaning in a {} job", job_name(job_.kind)),
                     std::string(hint));
    };
    for (const std::string_view key : {"requests_per_second", "hourly", "peak_factor"}) {
      only(serving, key, "a batch job has requests and a deadline");
    }
    only(!serving, "requests", "a serving job has a rate: requests_per_second");
    if (serving) {
      read_rates(fields);
    } else if (fields.require("requests")) {
      const auto requests = positive(fields, "requests", fields.count("requests"), kMostRequests);
      job_.traffic.requests = requests.value_or(0);
    }
    serving::Workload& work = job_.traffic.work;
    fields.require("input_tokens");
    fields.require("output_tokens");
    work.input_tokens =
        positive(fields, "input_tokens", fields.count("input_tokens"), kMostPerRequest).value_or(0);
    const auto output = fields.count("output_tokens");
    if (output && (*output < 1 || *output > kMostPerRequest)) {
      fields.problem("output_tokens", fmt::format("{} is outside 1..1e8", shortest(*output)));
    }
    work.output_tokens = output.value_or(0);
    work.cached_share = fields.share("cached_share").value_or(0);
    if (work.cached_share >= 1) {
      fields.problem("cached_share", "at least one prompt token is always computed");
    }
    fields.finish();
  }

  void read_slo() {
    refuse_unless(job_.kind == JobKind::kServe, "slo",
                  "latency targets belong to job: serve; a batch or training job has a deadline");
    const io::Value* value = top_.get("slo");
    if (value == nullptr || job_.kind != JobKind::kServe) return;
    io::Fields fields(*value, top_.pointer("slo"), problems_);
    if (!value->is_object()) return;
    job_.slo.ttft_p95 = positive_duration(fields, "ttft_p95");
    job_.slo.tpot_p95 = positive_duration(fields, "tpot_p95");
    job_.slo.ttft_mean = positive_duration(fields, "ttft_mean");
    job_.slo.tpot_mean = positive_duration(fields, "tpot_mean");
    job_.slo.e2e_p95 = positive_duration(fields, "e2e_p95");
    fields.finish();
  }

  void read_replicas() {
    const bool serving = job_.kind == JobKind::kServe;
    refuse_unless(serving, "max_utilisation", "only a serving job queues");
    refuse_unless(serving, "spare_replicas", "only a serving job keeps spares");
    if (const auto share = top_.share("max_utilisation")) {
      job_.max_utilisation = *share;
      if (*share <= 0 || *share > kHighestUtilisation) {
        top_.problem(
            "max_utilisation",
            fmt::format("{} is outside 0..{}", shortest(*share), shortest(kHighestUtilisation)),
            "above 0.95 queues have no steady length");
      }
    }
    if (const auto spare = top_.integer("spare_replicas", 0, 10'000)) {
      job_.spare_replicas = static_cast<int>(*spare);
    }
    refuse_unless(!is_training(job_.kind), "max_accelerators_per_replica",
                  "limit a training job with where: {max_accelerators: …}");
    job_.max_accelerators_per_replica = top_.integer("max_accelerators_per_replica", 1, 1'000'000);
  }

  // A key whose text must be one of a few words.
  template <class T, std::size_t kCount>
  std::optional<T> word(std::string_view key,
                        const std::array<std::pair<std::string_view, T>, kCount>& words) {
    const std::optional<std::string> text = top_.text(key);
    if (!text) return std::nullopt;
    std::string known;
    std::vector<std::string_view> all;
    for (const auto& [name, value] : words) {
      if (to_lower(*text) == name) return value;
      all.push_back(name);
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    const std::string guess = did_you_mean(*text, all);
    top_.problem(key, fmt::format("unknown {}", quoted(*text)),
                 guess.empty() ? "one of " + known : guess);
    return std::nullopt;
  }

  void read_run() {
    using training::Method;
    using training::Optimizer;
    const bool trains = is_training(job_.kind);
    const bool tunes = job_.kind == JobKind::kFinetune;
    const std::string hint = "it describes job: train and job: finetune";
    for (const std::string_view key : {"tokens", "sequence_length", "global_batch_tokens", "method",
                                       "lora_rank", "optimizer", "runs"}) {
      refuse_unless(trains, key, hint);
    }
    if (!trains) return;
    training::Job& run = job_.training;
    top_.require("tokens");
    run.tokens = positive(top_, "tokens", top_.count("tokens"), kMostTokens).value_or(0);
    if (!tunes) {
      top_.require("sequence_length");
      top_.require("global_batch_tokens");
    }
    // A fine-tuning job may leave these out: 4,096-token samples in batches of 32.
    run.sequence = positive(top_, "sequence_length", top_.count("sequence_length"), kMostPerRequest)
                       .value_or(tunes ? 4096 : 0);
    run.global_batch_tokens =
        positive(top_, "global_batch_tokens", top_.count("global_batch_tokens"), kMostTokens)
            .value_or(tunes ? 32 * run.sequence : 0);
    if (run.global_batch_tokens > 0 && run.global_batch_tokens < run.sequence) {
      top_.problem("global_batch_tokens",
                   fmt::format("{} is below one sequence of {} tokens",
                               shortest(run.global_batch_tokens), shortest(run.sequence)));
    }
    if (run.tokens > 0 && run.tokens < run.global_batch_tokens) {
      top_.problem("tokens", fmt::format("{} is below one global batch of {}", shortest(run.tokens),
                                         shortest(run.global_batch_tokens)));
    }
    constexpr std::array<std::pair<std::string_view, Method>, 3> kMethods{
        {{"full", Method::kFull}, {"lora", Method::kLora}, {"qlora", Method::kQlora}}};
    run.method = word("method", kMethods).value_or(tunes ? Method::kLora : Method::kFull);
    if (!tunes && run.method != Method::kFull) {
      top_.problem("method", "adapters are trained by job: finetune, not by job: train");
    }
    constexpr std::array<std::pair<std::string_view, Optimizer>, 7> kOptimizers{
        {{"adam", Optimizer::kAdamMixed},
         {"adam-fp32", Optimizer::kAdamFp32},
         {"adam-8bit", Optimizer::kAdam8bit},
         {"adafactor", Optimizer::kAdafactor},
         {"lion", Optimizer::kLion},
         {"muon", Optimizer::kMuon},
         {"sgd", Optimizer::kSgd}}};
    run.optimizer = word("optimizer", kOptimizers).value_or(Optimizer::kAdamMixed);
    if (const auto rank = top_.integer("lora_rank", 1, 65'536)) {
      run.lora_rank = *rank;
      if (run.method == Method::kFull) {
        top_.problem("lora_rank", "a rank without adapters: method is full",
                     "method: lora, or leave lora_rank out");
      }
    }
    job_.runs = top_.number("runs", 1, 1e6);
  }

  io::Problems& problems_;
  io::Fields top_;
  Job job_;
};

// Where the names stand that only the planner can look up.
void remember(const io::Value& value, const std::string& pointer, Job& job) {
  job.places.push_back({pointer, value.line, value.column});
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.array().size(); ++i) {
      remember(value.array()[i], fmt::format("{}/{}", pointer, i), job);
    }
  } else if (value.is_object()) {
    for (const io::Value::Member& member : value.object()) {
      remember(member.second, fmt::format("{}/{}", pointer, member.first), job);
    }
  }
}

}  // namespace

std::string_view job_name(JobKind kind) { return kJobs[static_cast<std::size_t>(kind)]; }

Where where_in(const Job& job, std::string pointer) {
  Where where;
  where.file = job.file;
  for (const Place& place : job.places) {
    if (place.pointer != pointer) continue;
    where.line = place.line;
    where.column = place.column;
  }
  where.pointer = std::move(pointer);
  return where;
}

Result<Job> read_job(const io::Value& document, const std::string& file) {
  io::Problems problems{.file = file, .errors = {}};
  Job job = JobReader(document, problems).read();
  if (problems.errors.empty()) {
    job.file = file;
    for (const char* const key : {"model", "where"}) {
      if (const io::Value* value = document.find(key))
        remember(*value, "/" + std::string(key), job);
    }
    return job;
  }
  return fail(combine(std::move(problems.errors), file.empty() ? "the job" : file));
}

}  // namespace portolan::planner
