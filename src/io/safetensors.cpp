// safetensors: eight bytes of header length, a JSON object of tensors, the data.
// https://huggingface.co/docs/safetensors
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::uint64_t kMostTensors = 1'000'000;
constexpr std::uint64_t kMostDimensions = 64;
constexpr std::uint64_t kLengthBytes = 8;

struct TypeRow {
  std::string_view name;
  std::uint64_t bits;
};
constexpr std::array<TypeRow, 21> kTypes{
    {{"BOOL", 8},       {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
     {"F8_E8M0", 8},    {"I16", 16}, {"U16", 16}, {"F16", 16},    {"BF16", 16},
     {"I32", 32},       {"U32", 32}, {"F32", 32}, {"C64", 64},    {"F64", 64},
     {"I64", 64},       {"U64", 64}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
     {"F8_E4M3FNUZ", 8}}};

struct Span {
  std::uint64_t begin = 0, end = 0;
  std::uint32_t tensor = 0;
};

class Reader {
 public:
  Reader(std::uint64_t data_start, std::uint64_t data_bytes, const std::string& file)
      : data_start_(data_start), data_bytes_(data_bytes), file_(file) {}

  Result<SafetensorsHeader> read(std::string_view json) {
    const TextLimits limits{.bytes = kMostHeaderBytes, .depth = 4};
    // Counting first keeps the list from doubling: the header is the input with the most entries
    // per byte.
    header_.tensors.reserve(std::min(occurrences(json, "\"data_offsets\""), kMostTensors));
    spans_.reserve(header_.tensors.capacity());
    Result<void> read = each_json_member(
        json, file_, limits,
        [&](std::string_view name, Value value) { return take(name, std::move(value)); });
    if (!read) {
      Error error = std::move(read).error();
      if (error.where.offset.empty()) {  // from the JSON reader
        error.message = printable(file_) + ": " + error.message;
        error.where.offset = offset_text(error.where.line, error.where.column);
      }
      return fail(std::move(error));
    }
    PORTOLAN_DO(check_names());
    PORTOLAN_DO(check_spans());
    return std::move(header_);
  }

 private:
  static std::uint64_t occurrences(std::string_view text, std::string_view word) {
    std::uint64_t count = 0;
    for (std::size_t at = text.find(word); at != std::string_view::npos;
         at = text.find(word, at + word.size())) {
      ++count;
    }
    return count;
  }

  std::unexpected<Error> refuse(const Value& at, std::string message,
                                ErrorCode code = ErrorCode::kInvalidInput) const {
    return refuse_at(offset_text(at.line, at.column), std::move(message), code);
  }
  std::unexpected<Error> refuse_at(std::string offset, std::string message, ErrorCode code) const {
    return std::unexpected(
        Error{.code = code,
              .message = printable(file_) + ": " + std::move(message),
              .where = {.file = file_, .pointer = {}, .argument = {}, .offset = std::move(offset)},
              .why = {},
              .hint = {},
              .also = {}});
  }
  // Headers are one line as a rule; then the column is an offset into the file.
  static std::string offset_text(std::uint64_t line, std::uint64_t column) {
    if (line > 1) {
      return "line " + std::to_string(line) + " of the header, column " + std::to_string(column);
    }
    return "byte " + std::to_string(kLengthBytes + std::max<std::uint64_t>(column, 1) - 1);
  }

  static const Value* whole(const Value& value) {
    return value.is_integer() && value.integer() >= 0 ? &value : nullptr;
  }

  Result<void> take(std::string_view name, Value value) {
    if (name == "__metadata__") {
      if (!value.is_object()) return refuse(value, "__metadata__ is not an object");
      header_.metadata = std::move(value);
      return {};
    }
    const std::string label = "tensor " + quoted(name);
    if (name.empty() && !value.is_object()) {
      return refuse(value, "the header is not an object of tensors");
    }
    if (!value.is_object()) return refuse(value, label + " is not an object");
    if (header_.tensors.size() == kMostTensors) {
      return refuse(value, "more than " + std::to_string(kMostTensors) + " tensors",
                    ErrorCode::kLimit);
    }
    const Value* type = value.find("dtype");
    const Value* shape = value.find("shape");
    const Value* offsets = value.find("data_offsets");
    if (type == nullptr || !type->is_string()) return refuse(value, label + " has no dtype");
    if (shape == nullptr || !shape->is_array()) return refuse(value, label + " has no shape");
    if (offsets == nullptr || !offsets->is_array() || offsets->array().size() != 2 ||
        whole(offsets->array()[0]) == nullptr || whole(offsets->array()[1]) == nullptr) {
      return refuse(value, label + " has no data_offsets of two whole numbers");
    }
    if (shape->array().size() > kMostDimensions) {
      return refuse(*shape,
                    label + " has more than " + std::to_string(kMostDimensions) + " dimensions",
                    ErrorCode::kLimit);
    }
    TensorInfo tensor;
    tensor.name = name;
    tensor.type = type->string();
    tensor.elements = 1;
    tensor.shape.reserve(shape->array().size());
    for (const Value& dimension : shape->array()) {
      if (whole(dimension) == nullptr) {
        return refuse(dimension, label + " has a dimension that is not a whole number");
      }
      const auto size = static_cast<std::uint64_t>(dimension.integer());
      if (__builtin_mul_overflow(tensor.elements, size, &tensor.elements)) {
        return refuse(dimension, label + " has more than 2^64 elements", ErrorCode::kLimit);
      }
      tensor.shape.push_back(size);
    }
    const Span span{static_cast<std::uint64_t>(offsets->array()[0].integer()),
                    static_cast<std::uint64_t>(offsets->array()[1].integer()),
                    static_cast<std::uint32_t>(header_.tensors.size())};
    if (span.begin > span.end || span.end > data_bytes_) {
      return refuse(*offsets, label + " lies at " + std::to_string(span.begin) + " to " +
                                  std::to_string(span.end) + ", the data have " +
                                  std::to_string(data_bytes_) + " bytes");
    }
    tensor.bytes = span.end - span.begin;
    PORTOLAN_DO(check_size(tensor, *offsets, label));
    header_.tensor_bytes += tensor.bytes;
    header_.tensors.push_back(std::move(tensor));
    spans_.push_back(span);
    return {};
  }

  // The offsets must agree with shape and type; a type newer than this table is taken at its word.
  Result<void> check_size(const TensorInfo& tensor, const Value& at,
                          const std::string& label) const {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const TypeRow& row) { return row.name == tensor.type; });
    if (type == kTypes.end()) return {};
    std::uint64_t bits = 0;
    if (__builtin_mul_overflow(tensor.elements, type->bits, &bits) || bits % 8 != 0 ||
        bits / 8 != tensor.bytes) {
      return refuse(at, label + " has " + std::to_string(tensor.elements) + " elements of " +
                            tensor.type + " but " + std::to_string(tensor.bytes) + " bytes");
    }
    return {};
  }

  Result<void> check_names() const {
    std::vector<std::uint32_t> order(header_.tensors.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    const auto name = [&](std::uint32_t i) -> const std::string& {
      return header_.tensors[i].name;
    };
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return name(a) < name(b); });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (name(order[i - 1]) == name(order[i])) {
        return refuse(Value(), "tensor " + quoted(name(order[i])) + " appears twice");
      }
    }
    return {};
  }

  // Neither overlap nor hole: the tensors tile the data.
  Result<void> check_spans() {
    std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t end = 0;
    for (const Span& span : spans_) {
      if (span.begin != end) {
        return refuse_at("byte " + std::to_string(data_start_ + span.begin),
                         "tensor " + quoted(header_.tensors[span.tensor].name) +
                             (span.begin < end ? " overlaps the one before it: it begins at "
                                               : " leaves a hole before it: it begins at ") +
                             std::to_string(span.begin) + ", not " + std::to_string(end),
                         ErrorCode::kInvalidInput);
      }
      end = span.end;
    }
    if (end != data_bytes_) {
      return refuse_at("byte " + std::to_string(data_start_ + end),
                       "the tensors end at " + std::to_string(end) + ", the data at " +
                           std::to_string(data_bytes_),
                       ErrorCode::kInvalidInput);
    }
    return {};
  }

  std::uint64_t data_start_, data_bytes_;
  const std::string& file_;
  SafetensorsHeader header_;
  std::vector<Span> spans_;
};

std::unexpected<Error> bad_length(ErrorCode code, const std::string& file, std::string message) {
  return std::unexpected(
      Error{.code = code,
            .message = printable(file) + ": " + std::move(message),
            .where = {.file = file, .pointer = {}, .argument = {}, .offset = "byte 0"},
            .why = "the file is damaged or hostile; nothing was allocated",
            .hint = {},
            .also = {}});
}

// The length of the JSON header, checked against the caps and the file.
Result<std::uint64_t> header_length(std::string_view head, std::uint64_t file_size,
                                    const std::string& file) {
  if (head.size() < kLengthBytes) {
    return bad_length(ErrorCode::kMalformed, file, "not a safetensors file: it is too short");
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::uint64_t{static_cast<unsigned char>(head[i])} << (8 * i);
  }
  if (length > kMostHeaderBytes) {
    return bad_length(ErrorCode::kLimit, file,
                      "header length " + std::to_string(length) + " exceeds the limit " +
                          std::to_string(kMostHeaderBytes));
  }
  if (length > file_size - kLengthBytes) {
    return bad_length(ErrorCode::kMalformed, file,
                      "header length " + std::to_string(length) + " does not fit into the file");
  }
  return length;
}

}  // namespace

Result<SafetensorsHeader> read_safetensors(std::string_view head, std::uint64_t file_size,
                                           const std::string& file) {
  PORTOLAN_CHECK(head.size() <= file_size);
  const std::uint64_t length = PORTOLAN_TRY(header_length(head, file_size, file));
  if (head.size() < kLengthBytes + length) {
    return bad_length(
        ErrorCode::kLimit, file,
        "the header is longer than the " + std::to_string(head.size()) + " bytes that were read");
  }
  const std::string_view json = head.substr(kLengthBytes, length);
  if (!json.starts_with('{')) {
    return bad_length(ErrorCode::kMalformed, file,
                      "not a safetensors file: the header is not a JSON object");
  }
  const std::uint64_t data_start = kLengthBytes + length;
  return Reader(data_start, file_size - data_start, file).read(json);
}

Result<SafetensorsHeader> read_safetensors_file(const std::string& path) {
  const FileHead start = PORTOLAN_TRY(read_file_head(path, kLengthBytes));
  const std::uint64_t length = PORTOLAN_TRY(header_length(start.bytes, start.file_size, path));
  const FileHead head = PORTOLAN_TRY(read_file_head(path, kLengthBytes + length));
  return read_safetensors(head.bytes, head.file_size, path);
}

}  // namespace portolan::io
