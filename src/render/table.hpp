// Tables for people: columns fit the terminal, numbers are right-aligned, what was cut is said.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::render {

struct Style {
  std::size_t width = 100;  // 0 = unlimited
  bool color = false;
  bool unicode = true;
  bool header = true;
};

/// Display columns of UTF-8 text (one per code point; combining marks and wide characters do not occur in what we print).
std::size_t display_width(std::string_view text);
/// Cut in the middle with "…" ("~" without unicode) to `width` columns.
std::string cut_middle(std::string_view text, std::size_t width, bool unicode);
/// Without unicode: dash, ellipsis, multiplication sign, ticks and bars become ASCII.
std::string to_ascii(std::string_view text);

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;
    std::size_t shrink_to = 0;  // may be cut in the middle down to this width; 0 = never
    bool optional = false;      // left out (from the right) when the table is still too wide
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// `left_out` receives the titles of columns that did not fit.
  [[nodiscard]] std::string text(const Style& style, std::vector<std::string>* left_out = nullptr) const;
  [[nodiscard]] std::string markdown() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Wraps a paragraph at `width` columns with `indent` spaces before each further line.
std::string wrap(std::string_view paragraph, std::size_t width, std::size_t indent);

}  // namespace portolan::render
