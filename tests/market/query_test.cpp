#include "market/query.hpp"

#include "fixture.hpp"

namespace portolan::market {
namespace {

GpuFilter filter(std::string_view text) {
  const Result<GpuFilter> parsed = parse_gpu_filter(text, embedded().accelerators());
  EXPECT_TRUE(parsed) << (parsed ? "" : format_error(parsed.error()));
  return parsed.value_or(GpuFilter());
}

std::string refused(std::string_view text) {
  const Result<GpuFilter> parsed = parse_gpu_filter(text, embedded().accelerators());
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : format_error(parsed.error());
}

using Ids = std::vector<std::string>;

// experience.md §9.
TEST(GpuGrammar, WhatEachShapeMeans) {
  EXPECT_EQ(filter("8").count_low, 8);
  EXPECT_EQ(filter("8").count_high, 8);
  EXPECT_TRUE(filter("8").accelerator_ids.empty());

  EXPECT_EQ(filter("h100-sxm:8").accelerator_ids, Ids{"h100-sxm-80gb"});
  EXPECT_EQ(filter("8:h100-sxm").count_low, 8);  // any order

  const GpuFilter range = filter("nvidia:A100:80GB:1..8");
  EXPECT_EQ(range.vendor, "nvidia");
  EXPECT_EQ(range.memory_low->raw(), 80e9);
  EXPECT_EQ(range.memory_high->raw(), 80e9);
  EXPECT_EQ(range.count_low, 1);
  EXPECT_EQ(range.count_high, 8);
  EXPECT_TRUE(range.matches(*embedded().accelerators().by_id("a100-sxm-80gb")));
  EXPECT_TRUE(range.matches(*embedded().accelerators().by_id("a100-pcie-80gb")));
  EXPECT_FALSE(range.matches(*embedded().accelerators().by_id("a100-sxm-40gb")));

  EXPECT_EQ(filter("24GB..").memory_low->raw(), 24e9);
  EXPECT_FALSE(filter("24GB..").memory_high);
  EXPECT_EQ(filter("..24gb").memory_high->raw(), 24e9);
  EXPECT_EQ(filter("A100,H100:40GB..80GB").accelerator_ids.size(), 7u);
  EXPECT_EQ(filter("mi300x").accelerator_ids, Ids{"mi300x-192gb"});
  EXPECT_EQ(filter("tpu").vendor, "google");
  EXPECT_EQ(filter("b*").accelerator_ids, (Ids{"arc-pro-b60", "b200-sxm-180gb", "b300-sxm-288gb"}));
  EXPECT_EQ(filter("4090").accelerator_ids, Ids{"rtx-4090"});
  EXPECT_TRUE(filter("").accelerator_ids.empty());
  EXPECT_EQ(filter("2..").count_low, 2);
  EXPECT_FALSE(filter("2..").count_high);
}

TEST(GpuGrammar, AnImplausibleNumberIsTakenAndHinted) {
  const GpuFilter forty = filter("A100:40");
  EXPECT_EQ(forty.count_low, 40);
  ASSERT_FALSE(forty.notes.empty());
  EXPECT_NE(forty.notes.back().find("40GB"), std::string::npos);
  EXPECT_EQ(filter("A100:8").notes.size(), 1u);  // only which parts the name means
}

TEST(GpuGrammar, Errors) {
  EXPECT_NE(refused("A100::8").find("empty part"), std::string::npos);
  EXPECT_NE(refused("A100:80GB:40GB").find("twice"), std::string::npos);
  EXPECT_NE(refused("8..4").find("empty"), std::string::npos);
  EXPECT_NE(refused("80GB..40GB").find("empty"), std::string::npos);
  EXPECT_NE(refused("A100:80G").find("80GiB"), std::string::npos);
  EXPECT_NE(refused("h100-sxn").find("h100-sxm"), std::string::npos);
  EXPECT_NE(refused("zz*").find("no accelerator begins"), std::string::npos);
  EXPECT_NE(refused("0").find("less than 1"), std::string::npos);
  EXPECT_NE(refused("A100,,H100").find("empty name"), std::string::npos);
  refused(":");
  refused("nvidia:amd");
}

TEST(Select, CheapestFirstAndNothingDoubtful) {
  OfferQuery query;
  query.gpu = filter("H100:8");
  query.sort = OfferSort::kGpuPrice;
  const OfferSelection h100 = select_offers(embedded(), query);
  EXPECT_EQ(h100.matched, h100.offers.size());
  EXPECT_GT(h100.quarantined, 0u);
  ASSERT_GT(h100.offers.size(), 100u);
  for (std::size_t i = 0; i < h100.offers.size(); ++i) {
    const Offer& o = *h100.offers[i];
    EXPECT_EQ(o.count, 8);
    EXPECT_EQ(o.standing, Standing::kAccepted);
    EXPECT_FALSE(o.gpu_component_only);
    if (i > 0) {
      EXPECT_LE(h100.offers[i - 1]->usd_per_accelerator_hour(), o.usd_per_accelerator_hour());
    }
  }
}

TEST(Select, FiltersAndCounts) {
  OfferQuery query;
  query.providers = {"aws"};
  query.regions = {"us-*"};
  query.purchase = {Purchase::kSpot};
  const OfferSelection spot = select_offers(embedded(), query);
  ASSERT_FALSE(spot.offers.empty());
  for (const Offer* o : spot.offers) {
    EXPECT_EQ(o->provider, "aws");
    EXPECT_TRUE(o->region.starts_with("us-"));
    EXPECT_EQ(o->purchase, Purchase::kSpot);
  }
  query = {};
  query.max_price = 1.0 * kUsdPerHour;
  const OfferSelection cheap = select_offers(embedded(), query);
  ASSERT_FALSE(cheap.offers.empty());
  for (const Offer* o : cheap.offers) EXPECT_LE(o->usd_per_hour->dollars(), 1.0);

  query = {};
  query.max_age_days = 100;
  const OfferSelection young = select_offers(embedded(), query);
  EXPECT_GT(young.hidden_by_age, 0u);
  for (const Offer* o : young.offers) {
    EXPECT_LE(days_between(*o->observed.earliest, embedded().date()), 100);
  }
  query = {};
  query.include_quarantined = true;
  const OfferSelection everything = select_offers(embedded(), query);
  EXPECT_EQ(everything.offers.size() + everything.without_price, embedded().offers().size());
  EXPECT_EQ(everything.without_price, 4u);
  EXPECT_GT(everything.components, 100u);
}

// catalogue.md §15.2: a component without its host is no price of a machine.
TEST(Select, AnAttachableGpuIsNotTheCheapestMachine) {
  OfferQuery query;
  query.gpu = filter("t4:1");
  const OfferSelection t4 = select_offers(embedded(), query);
  EXPECT_GT(t4.components, 0u);
  ASSERT_FALSE(t4.offers.empty());
  for (const Offer* o : t4.offers) {
    EXPECT_FALSE(o->gpu_component_only) << o->provider << " " << o->zone;
  }
  for (const Spread& s : price_spread(embedded(), query)) {
    EXPECT_EQ(s.cheapest.text(), "0.526");
  }
}

TEST(Glob, OnlyStars) {
  EXPECT_TRUE(glob_match("us-*", "us-east-1"));
  EXPECT_TRUE(glob_match("US-*-1", "us-east-1"));
  EXPECT_FALSE(glob_match("us-*", "eu-us-1"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("*a*b", "aXbXb"));
  EXPECT_FALSE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("", "x"));
}

}  // namespace
}  // namespace portolan::market
