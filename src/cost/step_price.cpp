#include "cost/step_price.hpp"

#include <cmath>

#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

using model::OpKind;
constexpr double kActivationBytes = 2.0;
// Ranks of a step never arrive together: the wait for the slowest, on top of what synchronised
// benchmarks show. From the gap between one and eight ranks in public low-batch serving points; no
// kernel table has it.
constexpr double kRankSkew = 2e-6;

// The more skewed of the two routing laws that kernel tables measured. Chosen on public closed-loop
// runs of random-token prompts, where it left 0.4 points less of TPOT than 1.01 on models left out;
// models trained to balance their experts on real text lie below.
constexpr Routing kServedRouting{.alpha = 1.2};

KernelTime slowed(KernelTime t, double factor) {
  for (double* part : {&t.seconds, &t.floor}) *part *= factor;
  return t;
}

KernelTime added(KernelTime a, const KernelTime& b) {
  a.seconds += b.seconds;
  a.compute += b.compute;
  a.memory += b.memory;
  a.floor += b.floor;
  a.flop += b.flop;
  a.bytes += b.bytes;
  return a;
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
      const bool exchange = op_.kind == OpKind::kAllToAll;
      const std::int64_t ranks =
          exchange ? std::max(deployment_.ep, deployment_.tp) : deployment_.tp;
      CollectiveKind kind = collective_of(op_.kind);
      double message = kActivationBytes * op_.message_elements * tokens;
      // Without a kernel for it all ranks gather all tokens and scatter the sums (vLLM's default):
      // one copy to each rank, where that is less than one for each choice.
      const auto top_k = static_cast<double>(std::max<std::int64_t>(1, op_.top_k));
      if (exchange && machine_.kernels && machine_.kernels->backend() != "trtllm" &&
          static_cast<double>(ranks) < top_k) {
        kind = CollectiveKind::kAllGather;
        message *= static_cast<double>(ranks) / top_k;
      }
      priced.kernel.seconds =
          collective_time(machine_, kind, Bytes(message), ranks, machine_.node.count).raw();
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

double TokenPrice::power(const PowerModel& power, const Priced& priced) const {
  if (priced.communication) return 0;
  const bool products = op_.kind == OpKind::kGemm || op_.kind == OpKind::kGroupedGemm;
  return power.share(op_.kind == OpKind::kGroupedGemm ? PowerClass::kMoe : PowerClass::kGemm,
                     products ? linear_.compute : model::Compute::kBf16, priced.kernel);
}

CoreCurves core_curves(const Machine& machine, const model::Operator& op, double kv_bytes) {
  CoreCurves core;
  // Index scores (d_v = 0) and recurrences have no table of their own kind.
  if (!machine.kernels || op.kind == OpKind::kScan || op.d_v == 0) return core;
  const auto d = [](std::int64_t x) { return static_cast<double>(x); };
  if (op.kind == OpKind::kMla) {
    core.latent = {.heads = d(op.heads),
                   .kv_rank = d(op.kv_rank),
                   .rope = d(op.rope_dim),
                   .nope = d(op.d_qk - op.rope_dim),
                   .d_v = d(op.d_v),
                   .kv_bytes = kv_bytes};
    core.expansion = linear_on(machine, core.latent.heads * (core.latent.nope + core.latent.d_v),
                               core.latent.kv_rank, model::Format::kBf16);
    // Sparse choices read what a window does; no table has them.
    if (op.sparse_top == 0)
      core.prefill = choose(*machine.kernels, context_mla_names(core.latent)).captured;
    core.decode = choose(*machine.kernels, decode_mla_names(core.latent)).captured;
    return core;
  }
  double window = d(op.window);
  if (op.sparse_top > 0 && (window <= 0.0 || d(op.sparse_top) < window)) window = d(op.sparse_top);
  core.shape = {.heads = d(op.heads),
                .kv_heads = d(op.kv_heads),
                .d_qk = d(op.d_qk),
                .d_v = d(op.d_v),
                .window = window,
                .causal = op.causal,
                .kv_bytes = kv_bytes,
                .compute = model::Compute::kBf16,
                .stride = d(std::max<std::int64_t>(1, op.cache_stride))};
  core.prefill = choose(*machine.kernels, op.causal ? context_attention_names(core.shape)
                                                    : encoder_attention_names(core.shape))
                     .captured;
  core.decode = choose(*machine.kernels, decode_attention_names(core.shape)).captured;
  if (op.causal && core.prefill != nullptr) {
    const Chosen mixed = choose(*machine.kernels, mixed_attention_names(core.shape));
    if (mixed.tier <= Tier::kSibling) core.mixed = mixed.curve;
  }
  return core;
}

namespace {

/// Decodes that attend `context` tokens each.
KernelTime even_decode_time(const Machine& machine, const model::Operator& op,
                            const CoreCurves& core, double kv_bytes, const Batch& batch,
                            double context) {
  const double requests = batch.decode_requests;
  KernelTime t;
  if (core.mixed != nullptr && batch.prefill_tokens > 0) {
    // One kernel does prompts and decodes; what is not the prompts' is the decodes'.
    const double chunks = std::max(1.0, batch.prefill_requests);
    const double chunk = batch.prefill_tokens / chunks, whole = std::max(1.0, requests);
    t = curve_time(machine, *core.mixed,
                   mixed_attention_call(machine.chip, core.shape, chunks, chunk,
                                        batch.prefill_cached, whole, context),
                   model::Compute::kBf16);
    const double prompts = core.prefill->seconds(
        context_attention_call(machine.chip, core.shape, chunks, chunk, batch.prefill_cached));
    const double share = std::max(0.0, 1.0 - prompts / t.seconds) * std::min(1.0, requests);
    t.floor = 0;
    for (double* part : {&t.seconds, &t.compute, &t.memory, &t.flop, &t.bytes}) *part *= share;
  } else if (core.decode != nullptr) {
    // Below one request the mean over steps: the kernel runs in that share of them.
    const double whole = std::max(1.0, requests);
    Call call;
    if (op.kind == OpKind::kMla) {
      const double seen =
          op.sparse_top > 0 ? std::min(context, static_cast<double>(op.sparse_top)) : context;
      call = decode_mla_call(machine.chip, core.latent, whole, seen);
    } else {
      call = decode_attention_call(machine.chip, core.shape, whole, context);
    }
    t = curve_time(machine, *core.decode, call, model::Compute::kBf16);
    if (requests < 1.0) t = slowed(t, requests);
  } else {
    t = decode_attention_time(machine, op, kv_bytes, requests, context);
  }
  return slowed(t, machine.slowdown);
}

}  // namespace

KernelTime decode_time(const Machine& machine, const model::Operator& op, const CoreCurves& core,
                       double kv_bytes, const Batch& batch) {
  if (op.kind == OpKind::kScan) return scan_decode_time(machine, op, batch.decode_requests);
  if (batch.decode_requests <= 0) return {};
  KernelTime t = even_decode_time(machine, op, core, kv_bytes, batch, batch.decode_context);
  if (batch.decode_longest > batch.decode_context && batch.decode_requests > 1) {
    const KernelTime longest =
        even_decode_time(machine, op, core, kv_bytes, batch, batch.decode_longest);
    t.seconds += longest_share(machine.chip, static_cast<double>(op.heads), batch.decode_requests,
                               core.mixed != nullptr && batch.prefill_tokens > 0) *
                 std::max(0.0, longest.seconds - t.seconds);
  }
  return t;
}

KernelTime prefill_time(const Machine& machine, const model::Operator& op, const CoreCurves& core,
                        double kv_bytes, const Batch& batch, double chunk) {
  const double requests = batch.prefill_requests;
  if (op.kind == OpKind::kScan) return scan_prefill_time(machine, op, batch.prefill_tokens);
  if (requests <= 0 || chunk <= 0) return {};
  KernelTime t;
  if (core.prefill != nullptr) {
    const double whole = std::max(1.0, requests), cached = batch.prefill_cached;
    const Call call =
        op.kind == OpKind::kMla ? context_mla_call(machine.chip, core.latent, whole, chunk, cached)
        : op.causal ? context_attention_call(machine.chip, core.shape, whole, chunk, cached)
                    : encoder_attention_call(machine.chip, core.shape, whole, chunk);
    t = curve_time(machine, *core.prefill, call, model::Compute::kBf16);
    // Cached latents are expanded to full heads again for each chunk (cost-model section 2.5).
    if (op.kind == OpKind::kMla && cached > 0)
      t = added(t, gemm_time(machine, core.expansion, whole * cached));
    if (requests < 1.0) t = slowed(t, requests);
  } else {
    t = prefill_attention_time(machine, op, kv_bytes, requests, chunk, batch.prefill_cached);
  }
  return slowed(t, machine.slowdown);
}

ExpertBlock expert_block(const Machine& machine, const model::Operator& up,
                         const model::Operator& down, model::Format format, double weight_bytes) {
  ExpertBlock block;
  if (!machine.kernels || up.experts < 1 || up.experts_total < 1) return block;
  const bool gated = up.n >= 2 * down.k;
  block.compute = compute_on(machine, format);
  block.kernel = moe_kernel(*machine.kernels, format, block.compute, gated);
  if (block.kernel.curve == nullptr) return block;
  block.kernel.type.weight_bytes = weight_bytes;
  const auto d = [](std::int64_t x) { return static_cast<double>(x); };
  // The width here is already one tensor rank's; the shape divides nothing more.
  block.shape = {.hidden = d(up.k),
                 .inter = d(down.k),
                 .top_k = d(up.top_k),
                 .experts = d(up.experts_total),
                 .tensor_ranks = 1,
                 .expert_ranks = std::max(1.0, std::round(d(up.experts_total) / d(up.experts))),
                 .gated = gated};
  block.loads = &expert_loads(block.shape, kServedRouting);
  block.token_groups = up.token_groups;
  return block;
}

Priced ExpertBlock::price(const Machine& machine, double tokens) const {
  Priced priced;
  const Call call = moe_call(machine.chip, kernel.type, shape, *loads, tokens * token_groups);
  priced.kernel = curve_time(machine, *kernel.curve, call, compute);
  priced.kernel.seconds = kernel.seconds(call);
  priced.kernel.floor = std::min(priced.kernel.floor, priced.kernel.seconds);
  priced.kernel = slowed(priced.kernel, machine.slowdown);
  const KernelTime& t = priced.kernel;
  priced.by_bound[t.compute > t.memory ? 0 : 1] = t.seconds - t.floor;
  priced.by_bound[3] = t.floor;
  return priced;
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

double visible_host(const Engine& engine, const Machine& machine, double busy, double layers,
                    const Batch& batch) {
  double always = engine.per_step.raw() +
                  engine.per_request.raw() * (batch.decode_requests + batch.prefill_requests);
  if (batch.prefill_tokens > 0) {
    always += engine.per_prefill_step.raw() + engine.per_prefill_token.raw() * batch.prefill_tokens;
  }
  // The fitted times stand for device time that kernel tables lack as well. Where whole layers were
  // measured inside the engine nothing is left of that, and a host that works one step ahead shows
  // only where it takes longer than the step.
  if (machine.passes != nullptr && engine.async_scheduling) always = std::max(0.0, always - busy);
  // A captured graph is launched at once; kernels launched one by one run ahead of the accelerator
  // and show only where they take longer than it does.
  const bool captured = batch.prefill_tokens > 0 ? batch.prefill_tokens + batch.decode_tokens() <=
                                                       engine.captured_prompt_tokens
                                                 : batch.decode_requests <= engine.graphs.largest;
  return always + (captured ? 0.0 : std::max(0.0, engine.per_layer.raw() * layers - busy));
}

Joules replica_energy(Watts limit, double idle, double busy, double loaded, const StepTime& time,
                      const Deployment& deployment) {
  // A full pipeline starts a step every `stage`; each of its accelerators idles at the floor
  // between kernels and while it communicates.
  const double span = time.stage.raw() * deployment.accelerators();
  const double work = busy * deployment.tp;
  const double shown = work > span ? span / work : 1.0;
  return limit * Seconds(shown * loaded * deployment.tp + idle * (span - shown * work));
}

}  // namespace portolan::cost
