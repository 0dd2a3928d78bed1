// Exact parameter counts, KV-cache and state bytes of an architecture.
#pragma once

#include <cstdint>

#include "base/quantity.hpp"
#include "model/architecture.hpp"

namespace portolan::model {

/// Parameters by class. `total` excludes MTP blocks (`mtp` beside it) and includes encoders.
/// `active` counts per generated token: top-k routed and shared experts, the input embedding and
/// the head; encoders not.
struct ParameterCount {
  std::int64_t total = 0, active = 0, mtp = 0;
  std::int64_t embedding = 0, head = 0, attention = 0, mlp = 0, experts = 0, router = 0, norms = 0,
               encoders = 0, other = 0;
};
ParameterCount count_parameters(const Architecture& architecture);

/// KV-cache bytes of one sequence of `tokens` tokens: window layers hold min(tokens, window), MLA
/// one latent, shared-KV and recurrent layers nothing, MTP layers not counted. kv_bytes = bytes per
/// element (2 for bf16, 1 for fp8 …).
Bytes kv_bytes(const Architecture& architecture, double tokens, double bytes_per_element);
/// One token's KV bytes over all layers before any window is full.
Bytes kv_bytes_per_token(const Architecture& architecture, double bytes_per_element);
/// Constant recurrent state of one sequence (Mamba, gated delta): state in fp32 where the kernels
/// keep it so, convolution in `bytes_per_element`. Cross-attention KV of an encoder-decoder is not
/// state: it is source_tokens × cross_kv_bytes_per_token.
Bytes state_bytes(const Architecture& architecture, double bytes_per_element);
Bytes cross_kv_bytes_per_source_token(const Architecture& architecture, double bytes_per_element);
/// Index keys that sparse attention keeps beside the KV cache (DeepSeek-V3.2, GLM-5, MiniMax-M3):
/// not part of kv_bytes, because the published KV figures leave them out; one byte per element plus
/// a 4-byte scale per key, whatever the KV format (fp8 in every engine).
Bytes index_bytes(const Architecture& architecture, double tokens);
/// Largest whole number of tokens whose KV cache fits in `budget` (exact inverse of kv_bytes);
/// `unbounded` when every layer is windowed or recurrent and the saturated cache fits.
struct TokenCapacity {
  std::int64_t tokens = 0;
  bool unbounded = false;
};
TokenCapacity max_tokens(const Architecture& architecture, Bytes budget, double bytes_per_element);

}  // namespace portolan::model
