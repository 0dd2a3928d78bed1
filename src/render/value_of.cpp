#include "render/value_of.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/registry.hpp"
#include "base/text.hpp"
#include "render/values.hpp"

namespace portolan::render {

using io::Value;

Value whole(double value) {
  if (std::isfinite(value) && std::abs(value) < 9007199254740992.0 && value == std::floor(value)) {
    return Value(static_cast<std::int64_t>(value));
  }
  return Value(value);
}

Value money(const std::optional<Money>& amount) {
  return amount ? Value::number_text(amount->text()) : Value();
}

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

Value date_or_null(const std::optional<Date>& date) { return date ? Value(date->text()) : Value(); }

Value usd(double dollars) {
  const auto exact = to_money(Usd(dollars));
  return exact ? Value::number_text(exact->text()) : Value(dollars);
}

Value strings(const std::vector<std::string>& list) {
  Value::Array array;
  for (const std::string& text : list) array.emplace_back(text);
  return Value(std::move(array));
}

Value count(std::size_t n) { return Value(static_cast<std::int64_t>(n)); }

Value usd(const std::optional<double>& dollars) { return dollars ? usd(*dollars) : Value(); }

namespace {

Value assumptions(const app::Envelope& envelope) {
  Value::Array array;
  for (const app::Assumption& a : envelope.assumptions) {
    Value object{Value::Object{}};
    object.set("key", a.key);
    object.set("value", a.value);
    object.set("origin", a.origin);
    object.set("flag", text_or_null(a.flag));
    object.set("source", text_or_null(a.source));
    array.push_back(std::move(object));
  }
  return Value(std::move(array));
}

Value sources(const app::Envelope& envelope) {
  Value::Array array;
  for (const app::Source& s : envelope.sources) {
    Value object{Value::Object{}};
    object.set("id", s.id);
    object.set("what", s.what);
    object.set("reference", text_or_null(s.reference));
    object.set("date", text_or_null(s.date));
    array.push_back(std::move(object));
  }
  return Value(std::move(array));
}

std::vector<FieldInfo> fields_of(std::string_view verb) {
  if (verb == "estimate") return estimate_fields();
  if (verb == "plan") return plan_fields();
  if (verb == "offers") return offers_fields();
  if (verb == "gpus") return gpus_fields();
  if (verb == "models") return models_fields();
  if (verb == "providers") return providers_fields();
  if (verb == "calibrate") return calibrate_fields();
  if (verb == "simulate") return simulate_fields();
  return validate_fields();
}

std::string_view json_type(JsonType type) {
  switch (type) {
    case JsonType::kString:
      return "string";
    case JsonType::kNumber:
      return "number";
    case JsonType::kInteger:
      return "integer";
    case JsonType::kBoolean:
      return "boolean";
    case JsonType::kArray:
    case JsonType::kStrings:
      return "array";
    case JsonType::kObject:
      return "object";
    case JsonType::kAny:
      break;
  }
  return "string";
}

Value object_schema(const std::vector<FieldInfo>& fields);

Value schema_of(const FieldInfo& field) {
  Value out{Value::Object{}};
  if (field.type == JsonType::kAny) {
    // any type: no "type" member
  } else if (field.nullable) {
    out.set("type", Value(Value::Array{Value(json_type(field.type)), Value("null")}));
  } else {
    out.set("type", json_type(field.type));
  }
  if (!field.description.empty()) out.set("description", field.description);
  if (field.type == JsonType::kStrings) {
    Value item{Value::Object{}};
    item.set("type", "string");
    out.set("items", std::move(item));
  }
  if (!field.children.empty()) {
    Value inner = object_schema(field.children);
    if (field.type == JsonType::kArray) {
      out.set("items", std::move(inner));
    } else {
      for (auto& [key, member] : inner.object()) {
        if (key != "type") out.set(key, std::move(member));
      }
    }
  }
  return out;
}

Value object_schema(const std::vector<FieldInfo>& fields) {
  Value properties{Value::Object{}};
  Value::Array required;
  for (const FieldInfo& field : fields) {
    properties.set(std::string(field.name), schema_of(field));
    if (!field.optional) required.emplace_back(field.name);
  }
  Value out{Value::Object{}};
  out.set("type", "object");
  out.set("properties", std::move(properties));
  out.set("required", Value(std::move(required)));
  return out;
}

std::vector<FieldInfo> assumption_fields() {
  return {{"key", JsonType::kString, "what is assumed, unit last"},
          {"value", JsonType::kAny, "its value: text, number, boolean or null", true},
          {"origin", JsonType::kString, "default, flag, job or derived"},
          {"flag", JsonType::kString, "what changes it", true},
          {"source", JsonType::kString, "where the default comes from", true}};
}

std::vector<FieldInfo> derivation_fields() {
  return {{"name", JsonType::kString, "the figure"},
          {"value", JsonType::kNumber, "in `unit`", true},
          {"unit", JsonType::kString, "of the value", true},
          {"formula", JsonType::kString, "with symbols", true},
          {"substituted", JsonType::kString, "with the numbers put in", true},
          {"source", JsonType::kString, "where an input came from", true},
          {"date", JsonType::kString, "of the source", true},
          {"kind", JsonType::kString, "measured, estimate, opinion, fact or assumption", true},
          {"note", JsonType::kString, "what to keep in mind", true},
          {"inputs", JsonType::kArray, "derivations of what went in"}};
}

std::vector<FieldInfo> source_fields() {
  return {{"id", JsonType::kString, "figures refer to it"},
          {"what", JsonType::kString, "what was taken from it"},
          {"reference", JsonType::kString, "who says so", true},
          {"date", JsonType::kString, "as of", true}};
}

}  // namespace

bool asks_for(const app::Envelope& envelope, std::string_view flag) {
  const Value* value = envelope.request.find(flag);
  return value != nullptr && value->is_bool() && value->boolean();
}

namespace {
bool is_article(const app::Envelope& envelope) {
  const Value* set = envelope.request.find("set");
  if (envelope.command != "validate" || set == nullptr) return false;
  const Value& one = set->is_array() && set->array().size() == 1 ? set->array().front() : *set;
  return one.is_string() && one.string() == "article";
}
}  // namespace

std::string_view items_key(const app::Envelope& envelope) {
  // A verb whose flag asks for another list answers with that one.
  struct Row {
    std::string_view verb, key, flag, instead;
  };
  static constexpr std::array<Row, 7> kRows = {{{"plan", "plans", {}, {}},
                                                {"offers", "offers", "stats", "spread"},
                                                {"gpus", "gpus", {}, {}},
                                                {"models", "models", "prices", "prices"},
                                                {"providers", "providers", "engines", "engines"},
                                                {"calibrate", "curves", {}, {}},
                                                {"validate", "groups", "errata", "errata"}}};
  if (is_article(envelope) && !asks_for(envelope, "errata")) return "goldens";
  for (const Row& row : kRows) {
    if (row.verb != envelope.command) continue;
    return !row.flag.empty() && asks_for(envelope, row.flag) ? row.instead : row.key;
  }
  return "";
}

namespace {
void add_names(const std::vector<FieldInfo>& fields, const std::string& prefix,
               std::vector<std::string>& out) {
  for (const FieldInfo& field : fields) {
    const std::string name = prefix + std::string(field.name);
    if (field.type == JsonType::kObject && !field.children.empty()) {
      add_names(field.children, name + ".", out);
    } else {
      out.push_back(name);
    }
  }
}
}  // namespace

std::vector<std::string> row_names(const app::Envelope& envelope) {
  const std::string_view key = items_key(envelope);
  std::vector<std::string> out;
  const std::vector<FieldInfo> fields = fields_of(envelope.command);
  if (key.empty()) {
    add_names(fields, "", out);
    return out;
  }
  const auto list = std::find_if(fields.begin(), fields.end(),
                                 [&](const FieldInfo& field) { return field.name == key; });
  if (list != fields.end()) add_names(list->children, "", out);
  return out;
}

Value to_value(const Derivation& d) {
  Value out{Value::Object{}};
  out.set("name", d.name);
  out.set("value", d.value);
  out.set("unit", text_or_null(d.unit));
  out.set("formula", text_or_null(d.formula));
  out.set("substituted", text_or_null(d.substituted));
  out.set("source", text_or_null(d.source));
  out.set("date", text_or_null(d.date));
  out.set("kind", text_or_null(d.kind));
  out.set("note", text_or_null(d.note));
  Value::Array inputs;
  for (const Derivation& input : d.inputs) inputs.push_back(to_value(input));
  out.set("inputs", Value(std::move(inputs)));
  return out;
}

Value to_value(const app::Answer& answer, const ValueOptions& options) {
  const app::Envelope& envelope = app::envelope(answer);
  Value out{Value::Object{}};
  out.set("schema_version", kSchemaVersion);
  out.set("command", envelope.command);
  Value catalogue{Value::Object{}};
  catalogue.set("date", date_or_null(envelope.catalogue_date));
  catalogue.set("oldest_price_date", date_or_null(envelope.oldest_price_date));
  out.set("catalogue", std::move(catalogue));
  out.set("request", envelope.request);
  std::visit(
      [&](const auto& a) {
        if constexpr (requires { result_of(a, true); }) {
          out.set("result", result_of(a, options.timing));
        } else {
          out.set("result", result_of(a));
        }
      },
      answer);
  const auto* planned = std::get_if<app::PlanAnswer>(&answer);
  const auto* validated = std::get_if<app::ValidateAnswer>(&answer);
  const std::optional<Error>* policy = planned != nullptr     ? &planned->policy
                                       : validated != nullptr ? &validated->policy
                                                              : nullptr;
  if (policy != nullptr && *policy) {
    Value object{Value::Object{}};
    object.set("passed", false);
    object.set("message", (*policy)->message);
    out.set("policy", std::move(object));
  }
  out.set("assumptions", assumptions(envelope));
  out.set("sources", sources(envelope));
  out.set("warnings", strings(envelope.warnings));
  if (options.explain) {
    Value::Array derivations;
    for (const Derivation& d : envelope.derivations) derivations.push_back(to_value(d));
    out.set("derivations", Value(std::move(derivations)));
  }
  return out;
}

namespace {
Value where_value(const Where& where) {
  if (where.empty()) return {};
  Value out{Value::Object{}};
  if (!where.file.empty()) out.set("file", where.file);
  if (where.line > 0) out.set("line", static_cast<std::int64_t>(where.line));
  if (where.column > 0) out.set("column", static_cast<std::int64_t>(where.column));
  if (!where.pointer.empty()) out.set("pointer", where.pointer);
  if (!where.argument.empty()) out.set("argument", where.argument);
  if (!where.offset.empty()) out.set("offset", where.offset);
  return out;
}
}  // namespace

Value to_value(const Error& error) {
  Value out{Value::Object{}};
  out.set("code", code_name(error.code));
  out.set("message", error.message);
  out.set("where", where_value(error.where));
  out.set("hint", error.hint.empty() ? text_or_null(error.why) : Value(error.hint));
  if (!error.why.empty()) out.set("why", error.why);
  if (!error.also.empty()) {
    Value::Array errors;
    for (const Error& e : error.also) errors.push_back(to_value(e));
    out.set("errors", Value(std::move(errors)));
  }
  return out;
}

Value schema(std::string_view verb) {
  if (app::find_verb(verb) == nullptr) return {};
  std::vector<FieldInfo> top = {
      {"schema_version", JsonType::kString, "major.minor; within a major only additions"},
      {"command", JsonType::kString, "the verb"},
      {"catalogue",
       JsonType::kObject,
       "which prices",
       false,
       {{"date", JsonType::kString, "newest observation", true},
        {"oldest_price_date", JsonType::kString, "of the prices used", true}}},
      {"request", JsonType::kObject, "what was asked, defaults filled in"},
      {"result", JsonType::kObject, "the answer", false, fields_of(verb)},
      {"policy",
       JsonType::kObject,
       "when a threshold of the user is exceeded",
       false,
       {{"passed", JsonType::kBoolean, "false"}, {"message", JsonType::kString, "which threshold"}},
       true},
      {"assumptions", JsonType::kArray, "what the answer rests on and how to change it", false,
       assumption_fields()},
      {"sources", JsonType::kArray, "who said so, and when", false, source_fields()},
      {"warnings", JsonType::kStrings, "what a reader must know"},
      {"derivations", JsonType::kArray, "with --explain: how the headline figures come about",
       false, derivation_fields(), true},
  };
  Value out = object_schema(top);
  Value schema{Value::Object{}};
  schema.set("$schema", "https://json-schema.org/draft/2020-12/schema");
  schema.set("title", fmt::format("portolan {}", verb));
  for (auto& [key, member] : out.object()) schema.set(key, std::move(member));
  return schema;
}

}  // namespace portolan::render
