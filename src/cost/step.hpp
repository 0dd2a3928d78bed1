// Time and energy of one step of an inference engine on given hardware, compiled once per (model,
// machine, deployment) into tables so that a query costs nanoseconds and allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/derivation.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/machine.hpp"
#include "cost/power.hpp"
#include "model/architecture.hpp"
#include "model/operators.hpp"

namespace portolan::cost {

struct CoreCurves;
struct ExpertBlock;
struct KernelTime;

/// How one replica is laid out and stored.
struct Deployment {
  int tp = 1, pp = 1, ep = 1;
  model::Format weights = model::Format::kBf16;
  bool own_format = true;  // keep the checkpoint's own mixed formats; `weights` then names the bulk
  double kv_bytes_per_element = 2;
  [[nodiscard]] int accelerators() const { return tp * pp; }
};

/// What one step computes. Counts are averages, so they may be fractional.
struct Batch {
  double decode_requests = 0;   // requests that generate one token
  double decode_context = 0;    // mean tokens attended by each of them
  double decode_longest = 0;    // tokens attended by the longest; 0: all as the mean
  double prefill_requests = 0;  // prompt chunks in the step
  double prefill_tokens = 0;    // new prompt tokens over all chunks
  double prefill_cached = 0;    // mean tokens already cached per chunk
  double sampled = 0;           // positions that go through the head
  /// Attention data parallelism (ep > tp): tokens of the mean rank where this batch is that of the
  /// fullest one; the experts see the mean. 0: all ranks have as many.
  double mean_rank_tokens = 0;
  /// Speculative decoding with the model's own prediction layers: tokens drafted for each decoding
  /// request, one at a time by one layer and the head; the step verifies them with the next token.
  double drafted = 0;
  [[nodiscard]] double decode_tokens() const { return decode_requests * (1.0 + drafted); }
};

enum class Bound : std::uint8_t { kCompute, kMemory, kCommunication, kOverhead };
std::string_view bound_name(Bound bound);

struct StepTime {
  Seconds total{0};  // latency of one step through all pipeline stages
  Seconds stage{0};  // slowest stage: one over this is the step rate when the pipeline is full
  std::array<Seconds, 4> by_bound{};  // shares of `total` by Bound
  [[nodiscard]] Bound bound() const;
};

class StepModel {
 public:
  /// Errors: infeasible with the reason in the message (tp does not divide the heads, experts not
  /// divisible, format unsupported …); `code` is kInfeasible and `why` names the closed-set reason
  /// of contract.md ("precision_unsupported", "interconnect", "engine_unsupported").
  static Result<StepModel> compile(const model::Architecture& architecture, const Machine& machine,
                                   const Deployment& deployment, const Engine& engine);

  StepModel(const StepModel&);
  StepModel(StepModel&&) noexcept;
  StepModel& operator=(const StepModel&);
  StepModel& operator=(StepModel&&) noexcept;
  ~StepModel();

  [[nodiscard]] StepTime time(const Batch& batch) const;  // allocates nothing
  /// All accelerators of the replica, one step; nullopt when the board power of the accelerator is
  /// unknown.
  [[nodiscard]] std::optional<Joules> energy(const Batch& batch, const StepTime& time) const;
  /// Exact (not tabulated) evaluation, operator by operator: the reference for the tables and the
  /// source of --explain. FLOP, bytes and seconds are of all `count` executions on one rank; the
  /// seconds add up to StepTime::total.
  struct OperatorTime {
    std::string name;
    double count = 0;
    Flop flop{0};
    Bytes bytes{0};
    Seconds seconds{0};
    Bound bound = Bound::kMemory;
  };
  [[nodiscard]] std::vector<OperatorTime> breakdown(const Batch& batch) const;
  /// The machine compiled for; its tier and band are lowered where the architecture is not wholly
  /// known.
  [[nodiscard]] const Machine& machine() const { return machine_; }
  [[nodiscard]] const Deployment& deployment() const { return deployment_; }
  [[nodiscard]] const Engine& engine() const { return engine_; }
  /// The same step under another engine's host: kernels do not depend on it.
  void set_engine(const Engine& engine) { engine_ = engine; }
  /// All accelerators of the replica without work; nullopt as for energy.
  [[nodiscard]] std::optional<Watts> idle_power() const;

 private:
  /// Seconds by Bound, then the same seconds weighted with the share of the board limit.
  struct Row {
    std::array<double, 5> seconds{};
    void add(double count, const KernelTime& t, double power_share = 0);
  };
  /// Knots 2^e (1 + i/2^s): found from the bits of a double, linear between.
  class Table {
   public:
    static constexpr std::size_t kKnots = 87;
    static double knot(std::size_t index);
    std::array<Row, kKnots> rows{};
    void add_to(Row& sum, double tokens) const;
  };
  StepModel();
  void find_blocks();
  /// Rows of the products of a step: tokens, padded to a captured graph where one is replayed.
  [[nodiscard]] double rows(const Batch& batch) const;
  /// Tokens of the mean rank that feed experts which ranks share.
  [[nodiscard]] static double expert_tokens(const Batch& batch);
  void add_layers(Row& sum, const Batch& batch) const;

  Machine machine_;
  PowerModel power_;
  Deployment deployment_;
  Engine engine_;
  std::vector<model::Operator> operators_;
  std::vector<double> weight_bytes_;    // per element, by operator
  std::vector<model::Format> formats_;  // by operator
  std::vector<std::size_t> closed_;     // operators that depend on more than the number of tokens
  std::vector<CoreCurves> cores_;       // of closed_, one each
  /// Blocks of experts that one curve prices: by the operator they begin with; the operators they
  /// stand for are `covered_`.
  std::vector<std::pair<std::size_t, ExpertBlock>> blocks_;
  std::vector<bool> covered_;    // by operator
  Table layers_, head_;          // over tokens of the step, over sampled positions
  Table experts_;                // over tokens of the mean rank; empty without attention dp
  bool shared_experts_ = false;  // ranks of attention data parallelism feed the same experts
  double hidden_ = 0;
  double layer_count_ = 0;
  double launched_ = 0;    // layers as the launching host sees them, by their operators
  double vocabulary_ = 0;  // 0: nothing is sampled and nothing cached (encoders)
  double share_with_head_ = 1,
         share_without_ =
             1;  // of the layers on the stage that has the head, and on the largest other
  std::int64_t crossings_ = 0;  // pipeline boundaries between nodes
};

}  // namespace portolan::cost
