#include "model/operators.hpp"

#include <algorithm>

#include "model/count.hpp"
#include "model/numeric_format.hpp"

namespace portolan::model {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Collects the operators of all layers; the same operator of another run only raises the count.
class Collector {
 public:
  explicit Collector(const Architecture& architecture, const Shard& shard)
      : h_(architecture.hidden), tp_(std::max(1, shard.tp)), ep_(std::max(1, shard.ep)) {}

  void layer(const LayerRun& run) {
    count_ = static_cast<double>(run.count);
    const Mixer& m = run.mixer;
    if (m.kind != MixerKind::kNone || m.cross_heads > 0) {
      elementwise("norm", 4.0 * d(h_));
      mixer(m);
      all_reduce("attention all-reduce");
    }
    const Channel& c = run.channel;
    if (c.kind != ChannelKind::kNone) {
      elementwise("norm", 4.0 * d(h_));
      if (c.kind == ChannelKind::kMlp) {
        mlp("mlp", WeightClass::kMlp, c.width, c.gated);
      } else {
        experts(c);
      }
      all_reduce("mlp all-reduce");
    }
  }

  void ends(const Architecture& architecture) {
    count_ = 1;
    Operator embedding{
        .kind = OpKind::kEmbedding, .name = "embedding", .weights = WeightClass::kEmbedding};
    embedding.n = h_;
    embedding.k = ceil_div(architecture.vocab, tp_);
    embedding.elements = 2.0 * d(h_);
    add(embedding);
    elementwise("final norm", 2.0 * d(h_));
    if (!architecture.lm_head || architecture.vocab == 0) return;
    Operator head{.kind = OpKind::kGemm, .name = "lm head", .weights = WeightClass::kHead};
    head.n = ceil_div(architecture.vocab, tp_);
    head.k = h_;
    head.sampled = true;
    add(head);
    if (tp_ > 1) {
      Operator gather{.kind = OpKind::kAllGather, .name = "logits all-gather"};
      gather.sampled = true;
      gather.message_elements = d(architecture.vocab);
      add(gather);
    }
  }

  std::vector<Operator> take() { return std::move(operators_); }

 private:
  static double d(std::int64_t x) { return static_cast<double>(x); }

  void add(Operator op) {
    op.count = count_;
    for (Operator& known : operators_) {
      if (same(known, op)) {
        known.count += count_;
        return;
      }
    }
    operators_.push_back(std::move(op));
  }

  static bool same(const Operator& a, const Operator& b) {
    return a.kind == b.kind && a.name == b.name && a.n == b.n && a.k == b.k && a.heads == b.heads &&
           a.kv_heads == b.kv_heads && a.d_qk == b.d_qk && a.d_v == b.d_v && a.window == b.window &&
           a.kv_rank == b.kv_rank && a.rope_dim == b.rope_dim && a.sparse_top == b.sparse_top &&
           a.cache_stride == b.cache_stride && a.experts == b.experts && a.top_k == b.top_k &&
           a.sampled == b.sampled && a.scan_state_elements == b.scan_state_elements &&
           a.elements == b.elements && a.message_elements == b.message_elements &&
           a.causal == b.causal;
  }

  void gemm(std::string name, WeightClass weights, std::int64_t n, std::int64_t k) {
    Operator op{.kind = OpKind::kGemm, .name = std::move(name), .weights = weights};
    op.n = n;
    op.k = k;
    add(std::move(op));
  }

  void elementwise(std::string name, double elements) {
    Operator op{.kind = OpKind::kElementwise, .name = std::move(name)};
    op.elements = elements;
    add(std::move(op));
  }

  void all_reduce(std::string name) {
    if (tp_ == 1) return;
    Operator op{.kind = OpKind::kAllReduce, .name = std::move(name)};
    op.message_elements = d(h_);
    add(std::move(op));
  }

  void indexer(const Mixer& m) {
    if (m.index_heads == 0) return;
    // The index key and the head weights are small and replicated; the queries too, so that each
    // rank picks the same tokens.
    gemm("indexer queries", WeightClass::kAttention, m.index_heads * m.index_dim,
         m.q_rank > 0 ? m.q_rank : h_);
    const std::int64_t keys = m.compress > 0 ? 4 * m.index_dim : m.index_dim;
    gemm("indexer key", WeightClass::kAttention, keys + (m.index_block > 0 ? 0 : m.index_heads),
         h_);
    Operator scores{.kind = OpKind::kAttention, .name = "indexer scores"};
    scores.heads = m.index_heads;
    scores.kv_heads = 1;
    scores.d_qk = m.index_dim;
    scores.cache_stride = std::max<std::int64_t>(1, m.compress);
    add(std::move(scores));
  }

  void mixer(const Mixer& m) {
    switch (m.kind) {
      case MixerKind::kNone:
        break;
      case MixerKind::kAttention:
      case MixerKind::kSharedKv:
        attention(m);
        break;
      case MixerKind::kMla:
        latent(m);
        break;
      case MixerKind::kMamba1:
      case MixerKind::kMamba2:
        return state_space(m);
      case MixerKind::kGatedDelta:
        return gated_delta(m);
      case MixerKind::kShortConv:
        return short_convolution(m);
      case MixerKind::kLinear:
        return gemm("attention linear", WeightClass::kAttention, ceil_div(h_, tp_), h_);
    }
    if (m.inner > 0) state_space(m);
    if (m.cross_heads > 0) cross_attention(m);
  }

  void attention(const Mixer& m) {
    const std::int64_t a = ceil_div(m.heads, tp_), k = ceil_div(m.kv_heads, tp_);
    const bool own = m.kind == MixerKind::kAttention;
    const std::int64_t q = a * m.head_dim, key = own ? k * m.head_dim : 0;
    const std::int64_t value = own && !m.shared_kv_projection ? k * m.v_head_dim : 0;
    const std::int64_t gate = m.output_gate ? a * m.v_head_dim : 0;
    if (m.q_rank > 0) {
      gemm("attention q down, kv", WeightClass::kAttention, m.q_rank + key + value + gate, h_);
      gemm("attention q up", WeightClass::kAttention, q, m.q_rank);
    } else {
      gemm("attention qkv", WeightClass::kAttention, q + key + value + gate, h_);
    }
    elementwise("rope", 2.0 * d(q + key));
    indexer(m);
    Operator core{.kind = OpKind::kAttention, .name = "attention"};
    core.heads = a;
    core.kv_heads = k;
    core.d_qk = m.head_dim;
    core.d_v = m.v_head_dim;
    core.window = m.window;
    core.causal = m.causal;
    if (m.out_rank == 0) core.sparse_top = m.index_top;
    add(core);
    if (m.compress > 0) {
      gemm("compressor", WeightClass::kAttention, 2 * m.head_dim * (m.index_heads > 0 ? 2 : 1), h_);
      core.name = "attention compressed";
      core.window = 0;
      core.cache_stride = m.compress;
      core.sparse_top =
          m.index_top * m.compress;  // in tokens: each chosen entry stands for so many
      add(core);
    }
    if (m.out_rank > 0) {
      const std::int64_t groups = std::min(ceil_div(m.out_groups, tp_), m.out_groups);
      gemm("attention out down", WeightClass::kAttention, m.out_rank, a * m.v_head_dim);
      gemm("attention out up", WeightClass::kAttention, h_, groups * m.out_rank);
    } else {
      gemm("attention out", WeightClass::kAttention, h_, a * m.v_head_dim);
    }
  }

  /// Queries and the way out; keys and values of the source are computed once per request
  /// (encoder_flop).
  void cross_attention(const Mixer& m) {
    const std::int64_t a = ceil_div(m.cross_heads, tp_);
    gemm("cross attention q", WeightClass::kAttention, a * m.cross_head_dim, h_);
    gemm("cross attention out", WeightClass::kAttention, h_, a * m.cross_head_dim);
  }

  void short_convolution(const Mixer& m) {
    const std::int64_t inner = ceil_div(m.inner, tp_);
    gemm("convolution in", WeightClass::kAttention, 3 * inner, h_);
    elementwise("convolution", 4.0 * d(inner));
    gemm("convolution out", WeightClass::kAttention, h_, inner);
  }

  void latent(const Mixer& m) {
    const std::int64_t a = ceil_div(m.heads, tp_);
    if (m.q_rank > 0) {
      gemm("mla q down", WeightClass::kAttention, m.q_rank, h_);
      gemm("mla q up", WeightClass::kAttention, a * (m.nope_dim + m.rope_dim), m.q_rank);
    } else {
      gemm("mla q", WeightClass::kAttention, a * (m.nope_dim + m.rope_dim), h_);
    }
    gemm("mla kv down", WeightClass::kAttention, m.kv_rank + m.rope_dim, h_);  // not split by tp
    indexer(m);
    // In prefill the expansion of the latent; in decode the absorbed products with W_UK and W_UV:
    // the same FLOP and weights.
    gemm("mla kv up", WeightClass::kAttention, a * (m.nope_dim + m.v_head_dim), m.kv_rank);
    Operator core{.kind = OpKind::kMla, .name = "mla attention"};
    core.heads = a;
    core.kv_heads = 1;
    core.d_qk = m.nope_dim + m.rope_dim;
    core.d_v = m.v_head_dim;
    core.kv_rank = m.kv_rank;
    core.rope_dim = m.rope_dim;
    core.sparse_top = m.index_top;
    add(std::move(core));
    gemm("attention out", WeightClass::kAttention, h_, a * m.v_head_dim);
  }

  void state_space(const Mixer& m) {
    const std::int64_t inner = ceil_div(m.inner, tp_), heads = ceil_div(m.ssm_heads, tp_);
    const std::int64_t groups = ceil_div(m.groups, tp_);
    const double n = d(m.state), width = d(inner);
    Operator scan{.kind = OpKind::kScan,
                  .name = m.kind == MixerKind::kMamba1 ? "mamba scan" : "mamba-2 scan"};
    scan.scan_state_elements = 2.0 * n * width;
    if (m.kind == MixerKind::kMamba1) {
      gemm("mamba in", WeightClass::kAttention, 2 * inner, h_);
      elementwise("convolution", 2.0 * width);
      gemm("mamba x", WeightClass::kAttention, m.dt_rank + 2 * m.state, inner);
      gemm("mamba dt", WeightClass::kAttention, inner, m.dt_rank);
      // 9 FLOP per element of the state (Gu & Dao 2023, reference selective scan).
      scan.scan_flop_prefill = scan.scan_flop_decode = 9.0 * n * width;
      scan.scan_io_elements = 3.0 * width + 2.0 * n;
      add(scan);
      gemm("mamba out", WeightClass::kAttention, h_, inner);
      return;
    }
    const double g = d(groups), q = d(m.chunk > 0 ? m.chunk : 256);
    gemm("mamba-2 in", WeightClass::kAttention, 2 * inner + 2 * groups * m.state + heads, h_);
    elementwise("convolution", 2.0 * (width + 2.0 * g * n));
    scan.scan_flop_prefill = q * (g * n + width) + 4.0 * n * width;
    scan.scan_flop_decode = 5.0 * n * width;
    scan.scan_io_elements = 2.0 * width + 2.0 * g * n + d(heads);
    add(scan);
    elementwise("gated norm", 3.0 * width);
    gemm("mamba-2 out", WeightClass::kAttention, h_, inner);
  }

  void gated_delta(const Mixer& m) {
    const std::int64_t hk = ceil_div(m.key_heads, tp_), hv = ceil_div(m.value_heads, tp_);
    const std::int64_t key = hk * m.key_dim, value = hv * m.value_dim;
    const double dk = d(m.key_dim), dv = d(m.value_dim), heads = d(hv),
                 c = d(m.chunk > 0 ? m.chunk : 64);
    if (m.gate_rank > 0) {
      gemm("linear attention in", WeightClass::kAttention, 2 * key + value + 2 * m.gate_rank + hv,
           h_);
      gemm("linear attention gates", WeightClass::kAttention, key + value, m.gate_rank);
    } else {
      gemm("linear attention in", WeightClass::kAttention,
           2 * key + 2 * value + (m.fixed_decay ? 0 : 2 * hv), h_);
    }
    if (m.conv > 0) elementwise("convolution", 2.0 * d(2 * key + value));
    Operator scan{.kind = OpKind::kScan,
                  .name = m.fixed_decay ? "lightning attention" : "gated delta rule"};
    scan.scan_flop_prefill = heads * (6.0 * dk * dv + c * (3.0 * dk + 2.0 * dv));
    scan.scan_flop_decode = heads * 7.0 * dk * dv;
    scan.scan_state_elements = 2.0 * heads * dk * dv;
    scan.scan_io_elements = heads * (2.0 * dk + 2.0 * dv);
    add(scan);
    elementwise("gated norm", 3.0 * d(value));
    gemm("linear attention out", WeightClass::kAttention, h_, value);
  }

  void mlp(const std::string& name, WeightClass weights, std::int64_t width, bool gated) {
    const std::int64_t w = ceil_div(width, tp_);
    gemm(name + " up", weights, gated ? 2 * w : w, h_);
    elementwise(name + " activation", d(gated ? 3 * w : 2 * w));
    gemm(name + " down", weights, h_, w);
  }

  void experts(const Channel& c) {
    // Expert parallelism divides the experts; what tp leaves over (tp / min(tp, ep)) divides each
    // expert's width.
    const std::int64_t etp = ceil_div(tp_, std::min(tp_, ep_));
    const std::int64_t width = ceil_div(c.expert_width, etp), work = c.latent > 0 ? c.latent : h_;
    gemm("router", WeightClass::kRouter, c.experts, h_);
    if (c.latent > 0) gemm("experts latent down", WeightClass::kMlp, c.latent, h_);
    if (ep_ > tp_) all_to_all("experts dispatch", c, work);
    Operator up{
        .kind = OpKind::kGroupedGemm, .name = "experts up", .weights = WeightClass::kExperts};
    up.experts = ceil_div(c.experts, ep_);
    up.experts_total = c.experts;
    up.top_k = c.top_k;
    up.token_groups = ep_ > tp_ ? d(ep_) / d(tp_) : 1.0;
    up.n = c.gated ? 2 * width : width;
    up.k = work;
    Operator down = up;
    down.name = "experts down";
    down.n = work;
    down.k = width;
    add(std::move(up));
    add(std::move(down));
    elementwise("experts activation", d(c.top_k * (c.gated ? 3 : 2) * width));
    if (ep_ > tp_) all_to_all("experts combine", c, work);
    if (c.latent > 0) gemm("experts latent up", WeightClass::kMlp, h_, c.latent);
    if (c.shared_width > 0) mlp("shared expert", WeightClass::kMlp, c.shared_width, c.gated);
    if (c.dense_residual_width > 0) mlp("mlp", WeightClass::kMlp, c.dense_residual_width, c.gated);
  }

  void all_to_all(std::string name, const Channel& c, std::int64_t width) {
    Operator op{.kind = OpKind::kAllToAll, .name = std::move(name)};
    op.message_elements = d(c.top_k * width);
    op.top_k = c.top_k;
    add(std::move(op));
  }

  std::int64_t h_, tp_, ep_;
  double count_ = 1;
  std::vector<Operator> operators_;
};

}  // namespace

std::string_view op_name(OpKind kind) {
  switch (kind) {
    case OpKind::kGemm:
      return "gemm";
    case OpKind::kGroupedGemm:
      return "grouped_gemm";
    case OpKind::kAttention:
      return "attention";
    case OpKind::kMla:
      return "mla";
    case OpKind::kScan:
      return "scan";
    case OpKind::kElementwise:
      return "elementwise";
    case OpKind::kEmbedding:
      return "embedding";
    case OpKind::kAllReduce:
      return "all_reduce";
    case OpKind::kAllGather:
      return "all_gather";
    case OpKind::kAllToAll:
      return "all_to_all";
  }
  return "unknown";
}

Format stored_format(const Architecture& architecture, WeightClass weights,
                     std::optional<Format> format) {
  const bool bulk = weights == WeightClass::kAttention || weights == WeightClass::kMlp ||
                    weights == WeightClass::kExperts;
  if (format) {
    const bool whole = *format == Format::kFp32 || *format == Format::kTf32 ||
                       *format == Format::kBf16 || *format == Format::kFp16;
    return bulk || whole ? *format : Format::kBf16;
  }
  bool quantised = false;
  std::optional<Format> own;
  switch (weights) {
    case WeightClass::kAttention:
      own = architecture.attention_weights;
      quantised = architecture.quantised_attention;
      break;
    case WeightClass::kMlp:
      own = architecture.mlp_weights;
      quantised = architecture.quantised_mlp;
      break;
    case WeightClass::kExperts:
      own = architecture.expert_weights;
      quantised = architecture.quantised_experts;
      break;
    case WeightClass::kHead:
      own = architecture.head_weights;
      quantised = architecture.quantised_head;
      break;
    case WeightClass::kNone:
    case WeightClass::kEmbedding:
    case WeightClass::kRouter:
      break;
  }
  if (own) return *own;
  return quantised || architecture.weights == Format::kExact ? architecture.weights
                                                             : architecture.unquantised;
}

double stored_bytes_per_weight(const Architecture& architecture, WeightClass weights,
                               std::optional<Format> format) {
  const Format stored = stored_format(architecture, weights, format);
  if (stored != Format::kExact) return bytes_per_weight(stored);
  const auto parameters = static_cast<double>(count_parameters(architecture).total);
  if (parameters <= 0 || !architecture.exact_weight_bytes) return 2.0;
  return static_cast<double>(*architecture.exact_weight_bytes) / parameters;
}

std::vector<Operator> operators(const Architecture& architecture, const Shard& shard) {
  Collector collector(architecture, shard);
  if (architecture.layers.empty()) {
    Operator all{.kind = OpKind::kGemm, .name = "all weights", .weights = WeightClass::kMlp};
    all.n = ceil_div(std::max<std::int64_t>(1, count_parameters(architecture).active),
                     std::max(1, shard.tp));
    all.k = 1;
    return {all};
  }
  for (const LayerRun& run : architecture.layers) collector.layer(run);
  collector.ends(architecture);
  return collector.take();
}

}  // namespace portolan::model
