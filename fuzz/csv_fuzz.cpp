// CSV text: refused with a place, or written and read again as the same table.
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "io/text_formats.hpp"

using namespace portolan;
using namespace portolan::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<CsvTable> table = parse_csv(text, "f");
  if (!table) {
    fuzz::check_refusal(table.error(), true);
    return 0;
  }
  std::string written = csv_line(table->header, false);
  for (const auto& row : table->rows) written += csv_line(row, false);
  const Result<CsvTable> again = parse_csv(written, "f");
  fuzz::require(again.has_value(), "what was written is not read: " + written);
  fuzz::require(again->header == table->header && again->rows == table->rows,
                "what was written differs: " + written);
  for (const auto& row : table->rows) (void)csv_line(row, true);
  return 0;
}
