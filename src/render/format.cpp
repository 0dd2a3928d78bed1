#include "render/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "render/pages.hpp"
#include "render/value_of.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using io::Value;

/// "a.b.c" inside nested objects; nullptr when some step is missing.
const Value* at_path(const Value& value, std::string_view path) {
  const Value* at = &value;
  for (std::string_view step : split(path, '.')) {
    at = at->find(step);
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// The rows of an answer: its list, or its whole result where that is the one row.
std::vector<const Value*> rows_of(const Value& object, std::string_view list_key) {
  const Value* result = object.find("result");
  if (list_key.empty()) return {result};
  std::vector<const Value*> rows;
  for (const Value& row : result->find(list_key)->array()) rows.push_back(&row);
  return rows;
}

std::string cell_text(const Value& value) {
  if (value.is_null()) return "";
  if (value.is_object()) return io::write_json(value, false);
  if (!value.is_array()) return value.scalar_text();
  const bool flat = std::none_of(value.array().begin(), value.array().end(),
                                 [](const Value& v) { return v.is_array() || v.is_object(); });
  if (!flat) return io::write_json(value, false);
  std::string out;
  for (const Value& v : value.array()) out += (out.empty() ? "" : ";") + cell_text(v);
  return out;
}

/// The fields asked for, or all of them.
Result<std::vector<std::string>> chosen_names(const app::Envelope& envelope,
                                              const Options& options) {
  std::vector<std::string> known = row_names(envelope);
  if (options.fields.empty()) return known;
  std::vector<std::string_view> views(known.begin(), known.end());
  for (const std::string& wanted : options.fields) {
    // A name stands for all below it, too.
    const bool found = std::any_of(known.begin(), known.end(), [&](const std::string& name) {
      return name == wanted || name.starts_with(wanted + ".");
    });
    if (found) continue;
    Error error{.code = ErrorCode::kUsage,
                .message = "unknown field " + quoted(wanted),
                .where = {},
                .why = {},
                .hint = did_you_mean(wanted, views),
                .also = {}};
    error.where.argument = "--fields";
    if (error.hint.empty()) error.hint = "--fields help lists them";
    return fail(std::move(error));
  }
  return options.fields;
}

Value picked(const Value& row, const std::vector<std::string>& names) {
  Value out{Value::Object{}};
  for (const std::string& name : names) {
    const Value* value = at_path(row, name);
    out.set(name, value == nullptr ? Value() : *value);
  }
  return out;
}

std::string csv(const std::vector<const Value*>& rows, const std::vector<std::string>& names,
                const Options& options) {
  std::string out;
  if (options.style.header) out += io::csv_line(names, false);
  std::vector<std::string> cells(names.size());
  for (const Value* row : rows) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Value* value = at_path(*row, names[i]);
      cells[i] = value == nullptr ? "" : cell_text(*value);
    }
    out += io::csv_line(cells, !options.csv_raw);
  }
  return out;
}

void write_picked(Page& page, const std::vector<const Value*>& rows,
                  const std::vector<std::string>& names) {
  std::vector<Table::Column> columns;
  for (const std::string& name : names) {
    const bool numeric = std::all_of(rows.begin(), rows.end(), [&](const Value* row) {
      const Value* v = at_path(*row, name);
      return v == nullptr || v->is_null() || v->is_number();
    });
    columns.push_back(numeric ? Table::numbers(name) : Table::names(name, 12));
  }
  Table table(columns);
  for (const Value* row : rows) {
    std::vector<std::string> cells;
    for (const std::string& name : names) {
      const Value* v = at_path(*row, name);
      cells.push_back(v == nullptr || v->is_null() ? kUnknown : cell_text(*v));
    }
    table.add(std::move(cells));
  }
  page.table(table);
}

/// The ids of the rows, one per line: what a shell loop wants.
std::string names_only(const std::vector<const Value*>& rows) {
  std::string out;
  for (const Value* row : rows) {
    const auto text = [&](std::string_view key) -> const std::string* {
      const Value* value = row->find(key);
      if (value != nullptr && value->is_object()) value = value->find("id");
      return value != nullptr && value->is_string() ? &value->string() : nullptr;
    };
    if (const std::string* sku = text("sku")) {
      const std::string* provider = text("provider");
      out += (provider == nullptr ? "" : printable(*provider) + ":") + printable(*sku) + "\n";
      continue;
    }
    for (std::string_view key : {"id", "accelerator", "engine", "model", "group"}) {
      if (const std::string* name = text(key)) {
        out += printable(*name) + "\n";
        break;
      }
    }
  }
  return out;
}

/// First the envelope, then a line per row, then the count: a cut stream shows.
std::string jsonl(const Value& object, const std::vector<const Value*>& rows,
                  const std::vector<std::string>* names) {
  Value head{Value::Object{}};
  for (const auto& [key, member] : object.object()) {
    if (key != "result") head.set(key, member);
  }
  std::string out = io::write_json(head, false) + "\n";
  for (const Value* row : rows) {
    out += io::write_json(names == nullptr ? *row : picked(*row, *names), false) + "\n";
  }
  Value end{Value::Object{}};
  end.set("end", true);
  end.set("count", static_cast<std::int64_t>(rows.size()));
  return out + io::write_json(end, false) + "\n";
}

/// JSON and YAML with --fields: the rows of the result keep only what was asked for.
void pick_in_place(Value& object, std::string_view list_key,
                   const std::vector<std::string>& names) {
  Value::Array rows;
  for (const Value* row : rows_of(object, list_key)) rows.push_back(picked(*row, names));
  for (auto& [key, member] : object.object()) {
    if (key != "result") continue;
    if (list_key.empty()) {
      member = std::move(rows.front());
      return;
    }
    for (auto& [name, list] : member.object()) {
      if (name != list_key) continue;
      list = Value(std::move(rows));
      return;
    }
    return;
  }
}

std::string page_text(const app::Answer& answer, const Options& options) {
  Page page(options);
  std::visit([&](const auto& a) { write_page(page, a, options); }, answer);
  const std::vector<Derivation>& derivations = app::envelope(answer).derivations;
  if (options.explain && !derivations.empty()) write_derivations(page, derivations);
  return page.text();
}

constexpr std::array<std::pair<std::string_view, Format>, 8> kFormats = {{
    {"table", Format::kTable},
    {"wide", Format::kWide},
    {"json", Format::kJson},
    {"jsonl", Format::kJsonl},
    {"csv", Format::kCsv},
    {"yaml", Format::kYaml},
    {"md", Format::kMarkdown},
    {"name", Format::kName},
}};

}  // namespace

Result<Format> parse_format(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
    names.push_back(known);
  }
  Error error{.code = ErrorCode::kUsage,
              .message = "unknown output format " + quoted(name),
              .where = {},
              .why = {},
              .hint = did_you_mean(name, names),
              .also = {}};
  error.where.argument = "--format";
  if (error.hint.empty()) error.hint = "one of: " + joined(names, ", ");
  return fail(std::move(error));
}

Result<std::string> format_answer(const app::Answer& answer, const Options& options) {
  const app::Envelope& envelope = app::envelope(answer);
  const bool for_people = options.format == Format::kTable || options.format == Format::kWide ||
                          options.format == Format::kMarkdown;
  if (for_people && options.fields.empty()) return page_text(answer, options);
  const std::vector<std::string> names = PORTOLAN_TRY(chosen_names(envelope, options));
  Value object = to_value(answer, {.timing = options.timing, .explain = options.explain});
  const std::string_view list_key = items_key(envelope);
  switch (options.format) {
    case Format::kJson:
    case Format::kYaml: {
      if (!options.fields.empty()) pick_in_place(object, list_key, names);
      if (options.format == Format::kYaml) return io::write_yaml(object);
      return io::write_json(object, options.indent_json) + (options.indent_json ? "" : "\n");
    }
    case Format::kJsonl:
      return jsonl(object, rows_of(object, list_key), options.fields.empty() ? nullptr : &names);
    case Format::kCsv:
      return csv(rows_of(object, list_key), names, options);
    case Format::kName:
      return names_only(rows_of(object, list_key));
    default:
      break;
  }
  Page page(options);
  write_picked(page, rows_of(object, list_key), names);
  return page.text();
}

std::string field_names(const app::Answer& answer) {
  std::string out;
  for (const std::string& name : row_names(app::envelope(answer))) out += name + "\n";
  return out;
}

}  // namespace portolan::render
