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

/// Display columns of UTF-8 text: one per code point. Names with wide or combining characters come
/// out a little askew, never wrong.
std::size_t display_width(std::string_view text);

/// How text gives way when there is no room for it: ids keep both ends, prose its beginning.
enum class Cut : std::uint8_t { kNever, kMiddle, kEnd };
/// At most `width` columns, with "…" ("~" without unicode) where something was cut.
std::string cut_to(std::string_view text, std::size_t width, Cut cut, bool unicode);

/// Without unicode: dash, ellipsis, multiplication sign, ticks and bars become ASCII.
std::string to_ascii(std::string_view text);
/// What Markdown would read as markup is escaped; line breaks become blanks.
std::string escape_markdown(std::string_view text);

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;
    Cut cut = Cut::kNever;
    std::size_t least = 0;  // a column that may be cut keeps this many columns
    int drop = 0;           // in a narrow terminal the highest goes first; 0 = never left out
  };
  static Column numbers(std::string title, int drop = 0) {
    return {.title = std::move(title), .right = true, .cut = Cut::kNever, .least = 0, .drop = drop};
  }
  static Column words(std::string title, int drop = 0) {
    return {
        .title = std::move(title), .right = false, .cut = Cut::kNever, .least = 0, .drop = drop};
  }
  static Column names(std::string title, std::size_t least, int drop = 0) {
    return {.title = std::move(title),
            .right = false,
            .cut = Cut::kMiddle,
            .least = least,
            .drop = drop};
  }
  static Column prose(std::string title, std::size_t least, int drop = 0) {
    return {
        .title = std::move(title), .right = false, .cut = Cut::kEnd, .least = least, .drop = drop};
  }

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Cells come from anywhere: control characters are made visible here.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Leaves out a column no row has anything in (an empty cell or "–").
  void leave_out_empty(std::string_view title);
  /// `left_out` receives the titles of columns that did not fit.
  [[nodiscard]] std::string text(const Style& style,
                                 std::vector<std::string>* left_out = nullptr) const;
  [[nodiscard]] std::string markdown() const;

 private:
  struct Fit {
    std::vector<bool> shown;
    std::vector<std::size_t> width;
  };
  [[nodiscard]] Fit fit(const Style& style) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `prefix` as it is, then the words of `paragraph` wrapped at `width` columns (0 = no limit), with
/// `indent` blanks before each further line.
std::string wrap(std::string_view prefix, std::string_view paragraph, std::size_t width,
                 std::size_t indent);

}  // namespace portolan::render
