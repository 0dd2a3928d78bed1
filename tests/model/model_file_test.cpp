// GGUF and safetensors headers become models; the files here hold a header and a hole.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/io/gguf_writer.hpp"
#include "tests/model/configs.hpp"
#include "tests/model/own_folder.hpp"

namespace portolan::model {
namespace {

class ModelFile : public OwnFolder {
 protected:
  std::string write(const std::string& name, const std::string& bytes, std::uint64_t data) const {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    std::filesystem::resize_file(path, bytes.size() + data);  // sparse: tensor data is never read
    return path.string();
  }
};

io::GgufWriter& list_u32(io::GgufWriter& file, std::string_view key,
                         const std::vector<std::uint32_t>& values) {
  file.string(key).u32(9).u32(4).u64(values.size());
  for (const std::uint32_t value : values) file.u32(value);
  return file;
}

TEST_F(ModelFile, GgufGivesArchitectureAndExactBytes) {
  io::GgufWriter file;
  file.header(2, 9)
      .key_string("general.architecture", "llama")
      .key_u32("llama.block_count", 32)
      .key_u32("llama.context_length", 8192)
      .key_u32("llama.embedding_length", 4096)
      .key_u32("llama.feed_forward_length", 14336)
      .key_u32("llama.attention.head_count", 32)
      .key_u32("llama.attention.head_count_kv", 8)
      .key_u32("llama.vocab_size", 128256)
      .key_u32("general.alignment", 32)
      .tensor("output.weight", {4096, 128256}, 14, 0)               // Q6_K
      .tensor("token_embd.weight", {4096, 128256}, 12, 430940160);  // Q4_K
  const std::uint64_t q6 = 4096ull * 128256 / 256 * 210, q4 = 4096ull * 128256 / 256 * 144;
  file.pad();
  const auto model = read_model_file(write("model.gguf", file.bytes(), q6 + q4));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(count_parameters(model->architecture).total, 8'030'261'248);
  EXPECT_EQ(model->architecture.exact_weight_bytes, q6 + q4);
  EXPECT_EQ(model->architecture.weights, Format::kExact);
  EXPECT_EQ(model->architecture.dtype_name, "Q6_K");
  EXPECT_EQ(model->architecture.max_position, 8192);
  EXPECT_FALSE(model->architecture.tied_embeddings);
  ASSERT_FALSE(model->architecture.notes.empty());  // two tensors are not the whole model
}

/// A dense Llama as llama.cpp's `quantize` writes it: Q8_0 throughout, or by the rule of Q4_K_M,
/// which keeps the output and a good half of the value and down projections in Q6_K.
struct LlamaFile {
  std::uint64_t layers, hidden, ffn, heads, kv_heads, vocabulary;
  bool mixed;
};
std::string llama_file(const LlamaFile& m, std::uint64_t* data) {
  constexpr std::uint32_t kF32 = 0, kQ8 = 8, kQ4K = 12, kQ6K = 14;
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type;
  };
  const std::uint64_t head = m.hidden / m.heads, kv = m.kv_heads * head;
  const std::uint32_t plain = m.mixed ? kQ4K : kQ8;
  std::vector<Tensor> tensors = {{"token_embd.weight", {m.hidden, m.vocabulary}, plain},
                                 {"output.weight", {m.hidden, m.vocabulary}, m.mixed ? kQ6K : kQ8},
                                 {"output_norm.weight", {m.hidden}, kF32}};
  for (std::uint64_t i = 0; i < m.layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    const bool more =
        i < m.layers / 8 || i >= 7 * m.layers / 8 || (i - m.layers / 8) % 3 == 2;  // use_more_bits
    const std::uint32_t careful = m.mixed && more ? kQ6K : plain;
    tensors.push_back({layer + "attn_norm.weight", {m.hidden}, kF32});
    tensors.push_back({layer + "ffn_norm.weight", {m.hidden}, kF32});
    tensors.push_back({layer + "attn_q.weight", {m.hidden, m.hidden}, plain});
    tensors.push_back({layer + "attn_k.weight", {m.hidden, kv}, plain});
    tensors.push_back({layer + "attn_v.weight", {m.hidden, kv}, careful});
    tensors.push_back({layer + "attn_output.weight", {m.hidden, m.hidden}, plain});
    tensors.push_back({layer + "ffn_gate.weight", {m.hidden, m.ffn}, plain});
    tensors.push_back({layer + "ffn_up.weight", {m.hidden, m.ffn}, plain});
    tensors.push_back({layer + "ffn_down.weight", {m.ffn, m.hidden}, careful});
  }
  io::GgufWriter file;
  file.header(tensors.size(), 7)
      .key_string("general.architecture", "llama")
      .key_u32("llama.block_count", static_cast<std::uint32_t>(m.layers))
      .key_u32("llama.embedding_length", static_cast<std::uint32_t>(m.hidden))
      .key_u32("llama.feed_forward_length", static_cast<std::uint32_t>(m.ffn))
      .key_u32("llama.attention.head_count", static_cast<std::uint32_t>(m.heads))
      .key_u32("llama.attention.head_count_kv", static_cast<std::uint32_t>(m.kv_heads))
      .key_u32("llama.vocab_size", static_cast<std::uint32_t>(m.vocabulary));
  *data = 0;
  for (const Tensor& t : tensors) {
    file.tensor(t.name, t.shape, t.type, *data);
    std::uint64_t elements = 1;
    for (const std::uint64_t n : t.shape) elements *= n;
    const std::uint64_t bytes = t.type == kF32   ? elements * 4
                                : t.type == kQ8  ? elements / 32 * 34
                                : t.type == kQ4K ? elements / 256 * 144
                                                 : elements / 256 * 210;
    *data += (bytes + 31) / 32 * 32;
  }
  return file.pad().bytes();
}

TEST_F(ModelFile, GgufTotalsAreThoseLlamaCppPrints) {
  // "model size" of llama.cpp's start-up log, GiB with two decimals.
  struct Case {
    LlamaFile file;
    double gib;
  };
  const LlamaFile llama3{32, 4096, 14336, 32, 8, 128256, true};
  const LlamaFile llama2{32, 4096, 11008, 32, 32, 32000, true};
  LlamaFile plain = llama3;
  plain.mixed = false;
  for (const Case& c : {Case{llama3, 4.58}, Case{llama2, 3.80}, Case{plain, 7.95}}) {
    std::uint64_t data = 0;
    const std::string header = llama_file(c.file, &data);
    const auto model = read_model_file(write("whole.gguf", header, data));
    ASSERT_TRUE(model.has_value()) << format_error(model.error());
    EXPECT_TRUE(model->architecture.notes.empty());
    EXPECT_NEAR(
        static_cast<double>(model->architecture.exact_weight_bytes.value_or(0)) / (1ull << 30),
        c.gib, 0.005);
  }
}

TEST_F(ModelFile, GgufHybridWithKvHeadsPerLayer) {
  // LFM2: convolutions where the KV head count is 0.
  io::GgufWriter file;
  file.header(0, 8)
      .key_string("general.architecture", "lfm2")
      .key_u32("lfm2.block_count", 4)
      .key_u32("lfm2.embedding_length", 1024)
      .key_u32("lfm2.feed_forward_length", 4608)
      .key_u32("lfm2.attention.head_count", 16)
      .key_u32("lfm2.shortconv.l_cache", 3)
      .key_u32("lfm2.vocab_size", 65536);
  list_u32(file, "lfm2.attention.head_count_kv", {0, 0, 8, 0});
  const auto model = read_model_file(write("lfm2.gguf", file.bytes(), 0));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(kv_bytes_per_token(model->architecture, 2).raw(), 2 * 8 * 64 * 2);
  EXPECT_EQ(state_bytes(model->architecture, 2).raw(), 3 * 2 * 1024 * 2);
}

TEST_F(ModelFile, GgufWindowsFollowTheArchitecture) {
  // gpt-oss: the file states the window but not which layers have it.
  io::GgufWriter file;
  file.header(0, 13)
      .key_string("general.architecture", "gpt-oss")
      .key_u32("gpt-oss.block_count", 24)
      .key_u32("gpt-oss.embedding_length", 2880)
      .key_u32("gpt-oss.feed_forward_length", 2880)
      .key_u32("gpt-oss.expert_feed_forward_length", 2880)
      .key_u32("gpt-oss.attention.head_count", 64)
      .key_u32("gpt-oss.attention.head_count_kv", 8)
      .key_u32("gpt-oss.attention.key_length", 64)
      .key_u32("gpt-oss.attention.value_length", 64)
      .key_u32("gpt-oss.attention.sliding_window", 128)
      .key_u32("gpt-oss.expert_count", 32)
      .key_u32("gpt-oss.expert_used_count", 4)
      .key_u32("gpt-oss.vocab_size", 201088);
  const auto model = read_model_file(write("oss.gguf", file.bytes(), 0));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_NEAR(gib(kv_bytes(model->architecture, 131072, 2)), 3.003, 0.003);
}

TEST_F(ModelFile, GgufCountsThePredictionLayerAmongItsLayers) {
  // GLM-5, 202,752 tokens: 79 × 576 in a GGUF, 78 × 576 from config.json.
  io::GgufWriter file;
  file.header(0, 15)
      .key_string("general.architecture", "glm-dsa")
      .key_u32("glm-dsa.block_count", 79)
      .key_u32("glm-dsa.embedding_length", 6144)
      .key_u32("glm-dsa.feed_forward_length", 12288)
      .key_u32("glm-dsa.attention.head_count", 64)
      .key_u32("glm-dsa.attention.head_count_kv", 1)
      .key_u32("glm-dsa.attention.q_lora_rank", 2048)
      .key_u32("glm-dsa.attention.kv_lora_rank", 512)
      .key_u32("glm-dsa.attention.key_length", 576)
      .key_u32("glm-dsa.attention.value_length", 512)
      .key_u32("glm-dsa.attention.key_length_mla", 256)
      .key_u32("glm-dsa.attention.value_length_mla", 256)
      .key_u32("glm-dsa.rope.dimension_count", 64)
      .key_u32("glm-dsa.nextn_predict_layers", 1)
      .key_u32("glm-dsa.vocab_size", 154880);
  const auto model = read_model_file(write("glm.gguf", file.bytes(), 0));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_NEAR(gib(kv_bytes(model->architecture, 202752, 2)), 17.185, 0.017);
}

TEST_F(ModelFile, GgufOfAnUnknownShapeIsCountedByItsTensors) {
  io::GgufWriter file;
  file.header(1, 1).key_string("general.architecture", "marvel").tensor("a", {256, 10}, 8, 0).pad();
  const auto model = read_model_file(write("marvel.gguf", file.bytes(), 2560 / 32 * 34));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(model->architecture.coverage, Coverage::kParameterCount);
  EXPECT_EQ(count_parameters(model->architecture).total, 2560);
  EXPECT_EQ(model->architecture.exact_weight_bytes, 2720U);
}

TEST_F(ModelFile, VocabularyOnlyGgufIsCountedFromItsShape) {
  io::GgufWriter file;
  file.header(0, 6)
      .key_string("general.architecture", "llama")
      .key_u32("llama.block_count", 32)
      .key_u32("llama.embedding_length", 4096)
      .key_u32("llama.feed_forward_length", 11008)
      .key_u32("llama.attention.head_count", 32)
      .key_u32("llama.vocab_size", 32000);
  const auto model = read_model_file(write("vocab.gguf", file.bytes(), 0));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(count_parameters(model->architecture).total, 6'738'415'616);
  EXPECT_FALSE(model->architecture.exact_weight_bytes.has_value());
  ASSERT_EQ(model->architecture.notes.size(), 1U);
}

TEST_F(ModelFile, GgufWithoutShapeOrTensorsIsRefused) {
  io::GgufWriter file;
  file.header(0, 1).key_string("general.architecture", "llama");
  const auto model = read_model_file(write("nothing.gguf", file.bytes(), 0));
  // The class defaults of LLaMA would fill in everything: a file that states nothing must not
  // become a model.
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kInvalidInput);
}

std::string safetensors(const std::string& header) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>((header.size() >> (8 * i)) & 0xff);
  return bytes + header;
}

TEST_F(ModelFile, SafetensorsAloneAreCounted) {
  const std::string header =
      R"({"a":{"dtype":"BF16","shape":[8,16],"data_offsets":[0,256]},"b":{"dtype":"F8_E4M3","shape":[64],"data_offsets":[256,320]}})";
  const auto model = read_model_file(write("model.safetensors", safetensors(header), 320));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(model->architecture.coverage, Coverage::kParameterCount);
  EXPECT_EQ(count_parameters(model->architecture).total, 192);
  EXPECT_EQ(model->architecture.exact_weight_bytes, 320U);
}

TEST_F(ModelFile, SafetensorsBesideAConfigKnowTheirLayers) {
  std::ofstream(folder_ / "config.json")
      << R"({"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,
      "intermediate_size":8,"vocab_size":4})";
  const std::string header = R"({"a":{"dtype":"BF16","shape":[8,16],"data_offsets":[0,256]}})";
  const auto model = read_model_file(write("part.safetensors", safetensors(header), 256));
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  EXPECT_EQ(model->architecture.layer_count(), 1);
  EXPECT_FALSE(model->architecture.exact_weight_bytes.has_value());
  ASSERT_EQ(model->architecture.notes.size(), 1U);
}

TEST_F(ModelFile, BrokenFilesAreRefused) {
  EXPECT_FALSE(read_model_file(write("bad.gguf", "GGUFxxxx", 0)).has_value());
  EXPECT_FALSE(read_model_file(write("bad.safetensors", std::string(8, '\xff'), 0)).has_value());
  EXPECT_FALSE(read_model_file((folder_ / "none.gguf").string()).has_value());
}

}  // namespace
}  // namespace portolan::model
