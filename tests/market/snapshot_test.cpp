#include "market/snapshot.hpp"

#include "fixture.hpp"
#include "io/compression.hpp"

namespace portolan::market {
namespace {

TEST(Snapshot, WhatIsWrittenIsReadBack) {
  const std::string bytes = encode(built());
  const Result<Catalogue::Data> again = decode(bytes, "test");
  ASSERT_TRUE(again) << format_error(again.error());
  EXPECT_EQ(encode(*again), bytes);
  ASSERT_EQ(again->offers.size(), built().offers.size());
  for (std::size_t i = 0; i < again->offers.size(); ++i) {
    EXPECT_FALSE(offer_before(again->offers[i], built().offers[i]) ||
                 offer_before(built().offers[i], again->offers[i]))
        << i;
    EXPECT_EQ(again->offers[i].gate, built().offers[i].gate);
    EXPECT_EQ(again->offers[i].confidence, built().offers[i].confidence);
  }
}

TEST(Snapshot, TheEmbeddedOneIsOfTheseTables) {
  EXPECT_EQ(embedded().offers().size(), built().offers.size());
  EXPECT_EQ(embedded().gate_counts().size(), built().gates.size());
  EXPECT_EQ(embedded().date(), built().date);
}

TEST(Snapshot, StaysSmall) { EXPECT_LT(encode(built()).size(), 120'000u); }

// A damaged file is refused or, where the damage hides in a value, read as some value: never worse.
TEST(Snapshot, DamageIsNoCrash) {
  const std::string whole = encode(built());
  const std::size_t head = whole.find('\n') + 1;
  const std::string content = *io::unzstd(whole.substr(head), "test");
  for (std::size_t cut = 0; cut < whole.size(); cut += 1 + whole.size() / 40) {
    EXPECT_FALSE(decode(whole.substr(0, cut), "test")) << cut;
  }
  for (std::size_t cut = 0; cut < content.size(); cut += 1 + content.size() / 60) {
    const std::string bytes = whole.substr(0, head) + io::zstd_compress(content.substr(0, cut), 1);
    EXPECT_FALSE(decode(bytes, "test")) << cut;
  }
  std::size_t refused = 0;
  for (std::size_t at = 0; at < content.size(); at += 1 + content.size() / 120) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    refused += decode(whole.substr(0, head) + io::zstd_compress(damaged, 1), "test") ? 0 : 1;
  }
  EXPECT_GT(refused, 0u);
  const Result<Catalogue::Data> foreign = decode("PK\x03\x04 something else", "other.bin");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, ErrorCode::kMalformed);
  EXPECT_NE(foreign.error().message.find("other.bin"), std::string::npos);
}

}  // namespace
}  // namespace portolan::market
