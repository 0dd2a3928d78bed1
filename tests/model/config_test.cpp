#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

// One default configuration per architecture class, with the number of parameters its reference
// implementation (transformers 5.23) creates for it, correction biases of routers included.
TEST(ReferenceArchitectures, ParameterForParameter) {
  const std::string path = PORTOLAN_SOURCE_DIR "/tests/model/reference_architectures.jsonl";
  const auto text = read_file(path);
  ASSERT_TRUE(text.has_value());
  int lines = 0;
  for (const std::string_view line : split(*text, '\n')) {
    if (line.empty()) continue;
    ++lines;
    const auto row = io::parse_json(line, path, io::DuplicateKeys::kRefuse);
    ASSERT_TRUE(row.has_value()) << line;
    const std::string& name = row->find("name")->string();
    const auto architecture = read_config(*row->find("config"), path);
    ASSERT_TRUE(architecture.has_value()) << name << ": " << format_error(architecture.error());
    EXPECT_EQ(architecture->coverage, Coverage::kOperators) << name;
    EXPECT_EQ(count_parameters(*architecture).total, row->find("parameters")->integer()) << name;
  }
  EXPECT_GE(lines, 80);
}

std::string llama(std::string_view more) {
  return joined(
      {R"({"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"vocab_size":32000)",
       more, "}"});
}

TEST(Traps, WindowThatIsSwitchedOff) {
  const std::string_view config =
      R"({"model_type":"qwen2","hidden_size":3584,"num_hidden_layers":28,"num_attention_heads":28,
      "num_key_value_heads":4,"intermediate_size":18944,"vocab_size":152064,"sliding_window":4096,"max_window_layers":14,
      "use_sliding_window":)";
  const Architecture off = read(joined({config, "false}"})), on = read(joined({config, "true}"}));
  EXPECT_EQ(kv_bytes(off, 65536, 2).raw(), 28 * 2.0 * 4 * 128 * 2 * 65536);
  EXPECT_EQ(kv_bytes(on, 65536, 2).raw(), 14 * 2.0 * 4 * 128 * 2 * (65536 + 4096));
}

TEST(Traps, HeadDimensionIsNotTheQuotient) {
  // Qwen3-0.6B: 16 heads of 128 on a width of 1,024.
  EXPECT_EQ(kv_bytes_per_token(named("qwen3-0.6b"), 2).raw(), 28 * 2 * 8 * 128 * 2);
}

TEST(Traps, NullWidthIsFourTimesTheModel) {
  const Architecture gpt2 = read(
      R"({"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"vocab_size":50257,"n_inner":null})");
  EXPECT_EQ(count_parameters(gpt2).total, 124'439'808);
}

TEST(Traps, OnlyHybridLayersWithAttentionKeepKeys) {
  const Architecture jamba = named("jamba-v0.1");
  EXPECT_EQ(jamba.layer_count(), 32);
  EXPECT_EQ(kv_bytes_per_token(jamba, 2).raw(), 4 * 2 * 8 * 128 * 2);
  EXPECT_GT(state_bytes(jamba, 2).raw(), 0);
}

TEST(Traps, TrailingLayersShareTheCache) {
  // Gemma 3n E4B: 35 layers, the last 15 without keys and values of their own, every fifth full.
  const Architecture model = named("gemma-3n-e4b");
  EXPECT_EQ(kv_bytes(model, 32768, 2).raw(), 2.0 * 2 * 256 * 2 * (4 * 32768 + 16 * 512));
}

TEST(Traps, PerLayerHeads) {
  // OpenELM-270M: heads and widths grow with depth; published as 271.5 M.
  const Architecture model = read(
      R"({"model_type":"openelm","ffn_dim_divisor":256,"ffn_multipliers":[0.5,0.73,0.97,1.2,1.43,1.67,
      1.9,2.13,2.37,2.6,2.83,3.07,3.3,3.53,3.77,4.0],"head_dim":64,"max_context_length":2048,"model_dim":1280,
      "normalize_qk_projections":true,"num_kv_heads":[3,3,3,3,3,4,4,4,4,4,4,4,5,5,5,5],
      "num_query_heads":[12,12,12,12,12,16,16,16,16,16,16,16,20,20,20,20],"num_transformer_layers":16,
      "share_input_output_layers":true,"vocab_size":32000})");
  EXPECT_EQ(count_parameters(model).total, 271'527'168);
  EXPECT_EQ(kv_bytes_per_token(model, 2).raw(), 63 * 2 * 64 * 2);
}

TEST(Traps, VocabularyOfTheTextPart) {
  const Architecture model = read(
      R"({"model_type":"llava","vocab_size":32064,"text_config":{"model_type":"llama","hidden_size":64,
      "intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4}})");
  EXPECT_EQ(model.vocab, 32064);
}

TEST(Traps, PredictionModulesStandBesideTheLayers) {
  const Architecture model = named("deepseek-v3");
  EXPECT_EQ(model.layer_count(), 61);
  ASSERT_EQ(model.mtp_layers.size(), 1U);
  EXPECT_EQ(model.mtp_layers[0].count, 1);
}

TEST(Traps, RopeScalingChangesNothing) {
  const std::string scaled = llama(R"(,"rope_scaling":{"type":"yarn","factor":32})");
  EXPECT_EQ(kv_bytes_per_token(read(scaled), 2).raw(),
            kv_bytes_per_token(read(llama("")), 2).raw());
}

TEST(MixtureLayers, FirstDenseStepsAndLists) {
  const auto sparse = [](std::string_view more) {
    const Architecture model = read(joined(
        {R"({"model_type":"qwen2_moe","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":4,"vocab_size":100,
        "intermediate_size":128,"num_experts":8,"num_experts_per_tok":2,"moe_intermediate_size":32)",
         more, "}"}));
    std::string pattern;
    for (const LayerRun& run : model.layers)
      pattern.append(static_cast<std::size_t>(run.count),
                     run.channel.kind == ChannelKind::kMoe ? 'E' : '-');
    return pattern;
  };
  EXPECT_EQ(sparse(""), "EEEEEE");
  EXPECT_EQ(sparse(R"(,"decoder_sparse_step":2)"), "-E-E-E");
  EXPECT_EQ(sparse(R"(,"mlp_only_layers":[0,5])"), "-EEEE-");
  EXPECT_EQ(sparse(R"(,"first_k_dense_replace":2)"), "--EEEE");
  EXPECT_EQ(sparse(R"(,"moe_layer_freq":[0,1,0,1,1,1])"), "-E-EEE");
  EXPECT_EQ(sparse(R"(,"mlp_layer_types":["dense","sparse","sparse","dense","sparse","sparse"])"),
            "-EE-EE");
  EXPECT_EQ(sparse(R"(,"expert_layer_period":2,"expert_layer_offset":1)"), "-E-E-E");
  EXPECT_EQ(sparse(R"(,"moe_layers_enum":"3,4,5")"), "---EEE");
}

TEST(HybridLayers, LettersWordsAndPeriods) {
  const Architecture letters = named("nemotron-h-56b");
  EXPECT_EQ(letters.layer_count(), 118);
  EXPECT_EQ(kv_bytes_per_token(letters, 2).raw(), 10 * 2 * 8 * 128 * 2);
  const Architecture interval = read(
      R"({"model_type":"qwen3_next","hidden_size":2048,"num_hidden_layers":48,"num_attention_heads":16,
      "num_key_value_heads":2,"head_dim":256,"full_attention_interval":4,"linear_num_key_heads":16,"linear_num_value_heads":32,
      "linear_key_head_dim":128,"linear_value_head_dim":128,"num_experts":512,"num_experts_per_tok":10,"moe_intermediate_size":512,
      "shared_expert_intermediate_size":512,"vocab_size":151936})");
  EXPECT_EQ(count_parameters(interval).total, 79'674'391'296);
  EXPECT_EQ(kv_bytes_per_token(interval, 2).raw(), 12 * 2 * 2 * 256 * 2);
}

TEST(SearchedBlocks, KeepWhatTheSearchLeft) {
  const Architecture model = named("llama-3.3-nemotron-super-49b");
  EXPECT_EQ(count_parameters(model).total, 49'867'145'216);
  EXPECT_EQ(model.layer_count(), 80);
  EXPECT_EQ(kv_bytes_per_token(model, 2).raw(), 49 * 2 * 8 * 128 * 2);
}

TEST(UnknownArchitecture, IsReadFromItsFieldsAndSaysSo) {
  const Architecture model =
      read(R"({"model_type":"brand_new","architectures":["BrandNewForCausalLM"],"hidden_size":4096,
      "num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"hidden_act":"silu"})");
  EXPECT_EQ(model.coverage, Coverage::kPartial);
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_NE(model.notes[0].find("brand_new"), std::string::npos);
  EXPECT_EQ(count_parameters(model).total, 8'030'261'248);
}

TEST(ClassDefaults, AreTold) {
  const Architecture model = read(R"({"model_type":"llama","vocab_size":32000})");
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_EQ(model.notes[0],
            "not in the config, taken from the defaults of \"llama\": hidden_size, "
            "num_hidden_layers, num_attention_heads, intermediate_size");
}

TEST(UnknownArchitecture, AKnownClassIsEnough) {
  const Architecture model = read(
      R"({"model_type":"deepseek_ref","architectures":["LlamaForCausalLM"],"hidden_size":64,"num_hidden_layers":2,
      "num_attention_heads":4,"vocab_size":100,"o_lora_rank":8,"o_groups":2,"q_lora_rank":8,"head_dim":16,"intermediate_size":32})");
  EXPECT_EQ(model.coverage, Coverage::kOperators);
}

TEST(PythonNumbers, InfinityIsNull) {
  const Architecture model = read(llama(
      R"(,"time_step_limit":[0.0, Infinity],"x":-Infinity,"y":NaN,"z":"NaN and \" Infinity")"));
  EXPECT_EQ(model.hidden, 4096);
}

}  // namespace
}  // namespace portolan::model
