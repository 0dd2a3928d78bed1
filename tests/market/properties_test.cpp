// Laws of the market: the order of rows does not matter, gates only ever set aside, sorting is
// total.
#include <rapidcheck.h>

#include "fixture.hpp"
#include "market/query.hpp"

namespace portolan::market {
namespace {

std::vector<GateRow> shipped_rows() {
  static const std::vector<GateRow> kRows = [] {
    auto rows = read_offers(*table_text("offers.csv"), "offers.csv", embedded().accelerators(), "");
    EXPECT_TRUE(rows) << (rows ? "" : format_error(rows.error()));
    return *std::move(rows);
  }();
  return kRows;
}

// Everything the gates decide, row by row.
std::string decided(std::vector<GateRow> rows) {
  const GateCounts counts =
      apply_gates(rows, embedded().accelerators(), built().interconnects, built().sources);
  std::string text;
  for (const auto& [gate, count] : counts) text += gate + " " + std::to_string(count) + "\n";
  for (const GateRow& r : rows) {
    const Offer& o = r.offer;
    text += o.provider + "|" + o.upstream + "|" + o.sku + "|" + o.region + "|" + o.zone + "|" +
            o.zone_id + "|" + (o.accelerator != nullptr ? o.accelerator->id : "") + "|" +
            std::to_string(o.count) + "|" + std::string(purchase_name(o.purchase)) + "|" +
            o.usd_per_hour.value_or(Money()).text() + "|" + o.gate;
    for (const std::string& flag : o.flags) text += ";" + flag;
    text += "\n";
  }
  return text;
}

TEST(MarketLaws, PermutingTheOffersChangesNothing) {
  const std::string straight = decided(shipped_rows());
  EXPECT_TRUE(rc::check("permuted rows give the same decisions in the same order", [&] {
    std::vector<GateRow> rows = shipped_rows();
    const std::size_t turn = *rc::gen::inRange<std::size_t>(0, rows.size());
    std::ranges::rotate(rows, rows.begin() + static_cast<std::ptrdiff_t>(turn));
    for (int i = 0; i < 200; ++i) {
      std::swap(rows[*rc::gen::inRange<std::size_t>(0, rows.size())],
                rows[*rc::gen::inRange<std::size_t>(0, rows.size())]);
    }
    RC_ASSERT(decided(std::move(rows)) == straight);
  }));
}

rc::Gen<GateRow> arbitrary_row() {
  return rc::gen::exec([] {
    const auto purchase = *rc::gen::element(Purchase::kOnDemand, Purchase::kSpot);
    const std::string price =
        std::to_string(*rc::gen::inRange(0, 400)) + "." + std::to_string(*rc::gen::inRange(0, 10));
    GateRow out = row(*rc::gen::element<std::string>("a", "b", "c"),
                      *rc::gen::element<std::string>("eu", "us", ""),
                      *rc::gen::element<std::string>("t4", "h100-sxm-80gb", "l4"),
                      *rc::gen::element(0.0, 1.0, 8.0), price, purchase);
    out.scope = *rc::gen::element(Scope::kInstance, Scope::kComposed, Scope::kGpuComponent);
    return out;
  });
}

TEST(MarketLaws, GatesNeverInventAndNeverForget) {
  EXPECT_TRUE(rc::check("every row survives but for identical twins", [] {
    std::vector<GateRow> rows = *rc::gen::container<std::vector<GateRow>>(arbitrary_row());
    const std::size_t before = rows.size();
    const GateCounts counts = gate(rows);
    RC_ASSERT(rows.size() + gate_count(counts, "V14") == before);
    for (const GateRow& r : rows) {
      const Offer& o = r.offer;
      RC_ASSERT((o.standing == Standing::kAccepted) == o.gate.empty());
      RC_ASSERT(std::ranges::is_sorted(o.flags));
      if (o.standing == Standing::kAccepted) {
        RC_ASSERT(o.usd_per_hour.has_value());
        RC_ASSERT(o.usd_per_hour->nano() > 0);
        RC_ASSERT(o.count > 0);
        RC_ASSERT(!o.region.empty());
      }
    }
  }));
}

TEST(MarketLaws, AFilterOnlyTakesAway) {
  const std::vector<std::string> gpus{"H100", "A100:80GB", "8", "24GB..", "amd", "rtx*"};
  EXPECT_TRUE(rc::check("a narrower query returns a subset in the same order", [&] {
    OfferQuery wide;
    wide.sort = *rc::gen::element(OfferSort::kPrice, OfferSort::kGpuPrice, OfferSort::kAge);
    OfferQuery narrow = wide;
    narrow.gpu = *parse_gpu_filter(*rc::gen::elementOf(gpus), embedded().accelerators());
    if (*rc::gen::arbitrary<bool>()) narrow.purchase = {Purchase::kSpot};
    if (*rc::gen::arbitrary<bool>()) narrow.regions = {"*west*"};
    const OfferSelection all = select_offers(embedded(), wide);
    const OfferSelection some = select_offers(embedded(), narrow);
    std::size_t at = 0;
    for (const Offer* offer : all.offers) {
      if (at < some.offers.size() && some.offers[at] == offer) ++at;
    }
    RC_ASSERT(at == some.offers.size());
  }));
}

TEST(MarketLaws, AnyTextIsAFilterOrAnError) {
  EXPECT_TRUE(rc::check("the grammar never crashes and errors carry a message", [] {
    const std::string text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ah1048:,.GBi*-_ nvda%")));
    const Result<GpuFilter> parsed = parse_gpu_filter(text, embedded().accelerators());
    const bool good = parsed.has_value();
    RC_ASSERT((good ? std::string("fine") : parsed.error().message) != "");
  }));
}

}  // namespace
}  // namespace portolan::market
