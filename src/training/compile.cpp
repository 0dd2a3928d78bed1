// Architecture, machine and job -> the tables of a Trainer.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/count.hpp"
#include "model/parameters.hpp"
#include "training/tables.hpp"

namespace portolan::training {
namespace {

using model::Architecture;
using model::LayerRun;
using model::Operator;
using model::OpKind;

double d(std::int64_t x) { return static_cast<double>(x); }

// A probe with this many layers of one class tells the operators of a layer from those of the ends
// by their count.
constexpr std::int64_t kProbeLayers = 1000;
constexpr int kLargestTensorSplit = 64;
// Context parallelism is tried where a rank keeps at least so many tokens of the sequence: shorter
// chunks no longer hide their exchange.
constexpr double kShortestChunk = 4096;

// NVFP4: half a byte and one fp8 scale per 16 values.
constexpr double kFp4Bytes = 0.5625;

/// Arithmetic narrower than 16 bit: activations are quantised on the way.
bool is_low(model::Compute compute) {
  return compute == model::Compute::kFp8 || compute == model::Compute::kFp4;
}

std::string_view compute_name(model::Compute compute) {
  switch (compute) {
    case model::Compute::kFp32:
      return "fp32";
    case model::Compute::kTf32:
      return "tf32";
    case model::Compute::kBf16:
      return "16-bit";
    case model::Compute::kFp8:
      return "fp8";
    case model::Compute::kFp4:
      return "fp4";
    case model::Compute::kInt8:
      return "int8";
  }
  return "such";
}

Product product_of(const Operator& op, const Compiled& compiled) {
  Product product;
  product.linear = {.n = d(op.n), .k = d(op.k)};
  const bool low = is_low(compiled.job.compute);
  const bool quantised = low && op.weights != model::WeightClass::kRouter;
  product.linear.compute = low && !quantised ? model::Compute::kBf16 : compiled.job.compute;
  product.linear.weight_bytes = product.linear.input_bytes =
      quantised ? (compiled.job.compute == model::Compute::kFp4 ? kFp4Bytes : 1) : 2;
  product.linear.quantises_input = quantised;
  product.count = op.count / d(kProbeLayers);
  if (op.kind == OpKind::kGroupedGemm) {
    product.experts = d(op.experts);
    product.top_k = d(op.top_k);
  }
  return product;
}

double lora_of_layer(const model::Mixer& mixer, const model::Channel& channel, std::int64_t hidden,
                     std::int64_t rank) {
  Architecture one;
  one.hidden = hidden;
  one.layers = {LayerRun{.count = 1, .mixer = mixer, .channel = channel}};
  return lora_parameters(one, rank);
}

/// One layer of a class as a rank of `tp` computes it.
ShardedClass shard_class(const Compiled& compiled, const LayerClass& layer,
                         const Architecture& source, int tp) {
  Architecture probe;
  probe.hidden = source.hidden;
  probe.layers = {LayerRun{.count = kProbeLayers, .mixer = layer.mixer, .channel = layer.channel}};
  const model::Shard shard{.tp = tp, .ep = 1};

  ShardedClass result;
  double sharded = 0;
  for (const Operator& op : model::operators(probe, shard)) {
    if (op.count < d(kProbeLayers)) continue;  // embedding and final norm
    const double count = op.count / d(kProbeLayers);
    switch (op.kind) {
      case OpKind::kGemm:
        result.products.push_back(product_of(op, compiled));
        sharded += count * d(op.n) * d(op.k);
        break;
      case OpKind::kGroupedGemm:
        result.products.push_back(product_of(op, compiled));
        result.expert_parameters += count * d(op.experts) * d(op.n) * d(op.k);
        // Tokens are gathered into expert order before the first product and scattered back after
        // the last: read and write each.
        result.routed_elements +=
            2 * count * d(op.top_k) * d(op.name == "experts up" ? op.k : op.n);
        break;
      case OpKind::kAttention:
      case OpKind::kMla: {
        AttentionCore core{.op = op, .count = count, .reach = compiled.job.sequence};
        if (op.window > 0) core.reach = std::min(core.reach, d(op.window));
        result.cores.push_back(std::move(core));
        break;
      }
      case OpKind::kScan:
        result.scans.push_back({.op = op, .count = count});
        break;
      case OpKind::kElementwise:
        (op.name == "norm" ? result.whole_elements : result.split_elements) += count * op.elements;
        result.kernels += count;
        break;
      default:
        break;
    }
  }
  const auto all = model::layer_parameters<double>(layer.mixer, layer.channel, source.hidden);
  double whole_products = 0;
  for (const Operator& op : model::operators(probe, {})) {
    if (op.kind == OpKind::kGemm && op.count >= d(kProbeLayers))
      whole_products += op.count / d(kProbeLayers) * d(op.n) * d(op.k);
  }
  // What is no product (biases, norms, convolutions, decays) is held by every rank.
  const double rest =
      all.attention + all.mlp + all.router - whole_products + layer.other_parameters;
  result.parameters = sharded + std::max(0.0, rest);
  result.adapter_parameters =
      lora_of_layer(layer.mixer, layer.channel, source.hidden, compiled.job.lora_rank) / tp;

  const bool has_mixer = layer.mixer.kind != model::MixerKind::kNone;
  const bool has_channel = layer.channel.kind != model::ChannelKind::kNone;
  const bool only_experts = layer.channel.kind == model::ChannelKind::kMoe &&
                            layer.channel.shared_width == 0 &&
                            layer.channel.dense_residual_width == 0;
  result.reductions = (has_mixer ? 1 : 0) + (has_channel ? 1 : 0);
  result.reductions_without_experts = result.reductions - (only_experts ? 1 : 0);

  ActivationCase how{.tp = static_cast<double>(tp),
                     .sequence_parallel = compiled.job.stack.sequence_parallel,
                     .flash_attention = compiled.job.stack.flash_attention,
                     .dropout = compiled.job.stack.dropout,
                     .by_operator = compiled.job.stack.selective_operators,
                     .fp8 = is_low(compiled.job.compute),
                     .sequence = compiled.job.sequence};
  result.activations = layer_activations(layer.mixer, layer.channel, source.hidden, how);
  how.expert_imbalance = compiled.job.stack.expert_imbalance;
  result.activations_exchanged = layer_activations(layer.mixer, layer.channel, source.hidden, how);
  return result;
}

std::size_t class_index(std::vector<LayerClass>& classes, const LayerRun& run) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].mixer == run.mixer && classes[i].channel == run.channel) return i;
  }
  classes.push_back({.mixer = run.mixer,
                     .channel = run.channel,
                     .other_parameters = d(run.norm_parameters + run.extra_parameters)});
  return classes.size() - 1;
}

/// Whether each layer splits evenly over `tp`: whole query heads and whole columns; key-value heads
/// are replicated instead.
bool splits(const std::vector<LayerClass>& classes, int tp) {
  for (const LayerClass& layer : classes) {
    const model::Mixer& m = layer.mixer;
    for (const std::int64_t parts :
         {m.heads, m.ssm_heads, m.value_heads, layer.channel.width, layer.channel.expert_width}) {
      if (parts % tp != 0) return false;
    }
  }
  return true;
}

Result<void> check(const Architecture& architecture, const cost::Machine& machine, const Job& job) {
  if (architecture.layers.empty() || architecture.coverage == model::Coverage::kParameterCount) {
    return fail(ErrorCode::kInvalidInput,
                "only a parameter count is known of this model, so its layers cannot be laid out "
                "for training",
                "give its config.json, or use the rule of thumb: estimate --training-tokens");
  }
  if (!(job.tokens > 0) || !(job.sequence > 0) || !(job.global_batch_tokens >= job.sequence)) {
    return fail(ErrorCode::kInvalidInput,
                fmt::format("a training job needs tokens, a sequence length and a batch of at "
                            "least one sequence: got tokens {:g}, "
                            "sequence_length {:g}, global_batch_tokens {:g}",
                            job.tokens, job.sequence, job.global_batch_tokens));
  }
  if (job.method != Method::kFull && job.lora_rank < 1) {
    return fail(ErrorCode::kInvalidInput,
                fmt::format("lora_rank {} must be at least 1", job.lora_rank));
  }
  if (machine.rate(job.compute).peak.raw() <= 0) {
    return fail(
        Error{.code = ErrorCode::kInfeasible,
              .message = fmt::format("{} has no {} arithmetic", machine.node.accelerator->id,
                                     compute_name(job.compute)),
              .where = {},
              .why = "precision_unsupported",
              .hint = "train in bf16, or name an accelerator with it",
              .also = {}});
  }
  return {};
}

}  // namespace

Result<Trainer> Trainer::compile(const Architecture& architecture, const cost::Machine& machine,
                                 const Job& job) {
  PORTOLAN_DO(check(architecture, machine, job));
  auto compiled = std::make_shared<Compiled>();
  Compiled& c = *compiled;
  c.machine = machine;
  // The tables say which ranks of a group share the fast domain, so that the domain alone does not
  // decide.
  if (machine.node.link == hardware::LinkKind::kSwitched ||
      machine.node.link == hardware::LinkKind::kTorus)
    c.machine.node.link_domain = 0;
  c.fast_domain = static_cast<int>(std::max(machine.node.count, machine.node.link_domain));
  const std::string& built_as = machine.node.accelerator->architecture;
  c.modern_attention = built_as == "hopper" || built_as.starts_with("blackwell");
  c.machine.short_k *= job.stack.short_products;
  c.machine.wave_exponent *= job.stack.wave_products;
  c.ultra = built_as == "blackwell-ultra";
  c.job = job;
  c.recipe = recipe(job.optimizer);
  c.hidden = d(architecture.hidden);
  c.vocab = d(architecture.vocab);
  c.has_head = architecture.lm_head && architecture.vocab > 0;
  c.tied = architecture.tied_embeddings;

  for (const LayerRun& run : architecture.layers) {
    const std::size_t index = class_index(c.classes, run);
    c.classes[index].layers += d(run.count);
    c.class_of_layer.insert(c.class_of_layer.end(), static_cast<std::size_t>(run.count), index);
  }
  c.layer_count = static_cast<double>(c.class_of_layer.size());
  const bool with_mtp = job.method == Method::kFull && c.has_head;
  if (with_mtp) {
    for (const LayerRun& run : architecture.mtp_layers) {
      const std::size_t index = class_index(c.classes, run);
      c.mtp_layers.resize(c.classes.size());
      c.mtp_layers[index] += d(run.count);
      c.mtp_depth += d(run.count);
    }
    c.mtp_parameters = d(architecture.mtp_other_parameters);
  }
  c.mtp_layers.resize(c.classes.size());
  std::int64_t experts = 0;
  for (const LayerClass& layer : c.classes) experts = std::gcd(experts, layer.channel.experts);
  c.experts = d(experts);

  const model::ParameterCount count = model::count_parameters(architecture);
  for (const model::Encoder& encoder : architecture.encoders) {
    // The encoder of an encoder-decoder is trained with it; towers stay frozen in a run on text.
    const double parameters = model::encoder_parameters<double>(encoder);
    if (encoder.patch > 0 || encoder.name != "encoder") {
      c.frozen_bytes += 2 * parameters;
    } else {
      c.first_parameters += parameters;
      c.encoder_flop_per_token =
          model::encoder_flop(architecture, job.sequence).raw() / job.sequence;
    }
  }
  c.first_parameters += d(architecture.other_parameters);
  c.last_parameters = d(architecture.final_norm_parameters);
  c.total_parameters = d(count.total) + (with_mtp ? d(count.mtp) : 0);
  c.trained_parameters = job.method == Method::kFull ? c.total_parameters - c.frozen_bytes / 2
                                                     : lora_parameters(architecture, job.lora_rank);

  for (int tp = 1; tp <= kLargestTensorSplit; ++tp) {
    if (!splits(c.classes, tp)) continue;
    Sharding sharding{
        .tp = tp, .classes = {}, .embedding = d(architecture.embedding_parameters) / tp, .head = 0};
    sharding.head = d(architecture.tied_embeddings ? architecture.embedding_parameters
                                                   : architecture.head_parameters) /
                    tp;
    for (const LayerClass& layer : c.classes)
      sharding.classes.push_back(shard_class(c, layer, architecture, tp));
    c.shardings.push_back(std::move(sharding));
  }
  c.set_model_flop();
  for (int cp = 1;
       cp == 1 || (std::fmod(job.sequence, 2.0 * cp) == 0 && job.sequence / cp >= kShortestChunk);
       cp *= 2)
    c.context_splits.push_back(cp);
  c.expert_splits.push_back(1);
  for (int ep = 2; ep <= experts; ++ep) {
    if (experts % ep == 0) c.expert_splits.push_back(ep);
  }
  c.cache.resize(c.shardings.size() * c.context_splits.size() * c.expert_splits.size() *
                 kMicrobatches.size());
  Trainer trainer;
  trainer.compiled_ = std::move(compiled);
  return trainer;
}

void Compiled::set_model_flop() {
  const double s = job.sequence;
  double linear = 0, core = 0;
  const auto add = [&](std::size_t index, double layers) {
    const ShardedClass& layer = shardings.front().classes[index];
    for (const Product& product : layer.products)
      linear += layers * product.count * 2 * product.linear.n * product.linear.k *
                std::max(1.0, product.top_k);
    for (const AttentionCore& attention : layer.cores) {
      const Operator& op = attention.op;
      double window = d(op.window);
      if (op.sparse_top > 0 && (window == 0 || d(op.sparse_top) < window))
        window = d(op.sparse_top);
      const double pairs = op.causal ? model::attention_pairs(s, 0, window) / s : s;
      core += layers * attention.count * 2 * d(op.heads) * d(op.d_qk + op.d_v) * pairs /
              d(std::max<std::int64_t>(1, op.cache_stride));
    }
    for (const Scan& scan : layer.scans) core += layers * scan.count * scan.op.scan_flop_prefill;
  };
  for (std::size_t i = 0; i < classes.size(); ++i) add(i, classes[i].layers + mtp_layers[i]);
  if (has_head) linear += 2 * hidden * vocab * (1 + mtp_depth);
  linear += mtp_depth * 4 * hidden * hidden + encoder_flop_per_token;
  const double passes = job.method == Method::kFull ? 3 : 2;
  model_flop_per_token = passes * linear + 3 * core;
  if (job.method != Method::kFull) model_flop_per_token += 6 * trained_parameters;
}

}  // namespace portolan::training
