// Time and energy of one step of an inference engine on given hardware, compiled once per (model, machine, deployment) into tables
// so that a query costs nanoseconds and allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/derivation.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/machine.hpp"
#include "model/architecture.hpp"
#include "model/operators.hpp"

namespace portolan::cost {

/// How one replica is laid out and stored.
struct Deployment {
  int tp = 1, pp = 1, ep = 1;
  model::Format weights = model::Format::kBf16;
  bool own_format = true;            // keep the checkpoint's own mixed formats; `weights` then names the bulk
  double kv_bytes_per_element = 2;
  [[nodiscard]] int accelerators() const { return tp * pp; }
};

/// What one step computes. Counts are averages, so they may be fractional.
struct Batch {
  double decode_requests = 0;   // requests that generate one token
  double decode_context = 0;    // mean tokens attended by each of them
  double prefill_requests = 0;  // prompt chunks in the step
  double prefill_tokens = 0;    // new prompt tokens over all chunks
  double prefill_cached = 0;    // mean tokens already cached per chunk
  double sampled = 0;           // positions that go through the head
};

enum class Bound : std::uint8_t { kCompute, kMemory, kCommunication, kOverhead };
std::string_view bound_name(Bound bound);

struct StepTime {
  Seconds total{0};                       // latency of one step through all pipeline stages
  Seconds stage{0};                       // slowest stage: one over this is the step rate when the pipeline is full
  std::array<Seconds, 4> by_bound{};      // shares of `total` by Bound
  [[nodiscard]] Bound bound() const;
};

/// Host overhead of an engine (cost-model.md §11.2): per step, per layer, per request. Named and sourced, never hidden.
struct EngineOverhead {
  std::string engine;                    // "vllm-0.15"
  Seconds per_step{0}, per_layer{0}, per_request{0};
  Seconds front_end{0}, after_decode{0}, per_output_token{0};
  std::string source, date;
};
const EngineOverhead& default_engine();

class StepModel {
 public:
  /// Errors: infeasible with the reason in the message (tp does not divide the heads, experts not divisible, format unsupported …);
  /// `code` is kInfeasible and `why` names the closed-set reason of contract.md ("precision_unsupported", "interconnect", "engine_unsupported").
  static Result<StepModel> compile(const model::Architecture& architecture, const Machine& machine, const Deployment& deployment,
                                   const EngineOverhead& engine);

  [[nodiscard]] StepTime time(const Batch& batch) const;      // allocates nothing
  [[nodiscard]] Joules energy(const Batch& batch, const StepTime& time) const;  // all accelerators of the replica
  /// Exact (not tabulated) evaluation, operator by operator: the reference for the tables and the source of --explain.
  struct OperatorTime { std::string name; double count = 0; Flop flop{0}; Bytes bytes{0}; Seconds seconds{0}; Bound bound = Bound::kMemory; };
  [[nodiscard]] std::vector<OperatorTime> breakdown(const Batch& batch) const;
  [[nodiscard]] const Machine& machine() const { return machine_; }
  [[nodiscard]] const Deployment& deployment() const { return deployment_; }

 private:
  // One table over tokens per step for everything that depends on the number of tokens alone, by Bound; attention stays closed form.
  static constexpr std::size_t kKnots = 96;
  struct Row { std::array<float, 4> seconds{}; };
  Machine machine_;
  Deployment deployment_;
  EngineOverhead engine_;
  std::vector<model::Operator> operators_;
  std::vector<double> knots_;
  std::vector<std::array<double, 4>> token_seconds_;     // by Bound
  std::vector<std::array<double, 4>> sampled_seconds_;   // head rows
  struct AttentionTerm {
    double count = 0, heads = 0, kv_heads = 0, d_qk = 0, d_v = 0, window = 0, sparse_top = 0;
    double flop_per_pair = 0, kv_bytes_per_position = 0, io_bytes_per_token = 0;
    double prefill_flop_per_pair = 0, prefill_kv_bytes_per_position = 0;
  };
  std::vector<AttentionTerm> attention_;
  struct ScanTerm { double count = 0, decode_bytes_per_request = 0, prefill_flop = 0, decode_flop = 0, io_bytes = 0; };
  std::vector<ScanTerm> scans_;
  double layers_ = 0;
};

}  // namespace portolan::cost
