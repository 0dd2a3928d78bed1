// Asking the verbs as the faces do, and reading figures out of the answers by name.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "app/execute.hpp"
#include "io/value.hpp"
#include "render/value_of.hpp"

namespace portolan::testing {

inline const app::Context& context() {
  static const app::Context kContext = app::Context::open({}).value();
  return kContext;
}

/// {{"model", "gpt3-175b"}, {"tokens", 1024}} as the request object of a verb.
inline io::Value request(std::initializer_list<std::pair<const char*, io::Value>> members) {
  io::Value out{io::Value::Object{}};
  for (const auto& [key, value] : members) out.set(key, value);
  return out;
}

/// A refusal is a failed test and throws: there is nothing to look at then.
inline app::Answer ask(std::string_view verb, const io::Value& asked,
                       const app::Context& where = context()) {
  auto answer = app::execute(verb, asked, where);
  if (!answer) throw std::runtime_error(format_error(answer.error()));
  return std::move(*answer);
}

inline Error refusal(std::string_view verb, const io::Value& asked) {
  auto answer = app::execute(verb, asked, context());
  if (!answer) return answer.error();
  ADD_FAILURE() << verb << " answered";
  return {};
}

/// The JSON object of an answer, without timing fields.
inline io::Value object(std::string_view verb, const io::Value& asked,
                        const app::Context& where = context(), bool explain = false) {
  return render::to_value(ask(verb, asked, where), {.timing = false, .explain = explain});
}

/// "result.memory.kv_bytes", "result.plans.0.rank"; throws when there is no such member.
inline const io::Value& at(const io::Value& value, std::string_view path) {
  const io::Value* here = &value;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    const std::string step(path.substr(from, dot - from));
    const bool index = here->is_array() && !step.empty() &&
                       step.find_first_not_of("0123456789") == std::string::npos;
    const io::Value* next = nullptr;
    if (index && std::stoul(step) < here->array().size()) next = &here->array()[std::stoul(step)];
    if (!index) next = here->find(step);
    if (next == nullptr) throw std::runtime_error("no " + std::string(path));
    here = next;
    from = dot + 1;
  }
  return *here;
}

inline double number(const io::Value& value, std::string_view path) {
  const io::Value& found = at(value, path);
  if (!found.is_number()) throw std::runtime_error(std::string(path) + " is no number");
  return found.number();
}

inline std::string text(const io::Value& value, std::string_view path) {
  const io::Value& found = at(value, path);
  return found.is_null() ? "null" : found.scalar_text();
}

/// Equal within a relative tolerance.
inline ::testing::AssertionResult near(double value, double expected, double tolerance) {
  const double off = expected == 0 ? value : value / expected - 1;
  if (std::abs(off) <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << value << " is off " << expected << " by " << off << ", allowed " << tolerance;
}

inline constexpr double kExact = 1e-9;

}  // namespace portolan::testing
