// `estimate`: the fields of the contract with their meanings, memory and cache of known
// architectures, and the inverse questions.
#include <cmath>
#include <map>

#include "io/text_formats.hpp"
#include "tests/app/ask.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

Value estimate(std::initializer_list<std::pair<const char*, Value>> members) {
  return object("estimate", request(members));
}

TEST(Estimate, has_every_field_of_the_contract) {
  const Value answer = estimate(
      {{"model", "llama-3.1-8b"}, {"training_tokens", "1T"}, {"gpu", "h100-sxm"}, {"count", 64}});
  for (const char* path : {"result.model.id",
                           "result.model.parameters_total",
                           "result.model.parameters_active",
                           "result.model.layers",
                           "result.rule_of_thumb.forward_flop",
                           "result.rule_of_thumb.training_flop_per_token",
                           "result.rule_of_thumb.training_flop",
                           "result.rule_of_thumb.weight_bytes",
                           "result.rule_of_thumb.training_bytes",
                           "result.operators.prefill_flop",
                           "result.operators.decode_flop_per_token",
                           "result.operators.training_flop_per_token",
                           "result.memory.weight_bytes",
                           "result.memory.kv_bytes_per_token",
                           "result.memory.kv_bytes",
                           "result.memory.state_bytes",
                           "result.memory.activation_bytes",
                           "result.memory.overhead_bytes",
                           "result.memory.total_bytes",
                           "result.on.prefill_seconds",
                           "result.on.decode_seconds_per_token",
                           "result.on.bound",
                           "result.on.usd_per_million_input_tokens",
                           "result.on.usd_per_million_output_tokens",
                           "result.on.training_seconds",
                           "result.on.training_usd",
                           "result.on.memory_bytes_per_accelerator"}) {
    EXPECT_FALSE(at(answer, path).is_null()) << path;
  }
}

// The rule uses the published count, the operator list its own (contract.md).
TEST(Estimate, rule_by_published_count_list_by_its_own) {
  const Value answer = estimate({{"model", "gpt3-175b"}, {"tokens", 1024}, {"dtype", "fp16"}});
  EXPECT_EQ(number(answer, "result.rule_of_thumb.parameters"), 175e9);
  EXPECT_TRUE(near(number(answer, "result.model.parameters_total"), 174.6e9, 0.0005));
  EXPECT_TRUE(near(number(answer, "result.memory.weight_bytes"),
                   2 * number(answer, "result.model.parameters_total"), kExact));
  EXPECT_TRUE(near(number(answer, "result.operators.prefill_flop"), 358.4e12, 0.01));
  // Training over a packed sequence: 6p and attention on top, Narayanan et al. (arXiv 2104.04473).
  EXPECT_GT(number(answer, "result.operators.training_flop_per_token"), 6 * 174.6e9);
  EXPECT_LT(number(answer, "result.operators.training_flop_per_token"), 6 * 174.6e9 * 1.05);
}

// KV cache of one sequence, derived by hand: 2 · KV layers · KV heads · head size · bytes, or what
// the architecture keeps instead.
TEST(Estimate, kv_bytes_per_token_by_architecture) {
  const std::map<std::string, double> expected = {
      {"llama-3.1-8b", 2.0 * 32 * 8 * 128 * 2},
      {"llama-3.1-70b", 2.0 * 80 * 8 * 128 * 2},  // 327,680
      {"llama-2-7b", 2.0 * 32 * 32 * 128 * 2},
      {"gpt3-175b", 2.0 * 96 * 96 * 128 * 2},  // 4,718,592
      {"mistral-7b-v0.3", 2.0 * 32 * 8 * 128 * 2},
      {"deepseek-v3", 61.0 * (512 + 64) * 2},  // MLA: one latent and one rotary key
      {"falcon-7b", 2.0 * 32 * 1 * 64 * 2},    // multi-query
      {"gpt-oss-120b", 2.0 * 36 * 8 * 64 * 2},
  };
  for (const auto& [model, bytes] : expected) {
    EXPECT_EQ(number(estimate({{"model", model}}), "result.memory.kv_bytes_per_token"), bytes)
        << model;
  }
}

TEST(Estimate, kv_bytes_follow_batch_context_and_format) {
  const double token = 2.0 * 80 * 8 * 128 * 2;
  EXPECT_EQ(number(estimate({{"model", "llama-3.1-70b"}, {"context", 8192}, {"batch", 8}}),
                   "result.memory.kv_bytes"),
            token * 8192 * 8);
  EXPECT_EQ(number(estimate({{"model", "llama-3.1-70b"}, {"context", 8192}, {"kv_dtype", "fp8"}}),
                   "result.memory.kv_bytes"),
            token / 2 * 8192);
  // 4 bytes for fp32 weights, 2 for any other.
  EXPECT_EQ(number(estimate({{"model", "llama-3.1-70b"}, {"context", 10}, {"dtype", "fp32"}}),
                   "result.memory.kv_bytes"),
            token * 2 * 10);
  EXPECT_EQ(number(estimate({{"model", "llama-3.1-70b"}, {"context", 10}, {"dtype", "int4"}}),
                   "result.memory.kv_bytes"),
            token * 10);
  // Without --context the prompt and the answer are held.
  EXPECT_EQ(number(estimate({{"model", "llama-3.1-70b"}, {"input", 1000}, {"output", 500}}),
                   "result.memory.kv_bytes"),
            token * 1500);
}

// Gemma 3 27B: 62 layers, every sixth of them global, the rest hold at most 1,024 tokens; 16 KV
// heads of 128.
TEST(Estimate, windows_are_respected) {
  const double layer = 2.0 * 16 * 128 * 2;
  const Value answer = estimate({{"model", "gemma-3-27b"}, {"context", 32768}});
  EXPECT_EQ(number(answer, "result.memory.kv_bytes_per_token"), 62 * layer);
  EXPECT_EQ(number(answer, "result.memory.kv_bytes"), layer * (10 * 32768.0 + 52 * 1024.0));
}

TEST(Estimate, a_recurrent_state_is_no_cache) {
  const Value answer = estimate({{"model", "qwen3-next-80b-a3b"}, {"context", 4096}});
  EXPECT_GT(number(answer, "result.memory.state_bytes"), 0);
  // 12 of 48 layers attend, 2 KV heads of 256.
  EXPECT_EQ(number(answer, "result.memory.kv_bytes_per_token"), 2.0 * 12 * 2 * 256 * 2);
  const Value twice = estimate({{"model", "qwen3-next-80b-a3b"}, {"context", 8192}});
  EXPECT_EQ(number(twice, "result.memory.state_bytes"),
            number(answer, "result.memory.state_bytes"));
}

TEST(Estimate, memory_is_the_sum_of_its_parts) {
  for (const char* gpu : {"", "h100-sxm"}) {
    Value asked = request({{"model", "llama-3.1-70b"}, {"context", 4096}, {"batch", 4}});
    if (*gpu != 0) {
      asked.set("gpu", gpu);
      asked.set("tp", 4);
    }
    const Value answer = object("estimate", asked);
    double sum = 0;
    for (const char* part :
         {"weight_bytes", "kv_bytes", "state_bytes", "activation_bytes", "overhead_bytes"}) {
      sum += number(answer, std::string("result.memory.") + part);
    }
    EXPECT_TRUE(near(number(answer, "result.memory.total_bytes"), sum, kExact)) << gpu;
  }
}

// The inverse questions: what is said to fit fits, and one more does not.
TEST(Estimate, largest_context_and_batch_are_the_largest) {
  const auto fits = [](double batch, double context) {
    return at(estimate({{"model", "llama-3.1-8b"},
                        {"gpu", "l4"},
                        {"batch", batch},
                        {"context", context},
                        {"tokens", 1024}}),
              "result.on.fits")
        .boolean();
  };
  const Value answer = estimate({{"model", "llama-3.1-8b"},
                                 {"gpu", "l4"},
                                 {"batch", 1},
                                 {"context", 1024},
                                 {"tokens", 1024}});
  const double context = number(answer, "result.on.largest_context_tokens");
  EXPECT_TRUE(fits(1, context));
  EXPECT_FALSE(fits(1, context + 16));  // the cache is handed out in blocks of 16 tokens
  const double batch = number(answer, "result.on.largest_batch");
  EXPECT_TRUE(fits(batch, 1024));
  EXPECT_FALSE(fits(batch + 1, 1024));
}

TEST(Estimate, smallest_number_that_fits_is_the_smallest) {
  const Value answer = estimate({{"model", "llama-3.1-70b"}, {"gpu", "h100-sxm"}, {"count", 8}});
  const auto smallest = static_cast<std::int64_t>(number(answer, "result.on.minimum_accelerators"));
  EXPECT_EQ(smallest, 2);  // 141 GB of weights on cards of 80 GB
  const Value all = estimate({{"model", "llama-3.1-70b"}});
  for (const Value& row : at(all, "result.fits").array()) {
    if (text(row, "accelerator") == "h100-sxm-80gb") {
      EXPECT_EQ(number(row, "accelerators"), 2);
    }
    EXPECT_LE(number(row, "accelerators"), 16);
  }
}

TEST(Estimate, where_nothing_is_kept_nothing_limits) {
  const Value answer = estimate({{"model", "bert-base"}, {"gpu", "t4"}, {"tokens", 512}});
  EXPECT_EQ(number(answer, "result.memory.kv_bytes"), 0);
  EXPECT_TRUE(at(answer, "result.on.largest_context_tokens").is_null());
  EXPECT_TRUE(at(answer, "result.on.largest_batch").is_null());
  EXPECT_TRUE(at(answer, "result.on.decode_seconds_per_token").is_null());
  EXPECT_FALSE(at(answer, "result.on.prefill_seconds").is_null());
}

TEST(Estimate, costs_follow_the_price) {
  const auto output = [](double price) {
    return number(estimate({{"model", "llama-3.1-8b"}, {"gpu", "l4"}, {"price", price}}),
                  "result.on.usd_per_million_output_tokens");
  };
  EXPECT_TRUE(near(output(2), 2 * output(1), 1e-6));
  const Value answer =
      estimate({{"model", "llama-3.1-8b"}, {"gpu", "l4"}, {"price", 1}, {"batch", 4}});
  EXPECT_TRUE(near(number(answer, "result.on.usd_per_million_output_tokens"),
                   number(answer, "result.on.decode_seconds_per_token") / 3600 / 4 * 1e6, 1e-6));
}

// A training cluster is no one replica: 64 accelerators do not make the cache of one sequence
// smaller.
TEST(Estimate, a_training_question_leaves_inference_to_the_smallest_layout) {
  const Value answer = estimate(
      {{"model", "llama-3.1-8b"}, {"training_tokens", "1T"}, {"gpu", "h100-sxm"}, {"count", 64}});
  EXPECT_EQ(number(answer, "result.on.tp"), 1);
  EXPECT_EQ(number(answer, "result.on.accelerators"), 64);
  EXPECT_TRUE(near(number(answer, "result.memory.weight_bytes"), 16.06e9, 0.001));
  EXPECT_EQ(text(answer, "result.on.training_basis"), "operator model, best strategy that fits");
  // 6pD over 64 cards at an MFU between a third and two thirds of the peak.
  const double ideal = 6 * 8.03e9 * 1e12 / (64 * 989e12);
  EXPECT_GT(number(answer, "result.on.training_seconds"), ideal / 0.67);
  EXPECT_LT(number(answer, "result.on.training_seconds"), ideal / 0.33);
}

TEST(Estimate, a_context_beyond_the_maximum_is_answered_with_a_warning) {
  const Value answer = estimate({{"model", "llama-2-7b"}, {"context", 8192}});
  ASSERT_EQ(at(answer, "warnings").array().size(), 1u);
  EXPECT_NE(text(answer, "warnings.0").find("beyond the model's maximum of 4,096"),
            std::string::npos);
}

TEST(Estimate, an_ambiguous_accelerator_says_what_was_taken) {
  const Value answer = estimate({{"model", "llama-3.1-8b"}, {"gpu", "H100"}});
  EXPECT_EQ(text(answer, "result.on.accelerator"), "h100-sxm-80gb");
  EXPECT_NE(text(answer, "warnings.0").find("took h100-sxm-80gb"), std::string::npos);
  EXPECT_TRUE(
      at(estimate({{"model", "llama-3.1-8b"}, {"gpu", "NVIDIA H100 80GB HBM3"}}), "warnings")
          .array()
          .empty());
}

TEST(Estimate, the_grammar_of_offers_is_translated) {
  const Error error = refusal("estimate", request({{"model", "llama-3.1-8b"}, {"gpu", "H100:8"}}));
  EXPECT_EQ(error.hint, "--gpu H100 --count 8");
}

TEST(Estimate, refuses_what_makes_no_sense) {
  const std::vector<std::pair<Value, const char*>> asked = {
      {request({{"model", "llama-3.1-8b"}, {"tokens", 5}, {"input", 3}}), "--tokens"},
      {request({{"model", "llama-3.1-8b"}, {"characters", 5}, {"output", 3}}), "--characters"},
      {request({{"model", "llama-3.1-8b"}, {"tp", 2}}), "--gpu"},
      {request({{"model", "llama-3.1-8b"}, {"gpu", "l4"}, {"price", 0}}), "--price"},
      {request({{"model", "llama-3.1-8b"}, {"batch", 0}}), "--batch"},
      {request({{"model", "llama-3.1-8b"}, {"tokens", 0}}), "--tokens"},
      {request({{"model", "llama-3.1-8b"}, {"tokens", -1}}), "--tokens"},
      {request({{"model", "llama-3.1-8b"}, {"mfu", "150%"}}), "--mfu"},
      {request({{"model", "llama-3.1-8b"}, {"utilisation", 0}}), "--utilisation"},
      {request({{"model", "llama-3.1-8b"}, {"max_params", true}}), "--max-params"},
      {request({{"model", "llama-3.1-8b"}, {"max_params", true}, {"memory", "80G"}}), "--memory"},
      {request({{"model", "llama-3.1-8b"}, {"dtype", "fp17"}}), "--dtype"},
      {request({{"model", "llama-3.1-8b"}, {"kv_dtype", "fp17"}}), "--kv-dtype"},
      {request({{"model", "llama-3.1-8c"}}), "MODEL"},
  };
  for (const auto& [question, argument] : asked) {
    const Error error = refusal("estimate", question);
    std::string named = error.where.argument;
    for (const Error& also : error.also) named += " " + also.where.argument;
    EXPECT_NE(named.find(argument), std::string::npos)
        << named << " for " << io::write_json(question, false);
  }
}

// Absurd sizes are answered or refused, never a crash.
TEST(Estimate, absurd_sizes) {
  for (double size : {1e9, 1e12, 1e15, 1e18}) {
    for (const char* key : {"batch", "context", "tokens", "training_tokens"}) {
      Value asked = request({{"model", "llama-3.1-8b"}, {"gpu", "l4"}});
      asked.set(key, size);
      const auto answer = app::execute("estimate", asked, context());
      EXPECT_TRUE(answer || !answer.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace portolan
