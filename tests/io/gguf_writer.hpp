// Writes GGUF bytes piece by piece, well formed or not, for the tests of the reader.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::io {

class GgufWriter {
 public:
  template <class T>
  GgufWriter& number(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    bytes_.append(bytes, sizeof(T));
    return *this;
  }
  GgufWriter& u32(std::uint32_t value) { return number(value); }
  GgufWriter& u64(std::uint64_t value) { return number(value); }
  GgufWriter& raw(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  GgufWriter& string(std::string_view text) { return u64(text.size()).raw(text); }

  GgufWriter& header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(tensors).u64(keys);
  }
  GgufWriter& key_u32(std::string_view key, std::uint32_t value) {
    return string(key).u32(4).u32(value);
  }
  GgufWriter& key_string(std::string_view key, std::string_view value) {
    return string(key).u32(8).string(value);
  }
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                     std::uint32_t type, std::uint64_t offset) {
    string(name).u32(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t dimension : shape) u64(dimension);
    return u32(type).u64(offset);
  }
  GgufWriter& pad(std::size_t alignment = 32) {
    while (bytes_.size() % alignment != 0) bytes_ += '\0';
    return *this;
  }
  GgufWriter& data(std::size_t bytes) {
    bytes_.append(bytes, 'd');
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace portolan::io
