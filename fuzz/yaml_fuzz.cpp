// YAML text: refused with a place, or written as YAML and as JSON and read again as the same value.
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "io/text_formats.hpp"

using namespace portolan;
using namespace portolan::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Value> value = parse_yaml(text, "f");
  if (!value) {
    fuzz::check_refusal(value.error(), true);
    return 0;
  }
  const std::string yaml = write_yaml(*value);
  const Result<Value> again = parse_yaml(yaml, "f");
  fuzz::require(again.has_value(), "what was written is not read: " + yaml);
  fuzz::require(*again == *value, "what was written differs: " + yaml);
  const std::string json = write_json(*value, false);
  fuzz::require(parse_json(json, "f", DuplicateKeys::kRefuse).has_value(),
                "what was written is no JSON: " + json);
  return 0;
}
