// A page for people, on a terminal or as Markdown: titles, named entries, tables and notes in
// order.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "render/format.hpp"

namespace portolan::render {

/// A title with named entries below it.
struct Section {
  std::string title;
  std::vector<std::pair<std::string, std::string>> entries;
  void add(std::string name, std::string value) {
    entries.emplace_back(std::move(name), std::move(value));
  }
};

/// Text from outside may be handed to any of these: control characters are made visible, and in
/// Markdown what would be markup is escaped.
class Page {
 public:
  explicit Page(const Options& options) : options_(options) {}
  [[nodiscard]] bool markdown() const { return options_.format == Format::kMarkdown; }
  /// Columns to fill; 0 = no limit.
  [[nodiscard]] std::size_t width() const;

  void title(std::string_view text);
  /// Names in one column, values wrapped beside them; the sections share the width of the names.
  void sections(const std::vector<Section>& sections);
  void table(const Table& table);
  /// A line of its own, wrapped.
  void note(std::string_view text);
  /// Text laid out already, shown as it is.
  void figure(std::string_view text);
  /// The same without a frame in Markdown.
  void raw(std::string_view text) { text_ += text; }
  void gap();
  void assumptions(const app::Envelope& envelope);  // only with --assumptions
  [[nodiscard]] std::string text() const;

 private:
  const Options& options_;
  std::string text_;
};

}  // namespace portolan::render
