// The operator list of a forward pass: identical layers collapse into one record with a count, so a
// step is 15–60 records whatever the depth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.hpp"
#include "model/architecture.hpp"

namespace portolan::model {

/// How a rank's share follows from the parallel degrees.
struct Shard {
  int tp = 1;  // tensor parallel
  int ep = 1;  // expert parallel: ⌈experts / ep⌉ routed experts on a rank, each split by
               // tp / min(tp, ep); up to tp the ranks see all tokens, beyond they exchange them
  friend bool operator==(const Shard&, const Shard&) = default;
};

enum class OpKind : std::uint8_t {
  kGemm,         // y[m,n] = x[m,k] w[k,n], m = tokens (or sampled tokens)
  kGroupedGemm,  // routed experts
  kAttention,    // softmax attention over a cache, prefill and decode
  kMla,          // latent attention (prefill expands, decode absorbed)
  kScan,         // mamba/gated-delta recurrence: chunked in prefill, update in decode
  kElementwise,  // norms, rope, activation, residual, conv: bytes only
  kEmbedding,
  kAllReduce,
  kAllGather,
  kAllToAll
};
std::string_view op_name(OpKind kind);

/// Which class of weights an operator reads (its format may differ by class).
enum class WeightClass : std::uint8_t {
  kNone,
  kEmbedding,
  kHead,
  kAttention,
  kMlp,
  kExperts,
  kRouter
};

/// One operator on one rank, executed `count` times per forward pass. Shapes are per rank, after
/// sharding.
struct Operator {
  OpKind kind = OpKind::kGemm;
  std::string name;  // "attention qkv", "experts up"
  WeightClass weights = WeightClass::kNone;
  double count = 1;  // layers (fractional never)
  // gemm: n, k; rows m = tokens, or sampled positions when `sampled`
  std::int64_t n = 0, k = 0;
  bool sampled = false;
  // attention: heads, kv_heads, dims (d_qk, d_v); window 0 = full; MLA: kv_rank, rope_dim
  std::int64_t heads = 0, kv_heads = 0, d_qk = 0, d_v = 0, window = 0, kv_rank = 0, rope_dim = 0;
  bool causal = true;
  std::int64_t sparse_top = 0;    // at most this many cached tokens are attended
  std::int64_t cache_stride = 1;  // one cached entry per this many tokens (compressed attention)
  // grouped gemm: experts on this rank, experts in all, top_k, n and k of one expert's product
  std::int64_t experts = 0, experts_total = 0, top_k = 0;
  double token_groups =
      1;  // data-parallel ranks that feed these experts: ep / tp when ep > tp. Rows on the rank =
          // tokens × token_groups × top_k × experts / experts_total
  // scan: FLOP per token in prefill and decode, state bytes read+written per token in decode (per
  // sequence) (scan_state_elements counts the read and the write; scan_io_elements are the
  // activations of one token)
  double scan_flop_prefill = 0, scan_flop_decode = 0, scan_state_elements = 0, scan_io_elements = 0;
  // elementwise: elements read + written per token
  double elements = 0;
  // collectives: elements per token in the message; of an exchange between experts one copy for
  // each of the token's top_k choices
  double message_elements = 0;
};

/// The decoder's operators on the largest rank of a `shard`ed pipeline stage that holds all layers
/// (callers divide layers by pp). Without coverage (kParameterCount) one gemm stands for all
/// parameters.
std::vector<Operator> operators(const Architecture& architecture, const Shard& shard);

/// The format a class of weights is stored in: the checkpoint's own (nullopt) or `format` for the
/// bulk with embeddings, head and router left in the unquantised type.
Format stored_format(const Architecture& architecture, WeightClass weights,
                     std::optional<Format> format);
/// Bytes per weight of that format; the file's mean where only exact tensor sizes are known.
double stored_bytes_per_weight(const Architecture& architecture, WeightClass weights,
                               std::optional<Format> format);

/// FLOP of a forward pass, model FLOP (causal convention, cost-model.md §4; attention pairs exact,
/// windows respected). `sampled`: positions that go through the head.
Flop prefill_flop(const Architecture& architecture, double new_tokens, double cached_tokens,
                  double sampled);
/// One decode token at context length `context` (tokens attended, itself included).
Flop decode_flop_per_token(const Architecture& architecture, double context);
/// 3 × forward, all positions through the head, mean over a packed sequence of `sequence` tokens;
/// per token.
Flop training_flop_per_token(const Architecture& architecture, double sequence);
/// Work outside the decoder, once per request: towers on one image of their stated size, or on
/// `source_tokens` patches or tokens where no size is stated, and the keys and values of cross
/// attention; 0 when there is no encoder.
Flop encoder_flop(const Architecture& architecture, double source_tokens);

/// Query-key pairs of `n` new tokens after `cached` under a causal window (0 = none): j0 = clamp(w
/// − C, 0, n); pairs = j0·C + j0(j0+1)/2 + (n − j0)·w.
double attention_pairs(double n, double cached, double window);
/// Expected distinct experts touched by `tokens` tokens under uniform routing: E(1 − (1 − K/E)^T).
double expected_experts(double experts, double top_k, double tokens);

}  // namespace portolan::model
