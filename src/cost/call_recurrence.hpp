// Recurrent mixers (gated delta rule, Mamba-2) and their short convolutions as calls of a curve.
#pragma once

#include <string_view>

#include "cost/curve.hpp"

namespace portolan::cost {

/// What a recurrence does for one token on one rank; model::Operator has the same figures of a
/// scan.
struct RecurrenceShape {
  double flop_prefill = 0;    // per token of a chunked scan
  double flop_decode = 0;     // per token of a state update
  double state_elements = 0;  // of one sequence, read and written once each: counted twice
  double io_elements = 0;     // activations in and out per token
};

/// Kernels of the tables: op "gdn" or "mamba2", dtype "", kv_dtype "", variant as named here.
inline constexpr std::string_view kScanVariant = "scan", kUpdateVariant = "update",
                                  kConvVariant = "conv", kConvUpdateVariant = "conv.update";

/// Gated delta rule of `value_heads` heads in chunks of 64 tokens (cost-model.md §3).
RecurrenceShape gated_delta_shape(double key_heads, double key_dim, double value_heads,
                                  double value_dim);

/// `requests` prompts of `tokens` tokens each, scanned in chunks; may be means, > 0. `at`: log2 of
/// sequences × states of 128 × 128 elements, log2 of tokens: chunks of one sequence follow each
/// other, states run side by side.
Call recurrence_scan_call(const Chip& chip, const RecurrenceShape& shape, double requests,
                          double tokens);
/// One token for each of `requests` sequences.
Call recurrence_update_call(const Chip& chip, const RecurrenceShape& shape, double requests);
/// Causal convolution of `channels` channels over `width` tokens: `requests` sequences of `tokens`
/// tokens (scan), or one token each (update, tokens = 1).
Call convolution_call(const Chip& chip, double channels, double width, double requests,
                      double tokens);

}  // namespace portolan::cost
