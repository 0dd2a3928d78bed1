// JSON text: refused with a place, or written and read again as the same value.
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "io/text_formats.hpp"

using namespace portolan;
using namespace portolan::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool python_constants : {false, true}) {
    const TextLimits limits{.python_constants = python_constants};
    const Result<Value> value = parse_json(text, "f", DuplicateKeys::kKeepLast, limits);
    if (!value) {
      fuzz::check_refusal(value.error(), true);
      continue;
    }
    for (const bool indented : {false, true}) {
      const std::string written = write_json(*value, indented);
      const Result<Value> again = parse_json(written, "f", DuplicateKeys::kRefuse);
      fuzz::require(again.has_value(), "what was written is not read: " + written);
      fuzz::require(*again == *value, "what was written differs: " + written);
    }
  }
  // Member by member the same verdict, but for the caps, which then hold for each member.
  std::size_t members = 0;
  const Result<void> streamed =
      each_json_member(text, "f", {}, [&](std::string_view, Value) -> Result<void> {
        ++members;
        return {};
      });
  const Result<Value> whole = parse_json(text, "f", DuplicateKeys::kRefuse);
  if (whole) {
    fuzz::require(streamed.has_value(), "read whole but not member by member");
    const std::size_t count = whole->is_object()  ? whole->object().size()
                              : whole->is_array() ? whole->array().size()
                                                  : 0;
    fuzz::require(count == members, "member by member there are more or fewer");
  }
  return 0;
}
