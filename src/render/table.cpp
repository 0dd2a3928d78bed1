#include "render/table.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace portolan::render {
namespace {

constexpr std::size_t kGap = 2;        // blanks between columns
constexpr std::size_t kNarrowest = 6;  // below this a cut cell says nothing

bool continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The first `columns` code points.
std::string_view head(std::string_view text, std::size_t columns) {
  std::size_t i = 0;
  while (i < text.size() && columns > 0) {
    ++i;
    while (i < text.size() && continuation(text[i])) ++i;
    --columns;
  }
  return text.substr(0, i);
}

std::string_view tail(std::string_view text, std::size_t columns) {
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

std::size_t without_trailing_blanks(std::string_view text) {
  const std::size_t last = text.find_last_not_of(' ');
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continuation(c); }));
}

std::string cut_to(std::string_view text, std::size_t width, Cut cut, bool unicode) {
  if (cut == Cut::kNever || display_width(text) <= width || width < 3) return std::string(text);
  const char* mark = unicode ? "…" : "~";
  const std::size_t front = cut == Cut::kEnd ? width - 1 : width / 2;
  return std::string(head(text, front)) + mark + std::string(tail(text, width - front - 1));
}

std::string to_ascii(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kReplace = {{
      {"–", "-"}, {"—", "-"},  {"…", "..."}, {"·", "*"},   {"×", "x"}, {"✓", "+"},
      {"✗", "!"}, {"≤", "<="}, {"≥", ">="},  {"±", "+-"},  {"─", "-"}, {"│", "|"},
      {"┌", "+"}, {"└", "+"},  {"├", "+"},   {"┤", "+"},   {"█", "#"}, {"●", "o"},
      {"∙", "."}, {"≈", "~"},  {"→", "->"},  {"Σ", "sum"},
  }};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto hit = std::find_if(kReplace.begin(), kReplace.end(), [&](const auto& r) {
      return text.substr(i).starts_with(r.first);
    });
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

std::string escape_markdown(std::string_view text) {
  static constexpr std::string_view kMarkup = "|`<>*_\\[]#~&";
  std::string out;
  for (char c : text) {
    if (kMarkup.find(c) != std::string_view::npos) out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::leave_out_empty(std::string_view title) {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].title != title) continue;
    const auto at = static_cast<std::ptrdiff_t>(c);
    const bool used = std::any_of(rows_.begin(), rows_.end(), [&](const auto& row) {
      return !row[c].empty() && row[c] != "–";
    });
    if (used) return;
    columns_.erase(columns_.begin() + at);
    for (auto& row : rows_) row.erase(row.begin() + at);
    return;
  }
}

/// First columns are left out until the rest fits at its least, then the widest gives way.
Table::Fit Table::fit(const Style& style) const {
  const std::size_t count = columns_.size();
  Fit fit{.shown = std::vector<bool>(count, true), .width = std::vector<std::size_t>(count)};
  std::vector<std::size_t> title(count);
  for (std::size_t c = 0; c < count; ++c) {
    title[c] = style.header ? display_width(columns_[c].title) : 0;
    fit.width[c] = title[c];
    for (const auto& row : rows_) fit.width[c] = std::max(fit.width[c], display_width(row[c]));
  }
  if (style.width == 0) return fit;
  const auto least = [&](std::size_t c, std::size_t wish) {
    return columns_[c].cut == Cut::kNever ? fit.width[c]
                                          : std::min(fit.width[c], std::max(title[c], wish));
  };
  const auto total = [&](auto width_of) {
    std::size_t sum = 0;
    for (std::size_t c = 0; c < count; ++c) sum += fit.shown[c] ? width_of(c) + kGap : 0;
    return sum > kGap ? sum - kGap : sum;
  };
  const auto at_least = [&](std::size_t c) { return least(c, columns_[c].least); };
  const auto as_is = [&](std::size_t c) { return fit.width[c]; };
  while (total(at_least) > style.width) {
    std::size_t victim = count;
    for (std::size_t c = 0; c < count; ++c) {
      if (!fit.shown[c] || columns_[c].drop == 0) continue;
      if (victim == count || columns_[c].drop >= columns_[victim].drop) victim = c;
    }
    if (victim == count) break;
    fit.shown[victim] = false;
  }
  // To what each column should keep, and, where the terminal is narrower still, below it.
  for (const bool hard : {false, true}) {
    while (total(as_is) > style.width) {
      std::size_t widest = count;
      for (std::size_t c = 0; c < count; ++c) {
        const std::size_t floor = hard ? least(c, kNarrowest) : at_least(c);
        if (!fit.shown[c] || fit.width[c] <= floor) continue;
        if (widest == count || fit.width[c] > fit.width[widest]) widest = c;
      }
      if (widest == count) break;
      --fit.width[widest];
    }
  }
  return fit;
}

std::string Table::text(const Style& style, std::vector<std::string>* left_out) const {
  const Fit fitted = fit(style);
  for (std::size_t c = 0; left_out != nullptr && c < columns_.size(); ++c) {
    if (!fitted.shown[c]) left_out->push_back(columns_[c].title);
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (!fitted.shown[c]) continue;
      if (!out.empty()) out.append(kGap, ' ');
      out += padded(cut_to(cells[c], fitted.width[c], columns_[c].cut, style.unicode),
                    fitted.width[c], columns_[c].right);
    }
    out.resize(without_trailing_blanks(out));
    return out;
  };
  std::string out;
  if (style.header) {
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    out += style.color ? "\x1b[1m" + line(titles) + "\x1b[0m\n" : line(titles) + "\n";
  }
  for (const auto& row : rows_) out += line(row) + "\n";
  return out;
}

std::string Table::markdown() const {
  std::string out = "|";
  for (const Column& column : columns_) out += " " + escape_markdown(column.title) + " |";
  out += "\n|";
  for (const Column& column : columns_) out += column.right ? " ---: |" : " --- |";
  out += '\n';
  for (const auto& row : rows_) {
    out += '|';
    for (const std::string& cell : row) out += " " + escape_markdown(cell) + " |";
    out += '\n';
  }
  return out;
}

std::string wrap(std::string_view prefix, std::string_view paragraph, std::size_t width,
                 std::size_t indent) {
  std::string out;
  std::string line(prefix);
  bool fresh = true;  // nothing of the paragraph on this line yet
  for (std::string_view word : split(paragraph, ' ')) {
    if (word.empty()) continue;
    const std::size_t with = display_width(line) + (fresh ? 0 : 1) + display_width(word);
    if (!fresh && width > 0 && with > width) {
      out += line + '\n';
      line.assign(indent, ' ');
      fresh = true;
    }
    if (!fresh) line += ' ';
    line += word;
    fresh = false;
  }
  line.resize(without_trailing_blanks(line));
  return out + line;
}

}  // namespace portolan::render
