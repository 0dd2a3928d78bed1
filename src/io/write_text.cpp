// Writers of JSON and YAML: the same value always gives the same bytes, and what is written reads
// back as the same value.
#include <algorithm>

#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 8259 §6: a number as JSON spells it (YAML may have said 007, +1 or .5).
bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > first;
  };
  if (text.starts_with('-')) ++at;
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

std::string number_text(const Value& value) {
  std::string text = value.scalar_text();
  if (is_json_number(text)) return text;
  return value.is_integer() ? std::to_string(value.integer()) : shortest(value.number());
}

// Escapes what a terminal or an older reader could trip over; bytes that are not UTF-8 become
// U+FFFD, so that the text is valid whatever the string was made of.
void append_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::uint32_t code_point = byte;
    const std::size_t length = byte < 0x80 ? 1 : utf8_length(text, at, code_point);
    if (text[at] == '"' || text[at] == '\\') {
      out += '\\';
      out += text[at];
    } else if (text[at] == '\n') {
      out += "\\n";
    } else if (text[at] == '\t') {
      out += "\\t";
    } else if (length > 0 && (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0))) {
      out += "\\u00";
      out += kHex[code_point >> 4];
      out += kHex[code_point & 15];
    } else {
      out += length > 0 ? text.substr(at, length) : "\uFFFD";
    }
    at += std::max<std::size_t>(length, 1);
  }
  out += '"';
}

void append_scalar(std::string& out, const Value& value) {
  if (value.is_string()) {
    append_string(out, value.string());
  } else {
    out += value.is_number() ? number_text(value) : value.scalar_text();
  }
}

void append_json(std::string& out, const Value& value, bool indented, std::size_t depth) {
  const auto new_line = [&](std::size_t level) {
    if (!indented) return;
    out += '\n';
    out.append(2 * level, ' ');
  };
  bool first = true;
  const auto begin_member = [&] {
    if (!first) out += ',';
    first = false;
    new_line(depth + 1);
  };
  if (value.is_array()) {
    out += '[';
    for (const Value& element : value.array()) {
      begin_member();
      append_json(out, element, indented, depth + 1);
    }
    if (!first) new_line(depth);
    out += ']';
  } else if (value.is_object()) {
    out += '{';
    for (const auto& [key, member] : value.object()) {
      begin_member();
      append_string(out, key);
      out += indented ? ": " : ":";
      append_json(out, member, indented, depth + 1);
    }
    if (!first) new_line(depth);
    out += '}';
  } else {
    append_scalar(out, value);
  }
}

// Whether a YAML reader of any version takes the text as a plain scalar that is a string: a word
// of harmless characters that begins with a letter and is none of the words with a meaning.
bool is_plain_yaml(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || text.size() > 80 || !is_letter(text[0])) return false;
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c) && std::string_view("_-./").find(c) == std::string::npos) {
      return false;
    }
  }
  static constexpr std::string_view kMeaningful[] = {"true", "false", "null", "yes", "no",
                                                     "on",   "off",   "y",    "n"};
  const std::string folded = to_lower(text);
  return std::find(std::begin(kMeaningful), std::end(kMeaningful), folded) == std::end(kMeaningful);
}

// A double-quoted YAML string has the escapes of a JSON string.
void append_yaml_scalar(std::string& out, const Value& value) {
  if (value.is_string() && is_plain_yaml(value.string())) {
    out += value.string();
  } else if (value.is_number()) {
    out += value.scalar_text();
  } else {
    append_scalar(out, value);
  }
}

bool is_leaf(const Value& value) {
  return !(value.is_array() && !value.array().empty()) &&
         !(value.is_object() && !value.object().empty());
}

void append_yaml_leaf(std::string& out, const Value& value) {
  if (value.is_array()) {
    out += "[]";
  } else if (value.is_object()) {
    out += "{}";
  } else {
    append_yaml_scalar(out, value);
  }
  out += '\n';
}

// `depth` indents the lines after the first; the first continues the line that is open.
void append_yaml(std::string& out, const Value& value, std::size_t depth) {
  bool first = true;
  const auto begin_line = [&] {
    if (!first) out.append(2 * depth, ' ');
    first = false;
  };
  if (is_leaf(value)) {
    append_yaml_leaf(out, value);
  } else if (value.is_array()) {
    for (const Value& element : value.array()) {
      begin_line();
      out += "- ";
      append_yaml(out, element, depth + 1);
    }
  } else {
    for (const auto& [key, member] : value.object()) {
      begin_line();
      append_yaml_scalar(out, Value(key));
      out += ':';
      if (is_leaf(member)) {
        out += ' ';
        append_yaml_leaf(out, member);
      } else {
        out += '\n';
        out.append(2 * (depth + 1), ' ');
        append_yaml(out, member, depth + 1);
      }
    }
  }
}

}  // namespace

std::string write_json(const Value& value, bool indented) {
  std::string out;
  append_json(out, value, indented, 0);
  if (indented) out += '\n';
  return out;
}

std::string write_yaml(const Value& value) {
  std::string out;
  append_yaml(out, value, 0);
  return out;
}

}  // namespace portolan::io
