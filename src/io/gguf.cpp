// GGUF versions 2 and 3 as ggml's own reader takes them:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "io/model_files.hpp"
#include "io/tree_builder.hpp"

namespace portolan::io {
namespace {

constexpr std::uint64_t kMostTensors = 1'000'000;
constexpr std::uint64_t kMostKeys = 65'536;
constexpr std::uint64_t kMostStringBytes = 16ull << 20;
constexpr std::uint64_t kMostKeyBytes = 65'535;
constexpr std::uint64_t kMostNameBytes = 64;  // the format's own limit
constexpr std::uint64_t kMostDimensions = 4;
constexpr std::uint64_t kMostAlignment = 64u << 10;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMostKeptElements = 1024;
constexpr int kMostArrayDepth = 2;
constexpr std::uint64_t kMostHeadBytes = 256ull << 20;
constexpr std::string_view kHostile = "the file is damaged or hostile; nothing was allocated";

struct TypeRow {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block_elements, block_bytes;
};

// ggml.h and ggml-common.h; the ids that are missing were removed there.
constexpr std::array<TypeRow, 35> kTypes{{
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
}};

const TypeRow* find_type(std::uint32_t id) {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& row) { return row.id == id; });
  return found == kTypes.end() ? nullptr : &*found;
}

enum class MetadataType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

struct MetadataRow {
  std::string_view name;
  std::uint32_t bytes;  // 0: variable
};
constexpr std::array<MetadataRow, 13> kMetadataTypes{{{"uint8", 1},
                                                      {"int8", 1},
                                                      {"uint16", 2},
                                                      {"int16", 2},
                                                      {"uint32", 4},
                                                      {"int32", 4},
                                                      {"float32", 4},
                                                      {"bool", 1},
                                                      {"string", 0},
                                                      {"array", 0},
                                                      {"uint64", 8},
                                                      {"int64", 8},
                                                      {"float64", 8}}};

// Strings are bytes in the format; what is not UTF-8 becomes U+FFFD, so that every value can be
// written as JSON again.
std::string valid_utf8(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint32_t code_point = 0;
    const std::size_t length = utf8_length(bytes, at, code_point);
    out += length > 0 ? bytes.substr(at, length) : "\uFFFD";
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

// Reads the header front to back. Every step returns false once an error is set.
class Reader {
 public:
  Reader(std::string_view head, std::uint64_t file_size, const std::string& file)
      : head_(head),
        file_size_(file_size),
        file_(file),
        builder_(limits_, head.size(), file_, DuplicateKeys::kRefuse) {}

  Result<GgufHeader> read() {
    if (!read_counts() || !read_metadata() || !read_tensors()) return fail(std::move(error_));
    return std::move(header_);
  }
  /// Whether reading failed only because the head was too short.
  [[nodiscard]] bool needs_more() const { return needs_more_; }

 private:
  bool refuse(ErrorCode code, std::uint64_t at, std::string message, std::string_view why = {},
              std::string hint = {}) {
    error_ = Error{.code = code,
                   .message = printable(file_) + ": " + std::move(message),
                   .where = {.file = file_,
                             .pointer = {},
                             .argument = {},
                             .offset = "byte " + std::to_string(at)},
                   .why = std::string(why),
                   .hint = std::move(hint),
                   .also = {}};
    return false;
  }
  bool malformed(std::uint64_t at, std::string message) {
    return refuse(ErrorCode::kMalformed, at, std::move(message));
  }
  bool over_limit(std::uint64_t at, std::string_view what, std::uint64_t value,
                  std::uint64_t limit) {
    return refuse(ErrorCode::kLimit, at,
                  std::string(what) + ' ' + std::to_string(value) + " exceeds the limit " +
                      std::to_string(limit),
                  kHostile);
  }
  // The bytes that must follow are not there: the file is cut, or the caller gave too few.
  bool ends_early(std::uint64_t needed) {
    needs_more_ = head_.size() < file_size_ && needed <= file_size_;
    if (!needs_more_) return malformed(at_, "the file ends inside the header");
    return refuse(ErrorCode::kLimit, at_,
                  "the header is longer than " + std::to_string(head_.size()) + " bytes",
                  "only that much of the file was read");
  }
  bool builder_failed(std::uint64_t at) {
    const Error& inner = *builder_.error();
    return refuse(inner.code, at, inner.message, inner.why, inner.hint);
  }

  [[nodiscard]] std::uint64_t left() const { return head_.size() - at_; }

  template <class T>
  bool take(T& value) {
    if (left() < sizeof(T)) return ends_early(at_ + sizeof(T));
    std::memcpy(&value, head_.data() + at_, sizeof(T));
    if constexpr (std::endian::native == std::endian::big) {
      static_assert(sizeof(T) == 0, "the format is little-endian");
    }
    at_ += sizeof(T);
    return true;
  }
  bool take_string(std::string_view& text, std::string_view what, std::uint64_t limit) {
    const std::uint64_t start = at_;
    std::uint64_t length = 0;
    if (!take(length)) return false;
    if (length > limit) {
      return over_limit(start, std::string(what) + " length", length, limit);
    }
    if (left() < length) return ends_early(at_ + length);
    text = head_.substr(at_, length);
    at_ += length;
    return true;
  }

  bool read_counts() {
    if (!head_.starts_with("GGUF")) {
      return malformed(0, "not a GGUF file: it does not begin with \"GGUF\"");
    }
    at_ = 4;
    if (!take(header_.version)) return false;
    if (header_.version != 2 && header_.version != 3) {
      const bool big_endian = (header_.version & 0xFFFF) == 0 && header_.version != 0;
      return refuse(ErrorCode::kInvalidInput, 4,
                    big_endian
                        ? "the file is big-endian"
                        : "GGUF version " + std::to_string(header_.version) + " is not supported",
                    "versions 2 and 3, little-endian, are", "convert the model again");
    }
    if (!take(tensor_count_)) return false;
    if (tensor_count_ > kMostTensors) {
      return over_limit(8, "tensor count", tensor_count_, kMostTensors);
    }
    if (!take(key_count_)) return false;
    if (key_count_ > kMostKeys) return over_limit(16, "key count", key_count_, kMostKeys);
    return true;
  }

  bool read_metadata() {
    std::uint64_t alignment_at = 0;
    builder_.open(true, {});
    for (std::uint64_t i = 0; i < key_count_; ++i) {
      const std::uint64_t start = at_;
      std::string_view key;
      if (!take_string(key, "key", kMostKeyBytes)) return false;
      if (!builder_.key(valid_utf8(key), {})) return builder_failed(start);
      std::uint32_t type = 0;
      if (!take(type)) return false;
      if (key == "general.alignment") alignment_at = at_;
      if (!read_value(type, 0)) return false;
    }
    if (!builder_.close()) return builder_failed(at_);
    header_.metadata = builder_.take();

    if (const Value* alignment = header_.metadata.find("general.alignment")) {
      const std::int64_t value = alignment->is_integer() ? alignment->integer() : -1;
      if (value < 1 || value > static_cast<std::int64_t>(kMostAlignment) ||
          !std::has_single_bit(static_cast<std::uint64_t>(value))) {
        const std::string shown = alignment->is_integer() ? " " + std::to_string(value) : "";
        return refuse(ErrorCode::kInvalidInput, alignment_at,
                      "general.alignment" + shown + " is not usable",
                      "it must be a power of two up to " + std::to_string(kMostAlignment));
      }
      alignment_ = static_cast<std::uint64_t>(value);
    }
    return true;
  }

  template <class T>
  bool read_number() {
    const std::uint64_t start = at_;
    T value{};
    if (!take(value)) return false;
    Value number;
    if constexpr (std::is_floating_point_v<T>) {
      // The shortest text of the type: 1e-05 as a float32 is meant as 1e-05, not as
      // 9.999999747378752e-06. Not finite becomes null.
      std::array<char, 40> text{};
      const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
      if (std::isfinite(value)) number = Value::number_text(std::string(text.data(), end.ptr));
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      number = Value(value);
    } else {
      number = Value(static_cast<std::int64_t>(value));
    }
    return builder_.scalar(std::move(number), {}) || builder_failed(start);
  }

  bool read_value(std::uint32_t type, int depth) {
    switch (static_cast<MetadataType>(type)) {
      case MetadataType::kU8:
        return read_number<std::uint8_t>();
      case MetadataType::kI8:
        return read_number<std::int8_t>();
      case MetadataType::kU16:
        return read_number<std::uint16_t>();
      case MetadataType::kI16:
        return read_number<std::int16_t>();
      case MetadataType::kU32:
        return read_number<std::uint32_t>();
      case MetadataType::kI32:
        return read_number<std::int32_t>();
      case MetadataType::kF32:
        return read_number<float>();
      case MetadataType::kU64:
        return read_number<std::uint64_t>();
      case MetadataType::kI64:
        return read_number<std::int64_t>();
      case MetadataType::kF64:
        return read_number<double>();
      case MetadataType::kBool: {
        std::uint8_t value = 0;
        if (!take(value)) return false;
        return builder_.scalar(Value(value != 0), {}) || builder_failed(at_);
      }
      case MetadataType::kString: {
        const std::uint64_t start = at_;
        std::string_view text;
        if (!take_string(text, "string", kMostStringBytes)) return false;
        return builder_.scalar(Value(valid_utf8(text)), {}) || builder_failed(start);
      }
      case MetadataType::kArray:
        return read_array(depth + 1);
    }
    return malformed(at_ - 4, "unknown metadata type " + std::to_string(type));
  }

  bool read_array(int depth) {
    const std::uint64_t start = at_;
    std::uint32_t type = 0;
    std::uint64_t length = 0;
    if (!take(type) || !take(length)) return false;
    if (type >= kMetadataTypes.size()) {
      return malformed(start, "unknown array type " + std::to_string(type));
    }
    if (depth > kMostArrayDepth) {
      return refuse(ErrorCode::kLimit, start,
                    "arrays nested more than " + std::to_string(kMostArrayDepth) + " deep");
    }
    // The least an element takes: a length for a string, a type and a length for an array.
    const bool nested = type == static_cast<std::uint32_t>(MetadataType::kArray);
    const std::uint64_t fixed = kMetadataTypes[type].bytes;
    const std::uint64_t least = nested ? 12 : fixed == 0 ? 8 : fixed;
    if (length > (file_size_ - std::min(at_, file_size_)) / least) {
      return refuse(ErrorCode::kMalformed, start + 4,
                    "array length " + std::to_string(length) + " does not fit into the file",
                    kHostile);
    }
    if (length > kMostKeptElements) return skip_array(type, length, depth);
    if (!builder_.open(false, {})) return builder_failed(start);
    for (std::uint64_t i = 0; i < length; ++i) {
      if (!read_value(type, depth)) return false;
    }
    return builder_.close() || builder_failed(start);
  }

  // Passes over an array (a vocabulary) and keeps its type and length.
  bool skip_array(std::uint32_t type, std::uint64_t length, int depth) {
    const std::uint64_t start = at_;
    if (!pass_elements(type, length, depth)) return false;
    const bool kept = builder_.open(true, {}) && builder_.key("type", {}) &&
                      builder_.scalar(Value(kMetadataTypes[type].name), {}) &&
                      builder_.key("length", {}) && builder_.scalar(Value(length), {}) &&
                      builder_.close();
    return kept || builder_failed(start);
  }

  bool pass_elements(std::uint32_t type, std::uint64_t length, int depth) {
    if (const std::uint64_t bytes = kMetadataTypes[type].bytes; bytes > 0) {
      if (length > left() / bytes) return ends_early(at_ + length * bytes);
      at_ += length * bytes;
      return true;
    }
    for (std::uint64_t i = 0; i < length; ++i) {
      if (type == static_cast<std::uint32_t>(MetadataType::kString)) {
        std::string_view text;
        if (!take_string(text, "string", kMostStringBytes)) return false;
        continue;
      }
      const std::uint64_t start = at_;
      std::uint32_t inner_type = 0;
      std::uint64_t inner_length = 0;
      if (!take(inner_type) || !take(inner_length)) return false;
      if (inner_type >= kMetadataTypes.size()) {
        return malformed(start, "unknown array type " + std::to_string(inner_type));
      }
      if (depth + 1 > kMostArrayDepth) {
        return refuse(ErrorCode::kLimit, start,
                      "arrays nested more than " + std::to_string(kMostArrayDepth) + " deep");
      }
      const std::uint64_t bytes = kMetadataTypes[inner_type].bytes;
      if (inner_length > file_size_ / std::max<std::uint64_t>(bytes, 1)) {
        return refuse(
            ErrorCode::kMalformed, start + 4,
            "array length " + std::to_string(inner_length) + " does not fit into the file",
            kHostile);
      }
      if (!pass_elements(inner_type, inner_length, depth + 1)) return false;
    }
    return true;
  }

  bool read_tensors() {
    // 24 bytes are the least a tensor takes in the header.
    if (tensor_count_ > (file_size_ - std::min(at_, file_size_)) / 24) {
      return refuse(ErrorCode::kMalformed, 8,
                    "tensor count " + std::to_string(tensor_count_) + " does not fit into the file",
                    kHostile);
    }
    header_.tensors.reserve(std::min<std::uint64_t>(tensor_count_, left() / 24 + 1));
    std::uint64_t data_end = 0;
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      if (!read_tensor(data_end)) return false;
    }
    if (!check_names()) return false;

    const std::uint64_t data_start = (at_ + alignment_ - 1) / alignment_ * alignment_;
    // A file that stops before the first byte of tensor data is a header kept on purpose.
    const bool header_only = file_size_ <= data_start;
    if (!header_only && data_end > file_size_ - data_start) {
      return malformed(data_start,
                       "the tensors take " + std::to_string(data_end) + " bytes, the file has " +
                           std::to_string(file_size_ - data_start) + " after the header");
    }
    return true;
  }

  bool read_tensor(std::uint64_t& data_end) {
    const std::uint64_t start = at_;
    std::string_view name;
    if (!take_string(name, "tensor name", kMostNameBytes)) return false;
    TensorInfo tensor;
    tensor.name = valid_utf8(name);
    const std::string label = "tensor " + quoted(tensor.name);
    std::uint32_t dimensions = 0;
    const std::uint64_t dimensions_at = at_;
    if (!take(dimensions)) return false;
    if (dimensions > kMostDimensions) {
      return over_limit(dimensions_at, "number of dimensions", dimensions, kMostDimensions);
    }
    tensor.elements = 1;
    tensor.shape.reserve(dimensions);
    for (std::uint32_t d = 0; d < dimensions; ++d) {
      const std::uint64_t dimension_at = at_;
      std::uint64_t dimension = 0;
      if (!take(dimension)) return false;
      std::uint64_t product = 0;
      if (__builtin_mul_overflow(tensor.elements, dimension, &product) || product >> 63 != 0 ||
          dimension >> 63 != 0) {
        return refuse(
            ErrorCode::kLimit, dimension_at,
            label + " has more than 2^63 elements (dimension " + std::to_string(dimension) + ")",
            kHostile);
      }
      tensor.elements = product;
      tensor.shape.push_back(dimension);
    }
    const std::uint64_t type_at = at_;
    std::uint32_t type_id = 0;
    if (!take(type_id)) return false;
    const TypeRow* type = find_type(type_id);
    if (type == nullptr) {
      return refuse(ErrorCode::kInvalidInput, type_at,
                    label + " has unknown type " + std::to_string(type_id));
    }
    tensor.type = type->name;
    // Blocks run along the first dimension and never across rows.
    const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape[0];
    if (row % type->block_elements != 0) {
      return malformed(dimensions_at, label + " has rows of " + std::to_string(row) +
                                          " elements, no multiple of the " +
                                          std::to_string(type->block_elements) + " of a " +
                                          tensor.type + " block");
    }
    if (__builtin_mul_overflow(tensor.elements / type->block_elements,
                               std::uint64_t{type->block_bytes}, &tensor.bytes)) {
      return refuse(ErrorCode::kLimit, dimensions_at, label + " is larger than 2^64 bytes",
                    kHostile);
    }
    const std::uint64_t offset_at = at_;
    std::uint64_t offset = 0;
    if (!take(offset)) return false;
    if (offset != data_end) {
      return malformed(offset_at, label + " begins at offset " + std::to_string(offset) + ", not " +
                                      std::to_string(data_end) +
                                      ", where the tensor before it ends");
    }
    std::uint64_t padded = 0;
    if (__builtin_add_overflow(tensor.bytes, alignment_ - 1, &padded) ||
        __builtin_add_overflow(data_end, padded / alignment_ * alignment_, &data_end)) {
      return refuse(ErrorCode::kLimit, start, "the tensors are larger than 2^64 bytes", kHostile);
    }
    header_.tensor_bytes += tensor.bytes;  // no more than data_end, which did not overflow
    header_.tensors.push_back(std::move(tensor));
    return true;
  }

  bool check_names() {
    std::vector<std::uint32_t> order(header_.tensors.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    const auto name = [&](std::uint32_t i) -> const std::string& {
      return header_.tensors[i].name;
    };
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return name(a) < name(b); });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (name(order[i - 1]) == name(order[i])) {
        return malformed(at_, "tensor " + quoted(name(order[i])) + " appears twice");
      }
    }
    return true;
  }

  std::string_view head_;
  std::uint64_t file_size_;
  const std::string& file_;
  TextLimits limits_{.depth = kMostArrayDepth + 2,
                     .string_bytes = 3 * kMostStringBytes,  // U+FFFD is three bytes
                     .key_bytes = 3 * kMostKeyBytes};
  TreeBuilder builder_;
  std::uint64_t at_ = 0;
  std::uint64_t tensor_count_ = 0, key_count_ = 0;
  std::uint64_t alignment_ = kDefaultAlignment;
  bool needs_more_ = false;
  GgufHeader header_;
  Error error_;
};

}  // namespace

std::optional<std::uint64_t> gguf_type_bytes(std::string_view type, std::uint64_t elements) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const TypeRow& row) { return row.name == type; });
  if (found == kTypes.end() || elements % found->block_elements != 0) return std::nullopt;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / found->block_elements, std::uint64_t{found->block_bytes},
                             &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

Result<GgufHeader> read_gguf(std::string_view head, std::uint64_t file_size,
                             const std::string& file) {
  PORTOLAN_CHECK(head.size() <= file_size);
  return Reader(head, file_size, file).read();
}

Result<GgufHeader> read_gguf_file(const std::string& path) {
  // Headers without a vocabulary are some hundred kilobytes, with one some ten megabytes.
  for (std::uint64_t bytes = 1u << 20;; bytes *= 8) {
    const FileHead head = PORTOLAN_TRY(read_file_head(path, std::min(bytes, kMostHeadBytes)));
    Reader reader(head.bytes, head.file_size, path);
    Result<GgufHeader> header = reader.read();
    if (header || !reader.needs_more() || bytes >= kMostHeadBytes) return header;
  }
}

}  // namespace portolan::io
