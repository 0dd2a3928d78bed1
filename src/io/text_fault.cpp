#include "io/text_fault.hpp"

#include "base/text.hpp"

namespace portolan::io {

std::optional<TextFault> find_text_fault(std::string_view text) {
  Place place{1, 1};
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::size_t length = 1;
    if (byte >= 0x80) {
      std::uint32_t code_point = 0;
      length = utf8_length(text, at, code_point);
      if (length == 0) return TextFault{"the text is not UTF-8", place};
      if (code_point < 0xA0 && code_point != 0x85) {
        return TextFault{"control character " + quoted(text.substr(at, length)), place};
      }
    } else if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      return TextFault{"control character " + quoted(text.substr(at, 1)), place};
    }
    if (byte == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      place.column += static_cast<std::uint32_t>(length);
    }
    at += length;
  }
  return std::nullopt;
}

}  // namespace portolan::io
