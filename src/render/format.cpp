#include "render/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "render/value_of.hpp"

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

/// Leaves of an object in order as dotted names; arrays are leaves.
void flatten(const Value& value, const std::string& prefix, std::vector<std::string>& out) {
  if (!value.is_object() || value.object().empty()) {
    if (std::find(out.begin(), out.end(), prefix) == out.end()) out.push_back(prefix);
    return;
  }
  for (const auto& [key, member] : value.object()) flatten(member, prefix.empty() ? key : prefix + "." + key, out);
}

std::vector<const Value*> items_of(const Value& object, std::string_view verb) {
  const Value* result = object.find("result");
  std::vector<const Value*> out;
  if (result == nullptr) return out;
  const std::string_view key = items_key(verb);
  const Value* list = key.empty() ? nullptr : result->find(key);
  // --stats, --engines and --prices answer with another list; the first one stays empty then.
  for (std::string_view other : {"spread", "engines", "prices"}) {
    if (list == nullptr || !list->is_array() || !list->array().empty()) break;
    if (const Value* instead = result->find(other)) list = instead;
  }
  if (list != nullptr && list->is_array()) {
    for (const Value& item : list->array()) out.push_back(&item);
  } else if (key.empty()) {
    out.push_back(result);
  }
  return out;
}

std::vector<std::string> names_of(const std::vector<const Value*>& items) {
  std::vector<std::string> names;
  for (const Value* item : items) flatten(*item, "", names);
  // An object that is null in one item and filled in another would appear as both: the deeper names win.
  std::erase_if(names, [&](const std::string& name) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& o) { return o.starts_with(name + "."); });
  });
  return names;
}

std::string cell_text(const Value& value) {
  if (value.is_null()) return "";
  if (value.is_array() || value.is_object()) {
    if (value.is_array() && std::all_of(value.array().begin(), value.array().end(),
                                        [](const Value& v) { return !v.is_array() && !v.is_object(); })) {
      std::string out;
      for (const Value& v : value.array()) out += (out.empty() ? "" : ";") + cell_text(v);
      return out;
    }
    return io::write_json(value, false);
  }
  return value.scalar_text();
}

Result<std::vector<std::string>> chosen_names(const std::vector<const Value*>& items, const Options& options) {
  std::vector<std::string> names = names_of(items);
  if (options.fields.empty()) return names;
  std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string& wanted : options.fields) {
    const bool found = items.empty() || std::any_of(items.begin(), items.end(), [&](const Value* v) { return at_path(*v, wanted); });
    if (!found) {
      Error error{.code = ErrorCode::kUsage, .message = fmt::format("unknown field {}", quoted(wanted)), .where = {}, .why = {},
                  .hint = did_you_mean(wanted, known), .also = {}};
      error.where.argument = "--fields";
      if (error.hint.empty()) error.hint = "--fields help lists them";
      return fail(std::move(error));
    }
  }
  return options.fields;
}

Value picked(const Value& item, const std::vector<std::string>& names) {
  Value out{Value::Object{}};
  for (const std::string& name : names) {
    const Value* value = at_path(item, name);
    out.set(name, value == nullptr ? Value() : *value);
  }
  return out;
}

Result<std::string> csv(const std::vector<const Value*>& items, const Options& options) {
  const std::vector<std::string> names = PORTOLAN_TRY(chosen_names(items, options));
  std::string out;
  if (options.style.header) out += io::csv_line(names, false);
  for (const Value* item : items) {
    std::vector<std::string> cells;
    for (const std::string& name : names) {
      const Value* value = at_path(*item, name);
      cells.push_back(value == nullptr ? "" : cell_text(*value));
    }
    out += io::csv_line(cells, !options.csv_raw);
  }
  return out;
}

Result<std::string> picked_table(const std::vector<const Value*>& items, const Options& options) {
  const std::vector<std::string> names = PORTOLAN_TRY(chosen_names(items, options));
  std::vector<Table::Column> columns;
  for (const std::string& name : names) {
    const bool numeric = std::all_of(items.begin(), items.end(), [&](const Value* item) {
      const Value* v = at_path(*item, name);
      return v == nullptr || v->is_null() || v->is_number();
    });
    columns.push_back({name, numeric, 12, false});
  }
  Table table(columns);
  for (const Value* item : items) {
    std::vector<std::string> cells;
    for (const std::string& name : names) {
      const Value* v = at_path(*item, name);
      cells.push_back(v == nullptr || v->is_null() ? "–" : printable(cell_text(*v)));
    }
    table.add(std::move(cells));
  }
  if (options.format == Format::kMarkdown) return table.markdown();
  Style style = options.style;
  if (options.format == Format::kWide) style.width = 0;
  return table.text(style);
}

/// The ids of items, one per line: what a shell loop wants.
std::string names_only(const std::vector<const Value*>& items, std::string_view verb) {
  std::string out;
  for (const Value* item : items) {
    for (std::string_view key : {"id", "sku", "provider", "model"}) {
      const Value* value = item->find(key);
      if (value == nullptr) continue;
      if (value->is_object()) value = value->find("id");
      if (value == nullptr || !value->is_string()) continue;
      if (key == "sku") {
        const Value* provider = item->find("provider");
        if (provider != nullptr && provider->is_string()) out += printable(provider->string()) + ":";
      }
      out += printable(value->string()) + "\n";
      break;
    }
  }
  (void)verb;
  return out;
}

std::string jsonl(const Value& object, const std::vector<const Value*>& items, const std::vector<std::string>* names) {
  Value head{Value::Object{}};
  for (const auto& [key, member] : object.object()) {
    if (key != "result") head.set(key, member);
  }
  std::string out = io::write_json(head, false) + "\n";
  for (const Value* item : items) out += io::write_json(names == nullptr ? *item : picked(*item, *names), false) + "\n";
  Value end{Value::Object{}};
  end.set("end", true);
  end.set("count", static_cast<std::int64_t>(items.size()));
  return out + io::write_json(end, false) + "\n";
}

}  // namespace

Result<Format> parse_format(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Format>, 8> kFormats = {{
      {"table", Format::kTable}, {"wide", Format::kWide}, {"json", Format::kJson}, {"jsonl", Format::kJsonl},
      {"csv", Format::kCsv}, {"yaml", Format::kYaml}, {"md", Format::kMarkdown}, {"name", Format::kName},
  }};
  std::vector<std::string_view> names;
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
    names.push_back(known);
  }
  Error error{.code = ErrorCode::kUsage, .message = fmt::format("unknown output format {}", quoted(name)), .where = {}, .why = {},
              .hint = did_you_mean(name, names), .also = {}};
  error.where.argument = "--format";
  if (error.hint.empty()) error.hint = "one of: table, wide, json, jsonl, csv, yaml, md, name";
  return fail(std::move(error));
}

Result<std::string> format_answer(const app::Answer& answer, const Options& options) {
  const std::string& verb = app::envelope(answer).command;
  const bool for_people = options.format == Format::kTable || options.format == Format::kWide || options.format == Format::kMarkdown;
  if (for_people && options.fields.empty()) {
    std::string text = table_text(answer, options);
    if (options.explain && !app::envelope(answer).derivations.empty()) {
      text += "\n" + explain_text(app::envelope(answer).derivations, options.style);
    }
    return options.style.unicode ? text : to_ascii(text);
  }
  Value object = to_value(answer, {.timing = options.timing, .explain = options.explain});
  const std::vector<const Value*> items = items_of(object, verb);
  switch (options.format) {
    case Format::kJson:
    case Format::kYaml: {
      if (!options.fields.empty()) {
        const std::vector<std::string> names = PORTOLAN_TRY(chosen_names(items, options));
        Value::Array rows;
        for (const Value* item : items) rows.push_back(picked(*item, names));
        Value& result = *const_cast<Value*>(object.find("result"));  // NOLINT: object is ours and not const
        if (items_key(verb).empty()) {
          Value only = rows.empty() ? Value(Value::Object{}) : rows.front();
          result = std::move(only);
        } else {
          *const_cast<Value*>(result.find(items_key(verb))) = Value(std::move(rows));  // NOLINT: as above
        }
      }
      if (options.format == Format::kYaml) return io::write_yaml(object);
      std::string text = io::write_json(object, options.indent_json);
      if (!options.indent_json) text += '\n';
      return text;
    }
    case Format::kJsonl: {
      if (options.fields.empty()) return jsonl(object, items, nullptr);
      const std::vector<std::string> names = PORTOLAN_TRY(chosen_names(items, options));
      return jsonl(object, items, &names);
    }
    case Format::kCsv: return csv(items, options);
    case Format::kName: return names_only(items, verb);
    default: return picked_table(items, options);
  }
}

std::string field_names(const app::Answer& answer) {
  const Value object = to_value(answer, {});
  std::string out;
  for (const std::string& name : names_of(items_of(object, app::envelope(answer).command))) out += name + "\n";
  return out;
}

}  // namespace portolan::render
