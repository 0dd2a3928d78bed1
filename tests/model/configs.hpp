// Reading configs and named models in tests.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "model/count.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan::model {

inline std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(part);
  return text;
}

inline Architecture read(std::string_view json) {
  auto architecture = read_config_text(json, "config.json");
  EXPECT_TRUE(architecture.has_value()) << (architecture ? "" : format_error(architecture.error()));
  return architecture ? *std::move(architecture) : Architecture{};
}

/// The refusal of a config: its first message, or "accepted".
inline std::string refusal(std::string_view json) {
  const auto architecture = read_config_text(json, "config.json");
  if (architecture) return "accepted";
  const Error& error = architecture.error();
  const Error& first = error.also.empty() ? error : error.also.front();
  return std::string(code_name(first.code)) + ": " + first.message;
}

inline const Library& library() {
  static const Library opened = *Library::open(embedded_models());
  return opened;
}

inline Architecture named(std::string_view name) {
  auto model = library().named(name);
  EXPECT_TRUE(model.has_value()) << name << ": " << (model ? "" : format_error(model.error()));
  return model ? std::move(model->architecture) : Architecture{};
}

inline double gib(Bytes bytes) { return bytes.in(kGiB); }

}  // namespace portolan::model
