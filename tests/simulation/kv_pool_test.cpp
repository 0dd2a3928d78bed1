// The KV cache by runs: the same answers as one block at a time, and what a reader would expect.
#include "simulation/kv_pool.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "base/random.hpp"
#include "tests/simulation/kv_pool_reference.hpp"

namespace portolan::simulation {
namespace {

using Ids = std::vector<std::uint64_t>;

// --- against the reference ---------------------------------------------------------------------

struct Layout {
  std::int32_t id_tokens, block_tokens;
};
constexpr Layout kLayouts[] = {{512, 16}, {16, 16}, {16, 64}, {512, 512}, {0, 16},  {512, 1},
                               {8, 2},    {2, 1},   {7, 3},   {3, 7},     {40, 16}, {16, 40}};

/// One thing that happens, as small numbers so that failures shrink.
using Act = std::array<std::uint32_t, 4>;  // what, who, how much, which text

/// Requests that come and go over a pool and the reference side by side.
class Twin {
 public:
  Twin(Layout layout, std::int64_t blocks, bool caching)
      : layout_(layout),
        pool_(blocks, layout.block_tokens, caching),
        blocks_(blocks, layout.block_tokens, caching),
        total_(blocks) {}

  void act(const Act& a) {
    Guest& guest = guests_[a[1] % guests_.size()];
    switch (a[0] % 12) {
      case 0:  // a new request
      case 1:
      case 2:
      case 3:
        if (!guest.here) arrive(guest, a, true);
        break;
      case 4:  // the one that was there, again
        if (!guest.here && guest.owner != 0) arrive(guest, a, false);
        break;
      case 5:
        grow(guest, a[2] % (2 * per_run()));
        break;
      case 6:
      case 7:
      case 8:
        index(guest, a[2]);
        break;
      case 9:
      case 10:
        if (guest.here) leave(guest);
        break;
      default:
        grow_anonymous(guest, a[2] % (per_run() + 2));
    }
    compare();
  }

  void finish() {
    for (Guest& guest : guests_) {
      if (guest.here) leave(guest);
      compare();
    }
    RC_ASSERT(pool_.used_blocks() == 0);
  }

 private:
  struct Guest {
    bool here = false;
    std::uint64_t owner = 0;
    Ids ids;
    std::int32_t id_tokens = 0;
    std::int64_t named_tokens = 0;
    KvPool::Holding holding;
    reference::BlockPool::Holding blocks;
    std::int64_t anonymous = 0;
    reference::BlockPool::Holding anonymous_blocks;
    [[nodiscard]] Content content() const {
      return {.ids = ids, .id_tokens = id_tokens, .owner = owner, .named_tokens = named_tokens};
    }
  };

  [[nodiscard]] std::int64_t per_run() const {
    return std::max(1, layout_.id_tokens / layout_.block_tokens);
  }

  void arrive(Guest& guest, const Act& a, bool other) {
    if (other) {
      guest.owner = ++owners_;
      guest.id_tokens = layout_.id_tokens;
      // Few names, so that texts share beginnings; now and then runs of another length, or none.
      const std::uint64_t bits = mix_bits(a[3]);
      guest.ids.clear();
      const auto length = bits % 9;
      for (std::uint64_t i = 0; i < length; ++i) guest.ids.push_back(1 + ((bits >> (8 + i)) & 1));
      const auto all = static_cast<std::int64_t>(length) * layout_.id_tokens;
      guest.named_tokens = all;
      if ((bits >> 32) % 3 == 0 && all > 0) {
        guest.named_tokens =
            static_cast<std::int64_t>((bits >> 34) % static_cast<std::uint64_t>(all));
      }
      if ((bits >> 60) == 0) guest.id_tokens = layout_.id_tokens / 2;
    }
    const Content content = guest.content();
    const std::int64_t most = a[2] % 2 == 0 ? total_ : a[2] % (8 * per_run());
    KvPool::Hit hit = pool_.find(content, most);
    auto block_hit = blocks_.find(content, most);
    if (a[2] % 7 == 0 && hit.blocks > 0) {  // fewer than there are
      hit.blocks -= 1 + a[3] % hit.blocks;
      block_hit.blocks.resize(static_cast<std::size_t>(hit.blocks));
    }
    pool_.take(guest.holding, content, hit);
    blocks_.take(guest.blocks, block_hit);
    guest.here = true;
    grow(guest, 1 + a[3] % (4 * per_run()));
  }

  void grow(Guest& guest, std::int64_t more) {
    if (!guest.here) return;
    const std::int64_t size = guest.holding.owned + std::min(more, pool_.free_blocks());
    pool_.grow(guest.holding, size);
    blocks_.grow(guest.blocks, size);
  }

  void index(Guest& guest, std::uint32_t draw) {
    if (!guest.here) return;
    const std::int64_t all = guest.holding.owned * layout_.block_tokens;
    const std::int64_t tokens = draw % 2 == 0 ? all : draw % (all + 1);
    const Content content = guest.content();
    pool_.index(guest.holding, content, tokens);
    blocks_.index(guest.blocks, content, tokens);
  }

  void grow_anonymous(Guest& guest, std::int64_t more) {
    if (!guest.here) return;
    more = std::min(more, pool_.free_blocks());
    pool_.grow_anonymous(more);
    guest.anonymous += more;
    blocks_.grow(guest.anonymous_blocks, guest.anonymous);
  }

  void leave(Guest& guest) {
    guest.holding.owned += guest.anonymous;
    guest.blocks.insert(guest.blocks.end(), guest.anonymous_blocks.begin(),
                        guest.anonymous_blocks.end());
    pool_.release(guest.holding);
    blocks_.release(guest.blocks);
    guest.anonymous = 0;
    guest.anonymous_blocks.clear();
    guest.here = false;
  }

  void compare() {
    RC_ASSERT(std::string(pool_.inconsistency()) == "");
    RC_ASSERT(pool_.free_blocks() == blocks_.free_blocks());
    RC_ASSERT(pool_.used_blocks() == total_ - blocks_.free_blocks());
    RC_ASSERT(pool_.cached_blocks() == blocks_.cached_blocks());
    for (const Guest& guest : guests_) {
      const KvPool::Hit hit = pool_.find(guest.content(), total_);
      const auto block_hit = blocks_.find(guest.content(), total_);
      RC_ASSERT(hit.blocks == static_cast<std::int64_t>(block_hit.blocks.size()));
      RC_ASSERT(hit.free == block_hit.free);
      if (!guest.here) continue;
      RC_ASSERT(guest.holding.owned == static_cast<std::int64_t>(guest.blocks.size()));
      RC_ASSERT(guest.holding.shared == blocks_.shared(guest.blocks));
    }
  }

  Layout layout_;
  KvPool pool_;
  reference::BlockPool blocks_;
  std::int64_t total_;
  std::uint64_t owners_ = 0;
  std::array<Guest, 5> guests_;
};

RC_GTEST_PROP(KvPoolLaws, RunsAnswerAsSingleBlocksDo, ()) {
  // Room for few texts, or for most of what comes.
  const auto room = *rc::gen::oneOf(rc::gen::inRange<std::int64_t>(1, 800),
                                    rc::gen::inRange<std::int64_t>(800, 6000));
  const bool caching = *rc::gen::weightedElement<bool>({{15, true}, {1, false}});
  // Long sequences of acts from the whole range at every size.
  const auto number =
      rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 100'000));
  const auto acts =
      *rc::gen::scale(2, rc::gen::container<std::vector<Act>>(rc::gen::container<Act>(number)));
  for (const Layout& layout : kLayouts) {
    const std::int64_t per_run = std::max(1, layout.id_tokens / layout.block_tokens);
    Twin twin(layout, 1 + room * per_run / 100, caching);
    for (const Act& act : acts) twin.act(act);
    twin.finish();
  }
}

// --- by hand -------------------------------------------------------------------------------------

/// A request with its text computed and given back at once: what it leaves in the cache.
void visit(KvPool& pool, const Content& content, std::int64_t blocks) {
  KvPool::Holding holding;
  pool.take(holding, content, pool.find(content, blocks));
  pool.grow(holding, blocks);
  pool.index(holding, content, blocks * pool.block_tokens());
  pool.release(holding);
}

TEST(KvPool, FindsTheLongestCommonBeginning) {
  KvPool pool(100, 16, true);
  const Ids one = {1, 2, 3}, other = {1, 2, 4};
  visit(pool, {.ids = one, .id_tokens = 32, .owner = 1}, 6);
  EXPECT_EQ(pool.find({.ids = one, .id_tokens = 32, .owner = 2}, 100).blocks, 6);
  EXPECT_EQ(pool.find({.ids = one, .id_tokens = 32, .owner = 2}, 5).blocks, 5);
  EXPECT_EQ(pool.find({.ids = other, .id_tokens = 32, .owner = 2}, 100).blocks, 4);
  EXPECT_EQ(pool.find({.ids = other, .id_tokens = 32, .owner = 2}, 100).free, 4);
  EXPECT_EQ(pool.cached_blocks(), 6);
  EXPECT_EQ(pool.free_blocks(), 100);
}

TEST(KvPool, TheEndOfATextIsForgottenFirst) {
  KvPool pool(10, 16, true);
  const Ids ids = {1, 2, 3, 4, 5, 6};
  const Content content{.ids = ids, .id_tokens = 16, .owner = 1};
  visit(pool, content, 6);
  KvPool::Holding other;
  pool.grow(other, 6);  // four never used, then the last two of the text
  EXPECT_EQ(pool.find(content, 6).blocks, 4);
  pool.release(other);
  EXPECT_EQ(pool.find(content, 6).blocks, 4);
}

TEST(KvPool, WhatWasUsedLastStaysLongest) {
  KvPool pool(4, 16, true);
  const Ids old = {1, 2}, young = {3, 4};
  const Content a{.ids = old, .id_tokens = 16, .owner = 1};
  const Content b{.ids = young, .id_tokens = 16, .owner = 2};
  visit(pool, a, 2);
  visit(pool, b, 2);
  visit(pool, a, 2);  // a hit: now b is older
  KvPool::Holding other;
  pool.grow(other, 2);
  EXPECT_EQ(pool.find(a, 2).blocks, 2);
  EXPECT_EQ(pool.find(b, 2).blocks, 0);
}

TEST(KvPool, TheSameTextComputedTwiceAtOnceIsHeldTwice) {
  KvPool pool(10, 16, true);
  const Ids ids = {1, 2};
  const Content a{.ids = ids, .id_tokens = 16, .owner = 1};
  const Content b{.ids = ids, .id_tokens = 16, .owner = 2};
  KvPool::Holding first, second;
  pool.grow(first, 2);
  pool.grow(second, 2);
  pool.index(first, a, 32);
  pool.index(second, b, 32);
  EXPECT_EQ(pool.used_blocks(), 4);
  EXPECT_EQ(pool.cached_blocks(), 2);
  EXPECT_EQ(second.shared, 0);
}

TEST(KvPool, APreemptedRequestFindsItsOwnTokens) {
  KvPool pool(20, 16, true);
  const Ids ids = {7};
  const Content content{.ids = ids, .id_tokens = 512, .owner = 3, .named_tokens = 100};
  KvPool::Holding holding;
  pool.grow(holding, 12);
  pool.index(holding, content, 100);
  pool.index(holding, content, 190);
  pool.release(holding);
  EXPECT_EQ(pool.find(content, 20).blocks, 11);
  Content other = content;
  other.owner = 4;
  EXPECT_EQ(pool.find(other, 20).blocks,
            6);  // the prompt's 100 tokens, no block with a reply in it
}

TEST(KvPool, IdsOfOtherLengthsAreOtherTexts) {
  KvPool pool(20, 16, true);
  const Ids ids = {1, 2, 3, 4};
  visit(pool, {.ids = ids, .id_tokens = 16, .owner = 1}, 4);
  EXPECT_EQ(pool.find({.ids = ids, .id_tokens = 16, .owner = 2}, 4).blocks, 4);
  EXPECT_EQ(pool.find({.ids = ids, .id_tokens = 32, .owner = 2}, 4).blocks, 0);
}

TEST(KvPool, WithoutCachingNothingIsFound) {
  KvPool pool(20, 16, false);
  const Ids ids = {1, 2};
  const Content content{.ids = ids, .id_tokens = 16, .owner = 1};
  visit(pool, content, 2);
  EXPECT_EQ(pool.find(content, 2).blocks, 0);
  EXPECT_EQ(pool.cached_blocks(), 0);
  EXPECT_EQ(pool.free_blocks(), 20);
}

TEST(KvPool, ClearForgetsEverything) {
  KvPool pool(20, 16, true);
  const Ids ids = {1, 2};
  const Content content{.ids = ids, .id_tokens = 16, .owner = 1};
  visit(pool, content, 2);
  pool.clear();
  EXPECT_EQ(pool.find(content, 2).blocks, 0);
  EXPECT_EQ(pool.free_blocks(), 20);
  EXPECT_STREQ(pool.inconsistency(), "");
}

}  // namespace
}  // namespace portolan::simulation
