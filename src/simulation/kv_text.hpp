// How a request's text lies on the blocks of the KV cache: which key decides which blocks.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/random.hpp"
#include "simulation/kv_pool.hpp"

namespace portolan::simulation {

/// How runs of `id_tokens` tokens lie on blocks. A unit is the blocks that the same key decides:
/// those whose last token is in one id's run, or single blocks where these hold several ids.
struct Grid {
  std::int64_t id_tokens, block_tokens;

  /// The id whose run the block's last token is in. All earlier ids are touched by earlier blocks,
  /// or, of blocks longer than runs, go into the block's key.
  [[nodiscard]] std::int64_t last_id(std::int64_t block) const {
    return ((block + 1) * block_tokens - 1) / id_tokens;
  }
  [[nodiscard]] std::int64_t unit(std::int64_t block) const {
    return id_tokens >= block_tokens ? last_id(block) : block;
  }
  [[nodiscard]] std::int64_t begin(std::int64_t unit) const {
    return id_tokens >= block_tokens ? unit * id_tokens / block_tokens : unit;
  }
};

/// A content laid on the pool's blocks.
class Text {
 public:
  Text(const Content& content, std::int32_t block_tokens)
      : content_(content), grid_{content.id_tokens, block_tokens} {
    if (content.id_tokens <= 0) return;
    const auto runs = static_cast<std::int64_t>(content.ids.size());
    named_ = std::max<std::int64_t>(
        std::min(content.named_tokens, runs * content.id_tokens) / block_tokens, 0);
  }

  [[nodiscard]] const Grid& grid() const { return grid_; }
  /// Blocks from the start that ids name.
  [[nodiscard]] std::int64_t named() const { return named_; }
  /// What tells kinds of keys apart: id_tokens, or 0 past the ids.
  [[nodiscard]] std::int32_t kind(std::int64_t block) const {
    return block < named_ ? content_.id_tokens : 0;
  }
  [[nodiscard]] std::uint64_t key(std::int64_t block) const {
    return block < named_ ? unit_key(grid_.unit(block)) : content_.owner;
  }
  [[nodiscard]] std::uint64_t unit_key(std::int64_t unit) const {
    if (grid_.id_tokens >= grid_.block_tokens) return content_.ids[static_cast<std::size_t>(unit)];
    const std::int64_t last = grid_.last_id(unit);
    std::uint64_t key = 0;
    for (std::int64_t i = unit == 0 ? 0 : grid_.last_id(unit - 1) + 1; i <= last; ++i) {
      key = mix_bits(key ^ content_.ids[static_cast<std::size_t>(i)]);
    }
    return key;
  }

 private:
  const Content& content_;
  Grid grid_;
  std::int64_t named_ = 0;
};

}  // namespace portolan::simulation
