// The KV cache one block at a time and one token at a time, as serving engines do it: slow, plain,
// and what the pool of runs must agree with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "simulation/kv_pool.hpp"

namespace portolan::simulation::reference {

class BlockPool {
 public:
  using Holding = std::vector<std::size_t>;  // blocks, from the text's start
  struct Hit {
    std::vector<std::size_t> blocks;
    std::int64_t free = 0;
  };

  BlockPool(std::int64_t blocks, std::int32_t block_tokens, bool caching)
      : block_tokens_(block_tokens), caching_(caching), blocks_(static_cast<std::size_t>(blocks)) {
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i].place = free_.insert(free_.end(), i);
  }

  Hit find(const Content& content, std::int64_t most) {
    Hit hit;
    int chain = 0;
    for (std::int64_t i = 0; caching_ && i < most; ++i) {
      chain = chain_of(chain, content, i);
      const auto at = index_.find(chain);
      if (at == index_.end()) break;
      hit.blocks.push_back(at->second);
      if (blocks_[at->second].references == 0) ++hit.free;
    }
    return hit;
  }

  void take(Holding& holding, const Hit& hit) {
    for (const std::size_t b : hit.blocks) {
      if (blocks_[b].references++ == 0) free_.erase(blocks_[b].place);
      holding.push_back(b);
    }
  }

  void grow(Holding& holding, std::int64_t blocks) {
    while (static_cast<std::int64_t>(holding.size()) < blocks) {
      const std::size_t b = free_.front();
      free_.pop_front();
      if (blocks_[b].chain != 0) index_.erase(std::exchange(blocks_[b].chain, 0));
      blocks_[b].references = 1;
      holding.push_back(b);
    }
  }

  void index(const Holding& holding, const Content& content, std::int64_t tokens) {
    int chain = 0;
    for (std::int64_t i = 0; caching_ && i < tokens / block_tokens_; ++i) {
      Block& block = blocks_[holding[static_cast<std::size_t>(i)]];
      chain = chain_of(chain, content, i);
      if (block.chain == chain) continue;
      if (!index_.emplace(chain, holding[static_cast<std::size_t>(i)]).second) return;
      block.chain = chain;
    }
  }

  void release(Holding& holding) {
    for (; !holding.empty(); holding.pop_back()) {
      const std::size_t b = holding.back();
      if (--blocks_[b].references == 0) blocks_[b].place = free_.insert(free_.end(), b);
    }
  }

  /// Leading blocks that are in the index.
  [[nodiscard]] std::int64_t shared(const Holding& holding) const {
    const auto private_one = std::find_if(holding.begin(), holding.end(),
                                          [&](std::size_t b) { return blocks_[b].chain == 0; });
    return private_one - holding.begin();
  }
  [[nodiscard]] std::int64_t free_blocks() const { return static_cast<std::int64_t>(free_.size()); }
  [[nodiscard]] std::int64_t cached_blocks() const {
    return static_cast<std::int64_t>(index_.size());
  }

 private:
  struct Block {
    int chain = 0;  // its content; 0 = none
    int references = 0;
    std::list<std::size_t>::iterator place;  // in the queue
  };
  /// A token: length of the id's run (0 past the ids), id or owner, place in the run.
  using Token = std::tuple<std::int32_t, std::uint64_t, std::int64_t>;

  int chain_of(int before, const Content& content, std::int64_t block) {
    const auto runs = static_cast<std::int64_t>(content.ids.size());
    const std::int64_t named = std::min(content.named_tokens, runs * content.id_tokens);
    std::vector<Token> tokens;
    for (std::int64_t t = block * block_tokens_; t < (block + 1) * block_tokens_; ++t) {
      if (t < named) {
        tokens.emplace_back(content.id_tokens,
                            content.ids[static_cast<std::size_t>(t / content.id_tokens)],
                            t % content.id_tokens);
      } else {
        tokens.emplace_back(0, content.owner, t);
      }
      // Tokens that follow by themselves from the one before say nothing new.
      if (tokens.size() > 1) {
        const auto& [kind, name, place] = tokens[tokens.size() - 2];
        const Token& last = tokens.back();
        if (last == Token(kind, name, place + 1)) tokens.erase(tokens.end() - 2);
      }
    }
    return chains_.try_emplace({before, std::move(tokens)}, static_cast<int>(chains_.size()) + 1)
        .first->second;
  }

  std::int64_t block_tokens_;
  bool caching_;
  std::vector<Block> blocks_;
  std::list<std::size_t> free_;  // first to go at the front
  std::map<int, std::size_t> index_;
  std::map<std::pair<int, std::vector<Token>>, int> chains_;
};

}  // namespace portolan::simulation::reference
