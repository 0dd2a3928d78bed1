// The catalogue of named models that the binary carries.
#pragma once

#include <string_view>

namespace portolan::model {

/// The text of data/models.jsonl: one JSON object per line.
std::string_view embedded_models();

}  // namespace portolan::model
