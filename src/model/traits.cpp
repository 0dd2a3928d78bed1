#include "model/traits.hpp"

#include "base/text.hpp"

namespace portolan::model {
namespace {

// Source of the rows: the reference implementations in transformers 5.23 (2026-11) and, for models that never were part of it,
// the modelling code published with the weights. Every row is checked parameter for parameter in tests/model/config_test.cpp.
constexpr Traits kTable[] = {
    // Dense decoders with RMS norms, gated MLPs and no biases.
    {.types = "llama smollm3 yi aquila deepseek internlm2 internlm3 minicpm granite ministral3 arctic helium",
     .classes = "Llama Llama3 InternLM2 InternLM3 Granite MiniCPM Deepseek",
     .defaults = "vocab_size=32000 hidden_size=4096 intermediate_size=11008 num_hidden_layers=32 num_attention_heads=32"},
    {.types = "baichuan", .classes = "Baichuan"},
    {.types = "internlm", .classes = "InternLM", .attention_bias_key = "bias"},
    {.types = "mistral ministral", .classes = "Mistral Ministral", .window = WindowRule::kEvery,
     .defaults = "vocab_size=32000 hidden_size=4096 intermediate_size=14336 num_hidden_layers=32 num_attention_heads=32 "
                 "num_key_value_heads=8"},
    {.types = "qwen2 qwen2_vl qwen2_5_vl qwen2_vl_text qwen2_5_vl_text", .classes = "Qwen2 Qwen2VL Qwen2_5_VL",
     .qkv_bias = true, .window = WindowRule::kFlagged,
     .defaults = "max_window_layers=28"},
    {.types = "qwen", .classes = "QWen", .qkv_bias = true, .width_divisor = 2},
    {.types = "mimo", .classes = "MiMo", .qkv_bias = true, .attention_bias_covers_out = false,
     .window = WindowRule::kFlagged},
    {.types = "qwen3 qwen3_vl_text", .classes = "Qwen3", .qk_norm = QkNorm::kHeadDim, .window = WindowRule::kFlagged,
     .defaults = "head_dim=128 max_window_layers=28"},
    {.types = "seed_oss", .classes = "SeedOss", .attention_bias_covers_out = false},
    {.types = "glm", .classes = "Glm", .attention_bias_covers_out = false, .defaults = "head_dim=128"},
    {.types = "glm4", .classes = "Glm4", .norms = 4, .attention_bias_covers_out = false, .defaults = "head_dim=128"},
    {.types = "chatglm", .classes = "ChatGLM", .attention_bias_key = "add_qkv_bias", .defaults = "num_layers=28"},
    {.types = "apertus", .classes = "Apertus", .gated = false, .qk_norm = QkNorm::kHeadDim},
    {.types = "arcee", .classes = "Arcee", .gated = false},
    {.types = "exaone4", .classes = "Exaone4", .qk_norm = QkNorm::kHeadDim, .window = WindowRule::kPattern,
     .window_pattern = 4},
    {.types = "exaone", .classes = "Exaone"},
    {.types = "olmo", .classes = "Olmo", .norm = NormKind::kNone},
    {.types = "olmo2", .classes = "Olmo2", .qk_norm = QkNorm::kWidth},
    {.types = "olmo3", .classes = "Olmo3", .qk_norm = QkNorm::kWidth, .window = WindowRule::kPattern,
     .window_pattern = 4},
    {.types = "nemotron-nas", .classes = "DeciLM"},
    {.types = "openelm", .classes = "OpenELM", .qk_norm = QkNorm::kHeadDim, .qk_norm_key = "normalize_qk_projections",
     .qk_norm_default = false, .tied = true},
    {.types = "ernie4_5", .classes = "Ernie4_5", .all_bias_key = "use_bias", .tied = true},
    {.types = "phi3small", .classes = "Phi3Small", .norm = NormKind::kLayer, .qkv_bias = true, .out_bias = true,
     .mlp_bias = true, .tied = true},
    {.types = "phi3 phi4mm", .classes = "Phi3 Phi4MM", .window = WindowRule::kEvery},
    {.types = "hunyuan_v1_dense", .classes = "HunYuanDenseV1", .qk_norm = QkNorm::kHeadDim,
     .qk_norm_key = "use_qk_norm"},

    // Gemma: tied, sandwich norms, windows.
    {.types = "gemma", .classes = "Gemma", .tied = true,
     .defaults = "vocab_size=256000 hidden_size=3072 intermediate_size=24576 num_hidden_layers=28 num_attention_heads=16 "
                 "num_key_value_heads=16 head_dim=256"},
    {.types = "gemma2", .classes = "Gemma2", .norms = 4, .tied = true, .window = WindowRule::kAlternate,
     .defaults = "vocab_size=256000 hidden_size=2304 intermediate_size=9216 num_hidden_layers=26 num_attention_heads=8 "
                 "num_key_value_heads=4 head_dim=256 sliding_window=4096"},
    {.types = "gemma3_text gemma3", .classes = "Gemma3", .norms = 4, .qk_norm = QkNorm::kHeadDim, .tied = true,
     .window = WindowRule::kPattern, .window_pattern = 6,
     .defaults = "vocab_size=262208 hidden_size=2304 intermediate_size=9216 num_hidden_layers=26 num_attention_heads=8 "
                 "num_key_value_heads=4 head_dim=256 sliding_window=4096"},
    {.types = "gemma3n_text gemma3n", .classes = "Gemma3n", .norms = 4, .qk_norm = QkNorm::kHeadDim, .tied = true,
     .window = WindowRule::kPattern, .window_pattern = 5,
     .defaults = "vocab_size=262400 hidden_size=2048 intermediate_size=16384 num_hidden_layers=35 num_attention_heads=8 "
                 "num_key_value_heads=2 head_dim=256 sliding_window=512 num_kv_shared_layers=15 "
                 "vocab_size_per_layer_input=262144 hidden_size_per_layer_input=256 laurel_rank=64 altup_num_inputs=4"},
    {.types = "gemma4_text gemma4", .classes = "Gemma4", .norms = 4, .qk_norm = QkNorm::kHeadDim, .tied = true,
     .window = WindowRule::kPattern, .window_pattern = 6,
     .defaults = "vocab_size=262144 hidden_size=2304 intermediate_size=9216 num_hidden_layers=30 num_attention_heads=8 "
                 "num_key_value_heads=4 head_dim=256 global_head_dim=512 sliding_window=512 "
                 "vocab_size_per_layer_input=262144 hidden_size_per_layer_input=256"},
    {.types = "vaultgemma", .classes = "VaultGemma", .tied = true, .window = WindowRule::kAlternate},

    // Mixtures of experts.
    {.types = "mixtral", .classes = "Mixtral", .window = WindowRule::kEvery},
    {.types = "qwen2_moe", .classes = "Qwen2Moe", .qkv_bias = true, .window = WindowRule::kFlagged,
     .shared_gate = true},
    {.types = "qwen3_moe qwen3_vl_moe_text", .classes = "Qwen3Moe", .qk_norm = QkNorm::kHeadDim,
     .window = WindowRule::kFlagged},
    {.types = "deepseek_v2 mistral4", .classes = "DeepseekV2 Mistral4"},
    {.types = "deepseek_v3 kimi_k2 deepseek_v32 glm_moe_dsa glm4_moe_lite",
     .classes = "DeepseekV3 DeepseekV32 GlmMoeDsa Glm4MoeLite", .router_bias = true},
    {.types = "deepseek_v4 deepseek_ref", .classes = "DeepseekV4", .sinks = true, .router_bias = true},
    {.types = "longcat_flash", .classes = "LongcatFlash", .router_bias = true,
     .double_layers = true},
    {.types = "glm4_moe glm4v_moe_text", .classes = "Glm4Moe", .attention_bias_covers_out = false,
     .qk_norm = QkNorm::kHeadDim, .qk_norm_key = "use_qk_norm", .qk_norm_default = false, .router_bias = true},
    {.types = "gpt_oss", .classes = "GptOss", .qkv_bias = true, .out_bias = true, .window = WindowRule::kAlternate,
     .sinks = true, .router_bias = true, .expert_bias = true},
    {.types = "llama4_text llama4", .classes = "Llama4", .window = WindowRule::kChunked, .shared_expert = true,
     .defaults = "vocab_size=202048 hidden_size=5120 intermediate_size=8192 intermediate_size_mlp=16384 "
                 "num_hidden_layers=48 num_attention_heads=40 num_key_value_heads=8 head_dim=128 "
                 "num_experts_per_tok=1 num_local_experts=16 attention_chunk_size=8192 interleave_moe_layer_step=1"},
    {.types = "minimax_m2", .classes = "MiniMaxM2", .qk_norm = QkNorm::kWidth, .qk_norm_key = "use_qk_norm",
     .router_bias = true},
    {.types = "minimax_m3 minimax_m3_text minimax_m3_vl minimax_m3_vl_text", .classes = "MiniMaxM3 MiniMaxM3Sparse",
     .qk_norm = QkNorm::kHeadDim, .router_bias = true},
    {.types = "minimax minimax_text_01 minimax_m1", .classes = "MiniMax MiniMaxText01 MiniMaxM1",
     .linear = LinearKind::kLightning},
    {.types = "dbrx", .classes = "Dbrx", .norm = NormKind::kLayerNoBias},
    {.types = "grok-1 git", .classes = "Grok1 Grok1Model", .norms = 4, .tied = true},
    {.types = "olmoe", .classes = "Olmoe", .qk_norm = QkNorm::kWidth},
    {.types = "granitemoe granitemoeshared", .classes = "GraniteMoe GraniteMoeShared"},
    {.types = "phimoe", .classes = "PhiMoE PhiMoe Phimoe", .norm = NormKind::kLayer, .window = WindowRule::kEvery},
    {.types = "ernie4_5_moe", .classes = "Ernie4_5_Moe Ernie4_5_MoE", .all_bias_key = "use_bias", .tied = true,
     .router_bias = true},
    {.types = "hunyuan_v1_moe hunyuan", .classes = "HunYuanMoEV1 HunYuan", .qk_norm = QkNorm::kHeadDim,
     .qk_norm_key = "use_qk_norm"},
    {.types = "dots1", .classes = "Dots1", .qk_norm = QkNorm::kHeadDim, .router_bias = true},
    {.types = "bailing_moe", .classes = "BailingMoe", .attention_bias_key = "use_qkv_bias",
     .qk_norm = QkNorm::kHeadDim, .qk_norm_key = "use_qk_norm", .qk_norm_default = false},
    {.types = "bailing_moe_v2", .classes = "BailingMoeV2", .attention_bias_key = "use_qkv_bias",
     .qk_norm = QkNorm::kHeadDim, .qk_norm_key = "use_qk_norm", .router_bias = true},
    {.types = "exaone_moe", .classes = "ExaoneMoe ExaoneMoE", .qk_norm = QkNorm::kHeadDim,
     .window = WindowRule::kPattern, .window_pattern = 4, .router_bias = true},
    {.types = "solar_open", .classes = "SolarOpen", .router_bias = true, .defaults = "head_dim=128"},
    {.types = "flex_olmo", .classes = "FlexOlmo", .qk_norm = QkNorm::kWidth},
    {.types = "afmoe", .classes = "Afmoe", .norms = 4, .qk_norm = QkNorm::kHeadDim, .window = WindowRule::kPattern,
     .window_pattern = 4, .router_bias = true, .output_gate = true},
    {.types = "step3p5 step3p7 step3p7_flash", .classes = "Step3p5 Step3p7 Step3p7Flash", .qk_norm = QkNorm::kHeadDim,
     .router_bias = true, .head_gate = true},
    {.types = "step3_text step3_vl step3", .classes = "Step3Text Step3VL"},
    {.types = "mimo_v2_flash mimo_v2", .classes = "MiMoV2Flash MiMoV2", .router_bias = true},

    // Hybrids of attention with recurrent layers.
    {.types = "qwen3_next", .classes = "Qwen3Next", .qk_norm = QkNorm::kHeadDim, .shared_gate = true,
     .output_gate = true},
    {.types = "qwen3_5_text qwen3_5_moe_text qwen3_5 qwen3_5_moe", .classes = "Qwen3_5 Qwen3_5Moe",
     .qk_norm = QkNorm::kHeadDim, .shared_gate = true, .output_gate = true},
    {.types = "olmo_hybrid", .classes = "OlmoHybrid", .qk_norm = QkNorm::kWidth},
    {.types = "kimi_linear", .classes = "KimiLinear", .router_bias = true, .linear = LinearKind::kKimiDelta},
    {.types = "nemotron_h", .classes = "NemotronH", .gated = false, .norms = 1, .router_bias = true,
     .single_half = true},
    {.types = "jamba", .classes = "Jamba", .mamba = 1, .state_norms = true},
    {.types = "bamba", .classes = "Bamba"},
    {.types = "granitemoehybrid", .classes = "GraniteMoeHybrid"},
    {.types = "falcon_h1", .classes = "FalconH1", .parallel_mamba = true},
    {.types = "mamba", .classes = "Mamba", .norms = 1, .tied = true, .single_half = true, .mamba = 1},
    {.types = "falcon_mamba", .classes = "FalconMamba", .norms = 1, .tied = true, .single_half = true, .mamba = 1},
    {.types = "mamba2", .classes = "Mamba2", .norms = 1, .single_half = true},
    {.types = "lfm2 lfm2_moe", .classes = "Lfm2 Lfm2Moe", .qk_norm = QkNorm::kHeadDim, .tied = true,
     .router_bias = true},

    // Older decoders: LayerNorm with biases, plain MLPs.
    {.types = "gpt2", .classes = "GPT2", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true, .out_bias = true,
     .mlp_bias = true, .tied = true, .learned_positions = true,
     .defaults = "vocab_size=50257 n_positions=1024 n_embd=768 n_layer=12 n_head=12"},
    {.types = "gpt_neo", .classes = "GPTNeo", .gated = false, .norm = NormKind::kLayer, .out_bias = true,
     .mlp_bias = true, .tied = true, .learned_positions = true},
    {.types = "gptj codegen", .classes = "GPTJ CodeGen", .gated = false, .norm = NormKind::kLayer, .norms = 1,
     .mlp_bias = true, .head_bias = true},
    {.types = "gpt_neox", .classes = "GPTNeoX", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true},
    {.types = "gpt_bigcode", .classes = "GPTBigCode", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true, .tied = true, .learned_positions = true},
    {.types = "starcoder2", .classes = "Starcoder2", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true, .all_bias_key = "use_bias", .tied = true, .window = WindowRule::kEvery},
    {.types = "bloom", .classes = "Bloom", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true, .tied = true, .embedding_norm = true},
    {.types = "opt", .classes = "OPT", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true, .out_bias = true,
     .mlp_bias = true, .all_bias_key = "enable_bias", .tied = true, .learned_positions = true, .position_offset = 2},
    {.types = "falcon RefinedWeb RefinedWebModel", .classes = "Falcon RW", .gated = false, .norm = NormKind::kLayer,
     .all_bias_key = "bias", .tied = true},
    {.types = "mpt", .classes = "MPT Mpt", .gated = false, .norm = NormKind::kLayerNoBias, .tied = true},
    {.types = "phi", .classes = "Phi", .gated = false, .norm = NormKind::kLayer, .norms = 1, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true, .head_bias = true},
    {.types = "stablelm stablelm_epoch", .classes = "StableLm StableLmEpoch", .norm = NormKind::kLayer,
     .attention_bias_key = "use_qkv_bias", .qk_norm = QkNorm::kWidth, .qk_norm_key = "qk_layernorm",
     .qk_norm_default = false},
    {.types = "cohere", .classes = "Cohere", .norm = NormKind::kLayerNoBias, .norms = 1, .qk_norm = QkNorm::kWidth,
     .qk_norm_key = "use_qk_norm", .qk_norm_default = false, .tied = true},
    {.types = "cohere2", .classes = "Cohere2", .norm = NormKind::kLayerNoBias, .norms = 1, .tied = true,
     .window = WindowRule::kPattern, .window_pattern = 4},
    {.types = "nemotron", .classes = "Nemotron", .gated = false, .norm = NormKind::kLayer},
    {.types = "persimmon", .classes = "Persimmon", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true},
    {.types = "orion", .classes = "Orion", .norm = NormKind::kLayer},
    {.types = "mllama_text_model mllama", .classes = "Mllama"},

    // Encoders.
    {.types = "bert camembert", .classes = "Bert", .gated = false, .norm = NormKind::kLayer,
     .final_norm = false, .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true,
     .learned_positions = true, .embedding_norm = true, .encoder_only = true, .pooler = true,
     .pooler_with_head = true, .defaults = "type_vocab_size=2"},
    {.types = "roberta xlm-roberta xlm_roberta", .classes = "Roberta XLMRoberta", .gated = false,
     .norm = NormKind::kLayer, .final_norm = false, .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true,
     .learned_positions = true, .embedding_norm = true, .encoder_only = true, .pooler = true,
     .defaults = "type_vocab_size=1"},
    {.types = "distilbert mpnet electra", .classes = "DistilBert MPNet Electra", .gated = false, .norm = NormKind::kLayer,
     .final_norm = false, .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true,
     .learned_positions = true, .embedding_norm = true, .encoder_only = true},
    {.types = "deberta-v2", .classes = "DebertaV2", .gated = false, .norm = NormKind::kLayer, .final_norm = false,
     .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true, .embedding_norm = true,
     .encoder_only = true, .note = "relative position embeddings of DeBERTa are not counted"},
    {.types = "modernbert", .classes = "ModernBert", .norm = NormKind::kLayerNoBias, .tied = true,
     .window = WindowRule::kPatternFirst, .window_pattern = 3, .embedding_norm = true, .encoder_only = true},
    {.types = "nomic_bert", .classes = "NomicBert", .norm = NormKind::kLayer, .final_norm = false, .tied = true,
     .embedding_norm = true, .encoder_only = true, .defaults = "type_vocab_size=2"},
    {.types = "clip_text_model siglip_text_model", .classes = "CLIPText SiglipText", .gated = false,
     .norm = NormKind::kLayer, .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true,
     .learned_positions = true, .encoder_only = true,
     .defaults = "hidden_size=512 num_hidden_layers=12 num_attention_heads=8 intermediate_size=2048 vocab_size=49408 "
                 "max_position_embeddings=77"},

    // Encoder-decoders.
    {.types = "t5 mt5 umt5 longt5", .classes = "T5 MT5 UMT5", .gated = false, .tied = true,
     .defaults = "relative_attention_num_buckets=32 d_kv=64"},
    {.types = "whisper", .classes = "Whisper", .gated = false, .norm = NormKind::kLayer, .qkv_bias = true,
     .out_bias = true, .mlp_bias = true, .tied = true},
    {.types = "bart mbart m2m_100 marian pegasus nllb", .classes = "Bart MBart M2M100 Marian Pegasus", .gated = false,
     .norm = NormKind::kLayer, .qkv_bias = true, .out_bias = true, .mlp_bias = true, .tied = true},
};

bool lists(std::string_view words, std::string_view word) {
  for (const std::string_view entry : split(words, ' ')) {
    if (entry == word) return true;
  }
  return false;
}

/// "LlamaForCausalLM" -> "Llama".
std::string_view class_stem(std::string_view architecture) {
  for (const std::string_view tail : {"For", "LMHead", "Model"}) {
    if (const auto at = architecture.find(tail); at != std::string_view::npos && at > 0) {
      architecture = architecture.substr(0, at);
    }
  }
  return architecture;
}

}  // namespace

const Traits* find_traits(std::string_view model_type, std::string_view architecture) {
  if (!model_type.empty()) {
    for (const Traits& row : kTable) {
      if (lists(row.types, model_type)) return &row;
    }
  }
  const std::string_view stem = class_stem(architecture);
  if (stem.empty()) return nullptr;
  for (const Traits& row : kTable) {
    if (lists(row.classes, stem)) return &row;
  }
  return nullptr;
}

std::int64_t trait_default(const Traits& traits, std::string_view key) {
  for (const std::string_view entry : split(traits.defaults, ' ')) {
    if (entry.size() > key.size() && entry.substr(0, key.size()) == key && entry[key.size()] == '=') {
      return parse_int(entry.substr(key.size() + 1)).value_or(-1);
    }
  }
  return -1;
}

}  // namespace portolan::model
