// `offers`, `gpus`, `models`, `providers`: filters, orders, counts, and what is said when a name is
// not known.
#include <set>

#include "tests/app/ask.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

TEST(Offers, have_every_field_of_the_contract) {
  const Value answer = object("offers", request({{"limit", 0}}));
  const auto& offers = at(answer, "result.offers").array();
  ASSERT_GT(offers.size(), 2000u);
  std::set<std::string> providers;
  for (const Value& offer : offers) {
    for (const char* key :
         {"provider", "sku", "region", "accelerator", "accelerator_count", "usd_per_hour",
          "usd_per_accelerator_hour", "components", "purchase", "observed_at", "source", "flags"}) {
      ASSERT_NE(offer.find(key), nullptr) << key;
    }
    providers.insert(text(offer, "provider"));
    double sum = 0;
    for (const Value& part : at(offer, "components").array()) sum += number(part, "usd_per_hour");
    EXPECT_TRUE(near(number(offer, "usd_per_hour"), sum, kExact)) << text(offer, "sku");
    EXPECT_EQ(text(offer, "standing"), "accepted");
  }
  EXPECT_GE(providers.size(), 20u);
  EXPECT_EQ(number(answer, "result.shown"), static_cast<double>(offers.size()));
  EXPECT_EQ(number(answer, "result.matched"), number(answer, "result.shown"));
}

TEST(Offers, filters_hold_for_every_row) {
  const Value answer = object("offers", request({{"gpu", "nvidia:A100,H100:80GB:1..8"},
                                                 {"provider", "aws,azure"},
                                                 {"region", "us*,east*"},
                                                 {"purchase", "spot"},
                                                 {"max_price", 40},
                                                 {"limit", 0}}));
  const auto& offers = at(answer, "result.offers").array();
  ASSERT_GT(offers.size(), 3u);
  double before = 0;
  for (const Value& offer : offers) {
    EXPECT_TRUE(text(offer, "accelerator").starts_with("a100") ||
                text(offer, "accelerator").starts_with("h100"));
    EXPECT_TRUE(text(offer, "provider") == "aws" || text(offer, "provider") == "azure");
    EXPECT_TRUE(text(offer, "region").starts_with("us") ||
                text(offer, "region").starts_with("east"));
    EXPECT_EQ(text(offer, "purchase"), "spot");
    EXPECT_LE(number(offer, "accelerator_count"), 8);
    EXPECT_LE(number(offer, "usd_per_hour"), 40);
    EXPECT_GE(number(offer, "usd_per_hour"), before);
    before = number(offer, "usd_per_hour");
  }
}

TEST(Offers, sorted_by_price_per_accelerator) {
  const Value answer =
      object("offers", request({{"gpu", "H100:8"}, {"sort", "gpu-price"}, {"limit", 0}}));
  double before = 0;
  for (const Value& offer : at(answer, "result.offers").array()) {
    EXPECT_GE(number(offer, "usd_per_accelerator_hour"), before);
    before = number(offer, "usd_per_accelerator_hour");
  }
}

TEST(Offers, limits_say_what_they_hide) {
  const Value answer = object("offers", request({{"gpu", "H100"}, {"limit", 3}}));
  EXPECT_EQ(number(answer, "result.shown"), 3);
  EXPECT_GT(number(answer, "result.matched"), 3);
  EXPECT_EQ(number(object("offers", request({{"gpu", "h100-sxm:777"}})), "result.matched"), 0);
  const Value old = object("offers", request({{"max_price_age", "1d"}}));
  EXPECT_GT(number(old, "result.hidden_by_age"), 1000);
}

// Machines without an accelerator are listed when asked for, and only then.
TEST(Offers, hosts_without_an_accelerator_are_counted_apart) {
  const Value answer = object("offers", request({{"limit", 0}}));
  for (const Value& offer : at(answer, "result.offers").array())
    EXPECT_NE(number(offer, "accelerator_count"), 0);
  const Value hosts = object("offers", request({{"count", "0"}, {"limit", 0}}));
  EXPECT_EQ(number(hosts, "result.matched"), number(answer, "result.hosts"));
  for (const Value& host : at(hosts, "result.offers").array())
    EXPECT_TRUE(at(host, "accelerator").is_null());
}

TEST(Offers, quarantined_rows_name_their_gate) {
  const Value answer = object("offers", request({{"quarantined", true}, {"limit", 0}}));
  for (const Value& offer : at(answer, "result.offers").array()) {
    EXPECT_NE(text(offer, "standing"), "accepted");
    EXPECT_FALSE(at(offer, "gate").is_null()) << text(offer, "sku");
  }
}

TEST(Offers, mistakes_name_the_flag_and_the_nearest_name) {
  const std::vector<std::tuple<const char*, const char*, const char*, const char*>> cases = {
      {"gpu", "h100-smx", "--gpu", "h100-sxm"},
      {"gpu", "A100::8", "--gpu", "8"},
      {"count", "8..1", "--count", "1..8"},
      {"provider", "awss", "--provider", "aws"},
      {"purchase", "spott", "--purchase", "spot"},
      {"sort", "prize", "--sort", "price"},
      {"max_price_age", "30", "--max-price-age", "30d"}};
  for (const auto& [key, value, argument, hint] : cases) {
    const Error error = refusal("offers", request({{key, value}}));
    EXPECT_EQ(error.where.argument, argument);
    EXPECT_NE(error.hint.find(hint), std::string::npos) << error.hint;
  }
}

TEST(Gpus, one_name_gives_its_details_a_loose_one_a_choice) {
  EXPECT_EQ(at(object("gpus", request({{"gpu", "h100-sxm"}})), "result.gpus").array().size(), 1u);
  const Value loose = object("gpus", request({{"gpu", "h100"}}));
  EXPECT_GE(at(loose, "result.gpus").array().size(), 3u);
  EXPECT_FALSE(at(loose, "warnings").array().empty());
}

TEST(Gpus, unknown_rates_are_null_never_zero) {
  const Value all = object("gpus", request({{"all", true}}));
  for (const Value& gpu : at(all, "result.gpus").array()) {
    for (const char* key : {"bf16_flop_per_second", "fp8_flop_per_second", "tdp_watts",
                            "launch_price_usd", "cheapest_usd_per_hour"}) {
      const Value& value = at(gpu, key);
      EXPECT_TRUE(value.is_null() || value.number() > 0) << text(gpu, "id") << " " << key;
    }
  }
}

TEST(Gpus, short_names_lead_back_to_their_accelerator) {
  for (const hardware::Accelerator& a : context().catalogue().accelerators().all()) {
    const auto found = context().catalogue().accelerators().resolve(a.short_id);
    ASSERT_TRUE(found) << a.short_id;
    EXPECT_EQ(found->accelerator->id, a.id) << a.short_id;
  }
}

TEST(Gpus, filters) {
  const Value amd = object("gpus", request({{"vendor", "AMD"}, {"min_memory", "128GB"}}));
  for (const Value& gpu : at(amd, "result.gpus").array()) {
    EXPECT_EQ(text(gpu, "vendor"), "amd");
  }
  EXPECT_NE(refusal("gpus", request({{"vendor", "nvidai"}})).hint.find("nvidia"),
            std::string::npos);
}

TEST(Models, at_least_a_hundred_and_fifty_with_id_and_source) {
  const Value answer = object("models", request({{"limit", 0}}));
  const auto& models = at(answer, "result.models").array();
  EXPECT_GE(models.size(), 150u);
  for (const Value& model : models) {
    EXPECT_FALSE(at(model, "source").is_null()) << text(model, "id");
    EXPECT_FALSE(at(model, "date").is_null()) << text(model, "id");
  }
}

TEST(Models, filters_and_orders) {
  const Value answer = object("models", request({{"family", "qwen2"},
                                                 {"min_parameters", "7B"},
                                                 {"max_parameters", "40B"},
                                                 {"sort", "parameters"}}));
  const auto& models = at(answer, "result.models").array();
  ASSERT_FALSE(models.empty());
  double before = 0;
  for (const Value& model : models) {
    EXPECT_TRUE(text(model, "family").starts_with("qwen2"));
    EXPECT_GE(number(model, "parameters_for_rule"), std::max(before, 7e9));
    EXPECT_LE(number(model, "parameters_for_rule"), 40e9);
    before = number(model, "parameters_for_rule");
  }
  EXPECT_NE(refusal("models", request({{"family", "lama"}})).hint.find("llama"), std::string::npos);
}

// R35: what hosted APIs ask.
TEST(Models, r35_hosted_prices_of_a_model) {
  const Value answer =
      object("models", request({{"name", "deepseek-v3"}, {"prices", true}, {"limit", 0}}));
  EXPECT_GE(at(answer, "result.prices").array().size(), 2u);
  const Value all = object("models", request({{"prices", true}, {"limit", 0}}));
  EXPECT_GE(at(all, "result.prices").array().size(), 1500u);
}

TEST(Providers, one_or_all) {
  EXPECT_EQ(
      at(object("providers", request({{"name", "Lambda"}})), "result.providers").array().size(),
      1u);
  EXPECT_GE(at(object("providers", request({})), "result.providers").array().size(), 20u);
  EXPECT_EQ(refusal("providers", request({{"name", "lamda"}})).code, ErrorCode::kNotFound);
  EXPECT_NE(refusal("providers", request({{"name", "lamda"}})).hint.find("lambda"),
            std::string::npos);
  EXPECT_NE(refusal("providers", request({{"kind", "hyperscalar"}})).hint.find("hyperscaler"),
            std::string::npos);
}

}  // namespace
}  // namespace portolan
