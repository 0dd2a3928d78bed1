// Any bytes as a user's table of offers: an error or rows, and gates that keep every row.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "market/catalogue.hpp"
#include "market/tables.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  static const std::shared_ptr<const market::Catalogue> kCatalogue = *market::Catalogue::embedded();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto rows = market::read_offers(text, "fuzz.csv", kCatalogue->accelerators(), "fuzz.csv");
  if (!rows) {
    PORTOLAN_CHECK(!rows.error().message.empty());
    return 0;
  }
  const std::size_t before = rows->size();
  const market::GateCounts counts =
      market::apply_gates(*rows, kCatalogue->accelerators(), {}, kCatalogue->sources());
  const auto twins = counts.find("V14");
  PORTOLAN_CHECK(rows->size() + (twins == counts.end() ? 0 : twins->second) == before);
  for (const market::GateRow& row : *rows) {
    PORTOLAN_CHECK((row.offer.standing == market::Standing::kAccepted) == row.offer.gate.empty());
  }
  return 0;
}
