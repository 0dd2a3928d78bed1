// Laws that hold for every model and shape.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "model/numeric_format.hpp"
#include "model/operators.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

rc::Gen<Architecture> any_model() {
  const auto count = static_cast<int>(library().ids().size());
  return rc::gen::map(rc::gen::inRange(0, count), [](int index) {
    return named(library().ids()[static_cast<std::size_t>(index)]);
  });
}

/// A believable config with heads that need not divide by the ranks.
rc::Gen<Architecture> any_config() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(1, 100), rc::gen::inRange(1, 100), rc::gen::inRange(1, 5),
                     rc::gen::inRange(1, 300), rc::gen::inRange(0, 64), rc::gen::inRange(0, 5000)),
      [](const std::tuple<int, int, int, int, int, int>& t) {
        const auto [layers, heads, group, width, experts, window] = t;
        std::string json = R"({"model_type":"mixtral","hidden_size":)" +
                           std::to_string(64 * heads * group) +
                           ",\"num_hidden_layers\":" + std::to_string(layers) +
                           ",\"num_attention_heads\":" + std::to_string(heads * group) +
                           ",\"num_key_value_heads\":" + std::to_string(heads) +
                           ",\"intermediate_size\":" + std::to_string(16 * width) +
                           R"(,"vocab_size":1000,"num_experts_per_tok":1)";
        if (experts > 1) json += ",\"num_local_experts\":" + std::to_string(experts);
        if (window > 0) json += ",\"sliding_window\":" + std::to_string(window);
        return read(json + "}");
      });
}

double weight_elements(const Architecture& model, const Shard& shard) {
  double total = 0;
  for (const Operator& op : operators(model, shard)) {
    const double product = static_cast<double>(op.n) * static_cast<double>(op.k);
    if (op.kind == OpKind::kGemm || op.kind == OpKind::kEmbedding) total += op.count * product;
    if (op.kind == OpKind::kGroupedGemm)
      total += op.count * product * static_cast<double>(op.experts);
  }
  return total;
}

double cache_elements(const Architecture& model, const Shard& shard) {
  double total = 0;
  for (const Operator& op : operators(model, shard)) {
    if (op.kind == OpKind::kAttention)
      total += op.count * static_cast<double>(op.kv_heads * (op.d_qk + op.d_v));
    if (op.kind == OpKind::kMla) total += op.count * static_cast<double>(op.kv_rank + op.rope_dim);
  }
  return total;
}

RC_GTEST_PROP(ModelLaws, TwiceTheRanksNeverHoldMore, ()) {
  const Architecture model = *rc::gen::oneOf(any_model(), any_config());
  const int tp = 1 << *rc::gen::inRange(0, 6), ep = 1 << *rc::gen::inRange(0, 6);
  RC_ASSERT(weight_elements(model, {2 * tp, ep}) <= weight_elements(model, {tp, ep}));
  RC_ASSERT(weight_elements(model, {1, 2 * ep}) <= weight_elements(model, {1, ep}));
  RC_ASSERT(cache_elements(model, {2 * tp, ep}) <= cache_elements(model, {tp, ep}));
}

RC_GTEST_PROP(ModelLaws, LongerContextNeverTakesLess, ()) {
  const Architecture model = *rc::gen::oneOf(any_model(), any_config());
  const auto tokens = static_cast<double>(*rc::gen::inRange(0, 1'000'000));
  const auto more = static_cast<double>(*rc::gen::inRange(0, 1'000'000));
  RC_ASSERT(kv_bytes(model, tokens + more, 2) >= kv_bytes(model, tokens, 2));
  RC_ASSERT(index_bytes(model, tokens + more) >= index_bytes(model, tokens));
  RC_ASSERT(decode_flop_per_token(model, tokens + more + 1) >=
            decode_flop_per_token(model, tokens + 1));
  RC_ASSERT(prefill_flop(model, tokens + more, 0, 1) >= prefill_flop(model, tokens, 0, 1));
}

RC_GTEST_PROP(ModelLaws, FewerBitsNeverTakeMoreBytes, ()) {
  const Architecture model = *rc::gen::oneOf(any_model(), any_config());
  const Bytes full = weight_bytes(model, Format::kBf16);
  RC_ASSERT(weight_bytes(model, Format::kFp8) <= full);
  RC_ASSERT(weight_bytes(model, Format::kFp8Block) <= full);
  RC_ASSERT(weight_bytes(model, Format::kInt4) <= weight_bytes(model, Format::kFp8));
  RC_ASSERT(full <= weight_bytes(model, Format::kFp32));
  RC_ASSERT(kv_bytes(model, 5000, 1) <= kv_bytes(model, 5000, 2));
}

RC_GTEST_PROP(ModelLaws, CapacityIsTheInverseOfTheCache, ()) {
  const Architecture model = *rc::gen::oneOf(any_model(), any_config());
  const auto budget =
      Bytes(static_cast<double>(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 42)));
  const TokenCapacity capacity = max_tokens(model, budget, 2);
  RC_ASSERT(kv_bytes(model, static_cast<double>(capacity.tokens), 2) <= budget);
  if (!capacity.unbounded)
    RC_ASSERT(kv_bytes(model, static_cast<double>(capacity.tokens + 1), 2) > budget);
}

RC_GTEST_PROP(ModelLaws, PrefillInChunksIsPrefill, ()) {
  const Architecture model = *any_config();
  const auto first = static_cast<double>(*rc::gen::inRange(1, 20'000)),
             second = static_cast<double>(*rc::gen::inRange(1, 20'000));
  const double whole = prefill_flop(model, first + second, 0, 1).raw();
  const double parts =
      prefill_flop(model, first, 0, 0).raw() + prefill_flop(model, second, first, 1).raw();
  RC_ASSERT(std::abs(whole - parts) <= 1e-12 * whole);
}

}  // namespace
}  // namespace portolan::model
