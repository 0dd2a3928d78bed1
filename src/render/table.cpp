#include "render/table.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace portolan::render {
namespace {

bool continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The first `columns` code points.
std::string_view prefix(std::string_view text, std::size_t columns) {
  std::size_t i = 0;
  while (i < text.size() && columns > 0) {
    ++i;
    while (i < text.size() && continuation(text[i])) ++i;
    --columns;
  }
  return text.substr(0, i);
}

std::string_view suffix(std::string_view text, std::size_t columns) {
  std::size_t i = text.size();
  while (i > 0 && columns > 0) {
    --i;
    while (i > 0 && continuation(text[i])) --i;
    --columns;
  }
  return text.substr(i);
}

std::string padded(std::string_view cell, std::size_t width, bool right) {
  const std::size_t have = display_width(cell);
  const std::string space(width > have ? width - have : 0, ' ');
  return right ? space + std::string(cell) : std::string(cell) + space;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continuation(c); }));
}

std::string cut_middle(std::string_view text, std::size_t width, bool unicode) {
  if (display_width(text) <= width || width < 3) return std::string(text);
  const std::size_t head = width / 2, tail = width - head - 1;
  return std::string(prefix(text, head)) + (unicode ? "…" : "~") + std::string(suffix(text, tail));
}

std::string to_ascii(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kReplace = {{
      {"–", "-"}, {"—", "-"}, {"…", "..."}, {"·", "*"}, {"×", "x"}, {"✓", "*"}, {"✗", "!"}, {"≤", "<="},
      {"≥", ">="}, {"±", "+-"}, {"─", "-"}, {"│", "|"}, {"┌", "+"}, {"└", "+"}, {"├", "+"}, {"┤", "+"},
      {"█", "#"}, {"●", "o"}, {"∙", "."}, {"≈", "~"}, {"→", "->"}, {"█", "#"},
  }};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto hit = std::find_if(kReplace.begin(), kReplace.end(),
                                  [&](const auto& r) { return text.substr(i).starts_with(r.first); });
    if (hit != kReplace.end()) {
      out += hit->second;
      i += hit->first.size();
    } else if (static_cast<unsigned char>(text[i]) < 0x80) {
      out += text[i++];
    } else {
      out += '?';
      ++i;
      while (i < text.size() && continuation(text[i])) ++i;
    }
  }
  return out;
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(const Style& style, std::vector<std::string>* left_out) const {
  constexpr std::size_t kGap = 2;
  std::vector<bool> shown(columns_.size(), true);
  std::vector<std::size_t> width(columns_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    width[c] = style.header ? display_width(columns_[c].title) : 0;
    for (const auto& row : rows_) width[c] = std::max(width[c], display_width(row[c]));
  }
  auto total = [&] {
    std::size_t sum = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) sum += shown[c] ? width[c] + kGap : 0;
    return sum > kGap ? sum - kGap : sum;
  };
  if (style.width > 0) {
    // First the widest shrinkable column gives way, then optional columns go, rightmost first.
    auto shrink = [&] {
      while (total() > style.width) {
        std::size_t widest = columns_.size();
        for (std::size_t c = 0; c < columns_.size(); ++c) {
          const std::size_t floor = std::max(columns_[c].shrink_to, style.header ? display_width(columns_[c].title) : 1);
          if (shown[c] && columns_[c].shrink_to > 0 && width[c] > floor && (widest == columns_.size() || width[c] > width[widest])) {
            widest = c;
          }
        }
        if (widest == columns_.size()) return;
        --width[widest];
      }
    };
    shrink();
    for (std::size_t c = columns_.size(); c-- > 0 && total() > style.width;) {
      if (!columns_[c].optional) continue;
      shown[c] = false;
      if (left_out != nullptr) left_out->insert(left_out->begin(), columns_[c].title);
    }
  }
  std::string out;
  auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (!shown[c]) continue;
      if (!text.empty()) text += std::string(kGap, ' ');
      text += padded(cut_middle(cells[c], width[c], style.unicode), width[c], columns_[c].right);
    }
    const std::size_t end = text.find_last_not_of(' ');
    out += text.substr(0, end == std::string::npos ? 0 : end + 1);
    out += '\n';
  };
  if (style.header) {
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    if (style.color) out += "\x1b[1m";
    line(titles);
    if (style.color) out.insert(out.size() - 1, "\x1b[0m");
  }
  for (const auto& row : rows_) line(row);
  return style.unicode ? out : to_ascii(out);
}

std::string Table::markdown() const {
  auto cell = [](std::string_view text) {
    std::string out;
    for (char c : text) {
      if (c == '|' || c == '`' || c == '<' || c == '>' || c == '*' || c == '_' || c == '\\') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    return out;
  };
  std::string out = "|";
  for (const Column& column : columns_) out += " " + cell(column.title) + " |";
  out += "\n|";
  for (const Column& column : columns_) out += column.right ? " ---: |" : " --- |";
  out += '\n';
  for (const auto& row : rows_) {
    out += '|';
    for (const std::string& text : row) out += " " + cell(text) + " |";
    out += '\n';
  }
  return out;
}

std::string wrap(std::string_view paragraph, std::size_t width, std::size_t indent) {
  if (width == 0) return std::string(paragraph);
  std::string out, line;
  for (std::string_view word : split(paragraph, ' ')) {
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      out += line + '\n';
      line = std::string(indent, ' ') + std::string(word);
    } else {
      if (!line.empty()) line += ' ';
      line += word;
    }
  }
  return out + line;
}

}  // namespace portolan::render
