#include "cost/step_price.hpp"

#include <cmath>

namespace portolan::cost {
namespace {

using model::OpKind;
constexpr double kActivationBytes = 2.0;
// Ranks of a step never arrive together: the wait for the slowest, on top of what synchronised
// benchmarks show. From the gap between one and eight ranks in public low-batch serving points; no
// kernel table has it.
constexpr double kRankSkew = 2e-6;

KernelTime slowed(KernelTime t, double factor) {
  for (double* part : {&t.seconds, &t.floor, &t.active}) *part *= factor;
  return t;
}

CollectiveKind collective_of(OpKind kind) {
  switch (kind) {
    case OpKind::kAllGather:
      return CollectiveKind::kAllGather;
    case OpKind::kAllToAll:
      return CollectiveKind::kAllToAll;
    default:
      return CollectiveKind::kAllReduce;
  }
}

}  // namespace

TokenPrice::TokenPrice(const Machine& machine, const model::Operator& op, model::Format format,
                       double weight_bytes, const Deployment& deployment)
    : machine_(machine), op_(op), deployment_(deployment) {
  if (op.kind == OpKind::kGemm || op.kind == OpKind::kGroupedGemm) {
    auto n = static_cast<double>(op.n), k = static_cast<double>(op.k);
    if (op.k == 1)
      n = k = std::sqrt(n);  // a model known by its size alone: one product of that many weights
    linear_ = linear_on(machine, n, k, format, weight_bytes);
  }
  format_ = format;
}

Priced TokenPrice::operator()(double tokens) const {
  Priced priced;
  switch (op_.kind) {
    case OpKind::kGemm:
      priced.kernel = gemm_time(machine_, linear_, tokens);
      break;
    case OpKind::kGroupedGemm:
      priced.kernel = grouped_time(machine_,
                                   {.linear = linear_,
                                    .experts = static_cast<double>(op_.experts),
                                    .experts_total = static_cast<double>(op_.experts_total),
                                    .top_k = static_cast<double>(op_.top_k),
                                    .token_groups = op_.token_groups,
                                    .format = format_},
                                   tokens);
      break;
    case OpKind::kElementwise:
    case OpKind::kEmbedding:
      priced.kernel = elementwise_time(machine_, kActivationBytes * op_.elements * tokens);
      break;
    case OpKind::kAllReduce:
    case OpKind::kAllGather:
    case OpKind::kAllToAll: {
      const std::int64_t ranks =
          op_.kind == OpKind::kAllToAll ? std::max(deployment_.ep, deployment_.tp) : deployment_.tp;
      priced.kernel.seconds =
          collective_time(machine_, collective_of(op_.kind),
                          Bytes(kActivationBytes * op_.message_elements * tokens), ranks,
                          machine_.node.count)
              .raw();
      if (priced.kernel.seconds > 0) priced.kernel.seconds += kRankSkew;
      priced.communication = true;
      priced.by_bound[2] = priced.kernel.seconds;
      return priced;
    }
    case OpKind::kAttention:
    case OpKind::kMla:
    case OpKind::kScan:
      return priced;
  }
  priced.kernel = slowed(priced.kernel, machine_.slowdown);
  const KernelTime& t = priced.kernel;
  priced.by_bound[t.compute > t.memory ? 0 : 1] = t.seconds - t.floor;
  priced.by_bound[3] = t.floor;
  return priced;
}

KernelTime decode_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                       const Batch& batch) {
  if (op.kind == OpKind::kScan) return scan_decode_time(machine, op, batch.decode_requests);
  return slowed(
      decode_attention_time(machine, op, kv_bytes, batch.decode_requests, batch.decode_context),
      machine.slowdown);
}

KernelTime prefill_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                        const Batch& batch, double chunk) {
  if (op.kind == OpKind::kScan) return scan_prefill_time(machine, op, batch.prefill_tokens);
  return slowed(prefill_attention_time(machine, op, kv_bytes, batch.prefill_requests, chunk,
                                       batch.prefill_cached),
                machine.slowdown);
}

PipelineHops pipeline_hops(const Machine& machine, double hidden, double tokens,
                           const Deployment& deployment, std::int64_t crossings) {
  // Each tensor rank sends its slice of hidden state and residual.
  const Bytes message(2.0 * kActivationBytes * hidden * tokens / deployment.tp);
  const double near = collective_time(machine, CollectiveKind::kPointToPoint, message, 2, 2).raw();
  const double far = crossings > 0
                         ? collective_time(machine, CollectiveKind::kPointToPoint, message,
                                           2 * machine.node.count, machine.node.count)
                               .raw()
                         : 0.0;
  const auto inner = static_cast<double>(deployment.pp - 1 - crossings);
  return {.sum = inner * near + static_cast<double>(crossings) * far,
          .slowest = std::max(inner > 0 ? near : 0.0, far)};
}

KernelTime cache_write_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                            double tokens) {
  if (op.kind == OpKind::kScan || op.d_v == 0) return {};
  const double elements = op.kind == OpKind::kMla
                              ? static_cast<double>(op.kv_rank + op.rope_dim)
                              : static_cast<double>(op.kv_heads * (op.d_qk + op.d_v));
  return elementwise_time(machine, tokens * elements * (kActivationBytes + kv_bytes));
}

double visible_host(const Engine& engine, double busy, double layers, const Batch& batch) {
  double always = engine.per_step.raw() +
                  engine.per_request.raw() * (batch.decode_requests + batch.prefill_requests);
  if (batch.prefill_tokens > 0) {
    always += engine.per_prefill_step.raw() + engine.per_prefill_token.raw() * batch.prefill_tokens;
  }
  // A captured graph is launched at once; kernels launched one by one run ahead of the accelerator
  // and show only where they take longer than it does.
  const bool captured = batch.prefill_tokens > 0 ? batch.prefill_tokens + batch.decode_tokens() <=
                                                       engine.captured_prompt_tokens
                                                 : batch.decode_requests <= engine.graphs.largest;
  return always + (captured ? 0.0 : std::max(0.0, engine.per_layer.raw() * layers - busy));
}

Joules replica_energy(Watts limit, double active, const StepTime& time,
                      const Deployment& deployment) {
  const double idle = kIdleShare * limit.raw();
  // A full pipeline starts a step every `stage`; each of its accelerators idles at the floor
  // between kernels.
  const double span = time.stage.raw() * deployment.accelerators();
  const double full = std::min(active * deployment.tp, span);
  return Joules(idle * span + (limit.raw() - idle) * full);
}

}  // namespace portolan::cost
