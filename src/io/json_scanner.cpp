#include "io/json_scanner.hpp"

#include <charconv>
#include <cmath>

namespace portolan::io {
namespace {

constexpr int kMostDepth = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& to, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// The four digits after "\u"; the scanner has checked them.
std::uint32_t code_unit(std::string_view raw, std::size_t at) {
  std::uint32_t unit = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    unit = unit * 16 + static_cast<std::uint32_t>(hex_value(raw[i]));
  }
  return unit;
}

}  // namespace

bool JsonScanner::stop(const char* problem) {
  if (*problem_ == '\0') problem_ = problem;
  return false;
}

void JsonScanner::begin_object() {
  if (*problem_ != '\0') return;
  pass_space();
  if (*at_ != '{') {
    stop("expected an object");
    return;
  }
  ++at_;
  first_ = true;
}

bool JsonScanner::next_key(std::string_view& key) {
  if (*problem_ != '\0') return false;
  pass_space();
  if (*at_ == '}') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (*at_ != ',') return stop("expected ',' or '}'");
    ++at_;
    pass_space();
  }
  first_ = false;
  if (*at_ != '"') return stop("expected a name in quotes");
  if (!pass_string(key)) return false;
  pass_space();
  if (*at_ != ':') return stop("expected ':'");
  ++at_;
  return true;
}

void JsonScanner::begin_array() {
  if (*problem_ != '\0') return;
  pass_space();
  if (*at_ != '[') {
    stop("expected a list");
    return;
  }
  ++at_;
  first_ = true;
}

bool JsonScanner::next_element() {
  if (*problem_ != '\0') return false;
  pass_space();
  if (*at_ == ']') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (*at_ != ',') return stop("expected ',' or ']'");
    ++at_;
  }
  first_ = false;
  return true;
}

std::string_view JsonScanner::number() {
  if (*problem_ != '\0') return {};
  pass_space();
  const char* const start = at_;
  if (*at_ == '-') ++at_;
  if (!is_digit(*at_)) {
    at_ = start;
    stop("expected a number");
    return {};
  }
  if (*at_ == '0') {
    ++at_;
  } else {
    while (is_digit(*at_)) ++at_;
  }
  if (*at_ == '.') {
    ++at_;
    if (!is_digit(*at_)) {
      stop("malformed number");
      return {};
    }
    while (is_digit(*at_)) ++at_;
  }
  if (*at_ == 'e' || *at_ == 'E') {
    ++at_;
    if (*at_ == '+' || *at_ == '-') ++at_;
    if (!is_digit(*at_)) {
      stop("malformed number");
      return {};
    }
    while (is_digit(*at_)) ++at_;
  }
  return {start, static_cast<std::size_t>(at_ - start)};
}

std::int64_t JsonScanner::integer() {
  const std::string_view text = number();
  if (text.empty()) return 0;
  std::int64_t value = 0;
  const char* const stop_at = text.data() + text.size();
  const auto [end, fault] = std::from_chars(text.data(), stop_at, value);
  if (fault == std::errc() && end == stop_at) return value;
  double real = 0;
  constexpr double kMost = 9e15;  // doubles below it tell whole numbers apart
  if (std::from_chars(text.data(), stop_at, real).ec == std::errc() && std::fabs(real) < kMost &&
      real == std::floor(real)) {
    return static_cast<std::int64_t>(real);
  }
  at_ = text.data();
  stop("expected a whole number");
  return 0;
}

void JsonScanner::integers(std::vector<std::uint64_t>& to) {
  for (begin_array(); next_element();) {
    pass_space();
    const char* const start = at_;
    std::uint64_t value = 0;
    while (is_digit(*at_)) {
      value = value * 10 + static_cast<std::uint64_t>(*at_ - '0');
      ++at_;
    }
    const auto digits = at_ - start;
    constexpr int kSafeDigits = 19;
    if (digits > kSafeDigits) {
      const auto [end, fault] = std::from_chars(start, at_, value);
      if (fault != std::errc() || end != at_) {
        at_ = start;
        stop("expected a whole number below 2^64");
        return;
      }
    }
    if (digits == 0 || (digits > 1 && *start == '0')) {
      at_ = start;
      stop("expected a whole number of at least 0");
      return;
    }
    to.push_back(value);
  }
}

bool JsonScanner::pass_string(std::string_view& raw) {
  const char* const start = ++at_;
  while (*at_ != '"') {
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte < 0x20) {
      return stop(at_ == end_ ? "the text ends inside a string"
                              : "a control character inside a string must be escaped");
    }
    if (byte == '\\') {
      ++at_;
      if (*at_ == 'u') {
        for (int i = 1; i <= 4; ++i) {
          // Stops before a NUL is passed: it is no hexadecimal digit.
          if (hex_value(at_[i]) < 0) {
            return stop("\\u must be followed by four hexadecimal digits");
          }
        }
        at_ += 4;
      } else if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
        return stop("unknown escape inside a string");
      }
    }
    ++at_;
  }
  raw = {start, static_cast<std::size_t>(at_ - start)};
  ++at_;
  return true;
}

void JsonScanner::string(std::string& to) {
  if (*problem_ != '\0') return;
  pass_space();
  if (*at_ != '"') {
    stop("expected a string");
    return;
  }
  std::string_view raw;
  if (!pass_string(raw)) return;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      to += raw[i];
      continue;
    }
    switch (raw[++i]) {
      case 'b':
        to += '\b';
        break;
      case 'f':
        to += '\f';
        break;
      case 'n':
        to += '\n';
        break;
      case 'r':
        to += '\r';
        break;
      case 't':
        to += '\t';
        break;
      case 'u': {
        std::uint32_t code = code_unit(raw, i + 1);
        i += 4;
        if (code >= 0xD800 && code < 0xDC00 && i + 6 < raw.size() && raw[i + 1] == '\\' &&
            raw[i + 2] == 'u') {
          const std::uint32_t low = code_unit(raw, i + 3);
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            i += 6;
          }
        }
        constexpr std::uint32_t kReplacement = 0xFFFD;
        append_utf8(to, code >= 0xD800 && code < 0xE000 ? kReplacement : code);
        break;
      }
      default:
        to += raw[i];
    }
  }
}

void JsonScanner::skip_value(int depth) {
  pass_space();
  std::string_view raw;
  if (*at_ == '"') {
    pass_string(raw);
  } else if (*at_ == '{' || *at_ == '[') {
    if (depth >= kMostDepth) {
      stop("more than 64 levels deep");
      return;
    }
    if (*at_ == '{') {
      for (begin_object(); next_key(raw);) skip_value(depth + 1);
    } else {
      for (begin_array(); next_element();) skip_value(depth + 1);
    }
  } else if (*at_ == '-' || is_digit(*at_)) {
    number();
  } else {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
        at_ += word.size();
        return;
      }
    }
    stop("expected a value");
  }
}

std::string_view JsonScanner::skip() {
  if (*problem_ != '\0') return {};
  pass_space();
  const char* const start = at_;
  skip_value(0);
  return {start, static_cast<std::size_t>(at_ - start)};
}

bool JsonScanner::peek(char c) {
  if (*problem_ != '\0') return false;
  pass_space();
  return *at_ == c;
}

bool JsonScanner::null() {
  if (!peek('n')) return false;
  skip();
  return *problem_ == '\0';
}

bool JsonScanner::finish() {
  if (*problem_ != '\0') return false;
  pass_space();
  return at_ == end_ || stop("something follows the end of the value");
}

}  // namespace portolan::io
