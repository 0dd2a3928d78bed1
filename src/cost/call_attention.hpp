// Softmax attention, latent attention and encoder attention as calls of a curve.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cost/curve.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {

class KernelSet;
struct Chosen;

/// One attention operator on one rank. A compressed cache (one entry per `stride` tokens) divides
/// pairs and cached bytes.
struct AttentionShape {
  double heads = 0, kv_heads = 0;  // query heads, key-value heads of the rank
  double d_qk = 0, d_v = 0;        // per head
  double window = 0;               // tokens a query sees, itself included; 0 = all
  bool causal = true;
  double kv_bytes = 2;                             // per element of the cache
  model::Compute compute = model::Compute::kBf16;  // of the queries
  double stride = 1;
};

/// Latent attention (MLA) on one rank: `kv_rank` + `rope` elements are cached per token.
struct LatentShape {
  double heads = 0;
  double kv_rank = 512, rope = 64, nope = 128, d_v = 128;
  double kv_bytes = 2;
  model::Compute compute = model::Compute::kBf16;
};

/// Where the curve of an operator is found: KernelSet::find(op, dtype, variant, kv_dtype) with the
/// variants in order, the operator's own first, then what stands in for it. Resolve once, when a
/// step model is compiled; the calls below are for the hot path.
struct CurveNames {
  std::string_view op, dtype, kv_dtype;
  std::vector<std::string> variants;
};
/// op "context_attention", "generation_attention", "encoder_attention", "context_mla",
/// "generation_mla". dtype "bfloat16" or "fp8" (fp8 queries); kv_dtype "bfloat16" or "fp8", ""
/// of an encoder.
CurveNames context_attention_names(const AttentionShape& shape);
CurveNames decode_attention_names(const AttentionShape& shape);
CurveNames encoder_attention_names(const AttentionShape& shape);
CurveNames context_mla_names(const LatentShape& shape);
CurveNames decode_mla_names(const LatentShape& shape);
/// The first variant with a curve of the accelerator itself (any backend); else the first with any.
/// fp8 queries fall back to 16-bit ones.
Chosen choose(const KernelSet& kernels, const CurveNames& names);

/// "d128", or "d128.window" for windows of at most kShortWindow tokens: longer windows are read by
/// the kernels of full attention.
inline constexpr double kShortWindow = 2048;
std::string attention_variant(double d_qk, double window);

/// `requests` prompts of `tokens` new tokens each after `cached` tokens; all may be means, > 0
/// (`cached` >= 0). Work is counted in whole 128 × 128 blocks (cost-model.md §6.5); `at` is log2 of
/// parallel query heads, of the sharing of key-value heads and of the tokens. A prefix lengthens
/// the blocks of a tile, so it is read at the prompt of equal work per token.
Call context_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                            double tokens, double cached);
/// One new token for each of `requests` sequences that attend `context` tokens on average, itself
/// included (cost-model.md §6.6). `at`: log2 of parallel key-value heads, of the context, of
/// queries per key-value head.
Call decode_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                           double context);
/// Decoding tokens inside a step that also holds prompts, where the engine starts one kernel for
/// both: each is a prompt of one token, without the splits along the cache that decode kernels
/// make. Priced by the curve of context attention; the launch floor of that kernel is paid once for
/// both. vLLM with FlashAttention does so: on the mixed batches LLMServingSim measured on RTX PRO
/// 6000 (FlashAttention 2) this misses by 25-28 %, the sum of a prompt and a decode kernel by
/// 27-45 %. FlashInfer and TensorRT-LLM start two kernels.
Call mixed_decode_call(const Chip& chip, const AttentionShape& shape, double requests,
                       double context);
/// All attention of a step that holds prompts and decoding tokens, where one kernel does both
/// (FlashAttention on parts without a decode kernel of its own in such steps): `decodes` sequences
/// that attend `context` tokens beside `requests` prompts as of context_attention_call. `at`: as of
/// the prompts, then log2 of the decodes' query heads and of their context.
Call mixed_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                          double tokens, double cached, double decodes, double context);
/// Op "mixed_attention": variants name the head dimension and the queries that share a key-value
/// head; there is none of another shape that stands in.
CurveNames mixed_attention_names(const AttentionShape& shape);
std::string mixed_attention_variant(double d_qk, double window, double sharing);
/// alpha of t = t(mean) + alpha · (t(longest) − t(mean)), both of a whole batch of one length, when
/// the contexts of a decode batch differ. Decode kernels split long caches: 0.035. In a mixed step
/// they do not: the longest decides while all query heads run side by side, and half a wave of it
/// shows beyond (`heads` of the rank; LLMServingSim's skew tables, RTX 4090 and PRO 6000).
double longest_share(const Chip& chip, double heads, double requests, bool mixed);
/// `requests` sequences of `tokens` tokens that all see one another.
Call encoder_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                            double tokens);
/// Latent attention with expanded keys and values; the expansion of cached tokens is a GEMM of its
/// own and not in here. Arguments as of context attention.
Call context_mla_call(const Chip& chip, const LatentShape& shape, double requests, double tokens,
                      double cached);
/// Absorbed latent attention over the latents; the two products with W_UK and W_UV are not in here.
Call decode_mla_call(const Chip& chip, const LatentShape& shape, double requests, double context);

}  // namespace portolan::cost
