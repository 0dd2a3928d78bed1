// The KV cache of one data-parallel rank: blocks, prefix sharing and least-recently-used eviction
// (serving.md §1.3–1.8), by runs of blocks instead of single ones.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>

namespace portolan::simulation {

/// What the text of one request is made of, as the pool sees it: `ids` name runs of `id_tokens`
/// tokens; tokens past them (and all tokens when id_tokens is 0) are unique to `owner`.
struct Content {
  std::span<const std::uint64_t> ids;
  std::int32_t id_tokens = 0;
  std::uint64_t owner = 0;  // unique per request
  /// Tokens that the ids name, where that is less than all their runs: of a prompt that ends inside
  /// its last run, whose reply is not named. The rest is `owner`'s.
  std::int64_t named_tokens = std::numeric_limits<std::int64_t>::max();
};

/// Semantics, block by block (an implementation over runs must give the same answers): Only full
/// blocks have content and can be shared. A block in use has a reference from each request that
/// holds it. A block without references is free; free blocks form one queue. Allocation takes from
/// the head of the queue and what the block held is forgotten. Releasing a request drops its
/// references from its last block to its first; blocks that become free join the queue's tail in
/// that order, so that the ends of texts are forgotten first. A hit on a free block takes it out of
/// the queue. A block whose content is already held by another block stays private to its request
/// (no duplicates in the index).
///
/// Decided where the sources leave it open:
/// - Content is a chain: a block is the same as another if its tokens are and all before it are.
///   Ids of runs of different length name different texts. Where neither of `id_tokens` and
///   `block_tokens` divides the other, a block is the same if all runs it touches are.
/// - The newcomer's block stays private when two requests compute the same text at once. It enters
///   the index at a later index() if the other one has been evicted by then; its later blocks do
///   not enter before it.
/// - Never-used blocks are the head of the first queue, so they are taken before any content is
///   forgotten. Blocks without content keep their place in the queue like all others.
/// - find() alone does not refresh anything; neither does sharing a block that is in use.
class KvPool {
 public:
  /// `blocks` usable ones of `block_tokens` tokens. Without `caching` every block is private.
  KvPool(std::int64_t blocks, std::int32_t block_tokens, bool caching);
  KvPool(KvPool&&) noexcept;
  KvPool& operator=(KvPool&&) noexcept;
  ~KvPool();

  /// What one request holds. Value-initialised: nothing.
  struct Holding {
    std::int32_t leaf = 0;    // deepest shared run it references; 0 = none
    std::int64_t shared = 0;  // blocks on the way to `leaf`, from the text's start
    std::int64_t owned = 0;   // blocks held in all, shared ones included
  };

  struct Hit {
    std::int64_t blocks = 0;  // leading full blocks found, at most `most_blocks`
    std::int64_t free = 0;    // of them, without references now: taking them uses up free blocks
    std::int32_t run = 0;     // the pool's own: where the walk ended
  };
  /// Longest cached prefix; changes nothing (no "recently used" either).
  [[nodiscard]] Hit find(const Content& content, std::int64_t most_blocks) const;

  /// Takes references to the first `hit.blocks` blocks found by find() just before (nothing else
  /// changed the pool; fewer blocks than found may be taken). `holding` is empty before.
  void take(Holding& holding, const Content& content, const Hit& hit);

  /// Grows to `blocks` blocks in all; the new ones come from the head of the free queue. The caller
  /// has checked free_blocks().
  void grow(Holding& holding, std::int64_t blocks);
  /// The first `tokens` tokens of the text are (being) computed: its full blocks enter the index,
  /// up to the first whose content another block has. Tokens past the ids of the content are
  /// indexed under its owner.
  void index(Holding& holding, const Content& content, std::int64_t tokens);
  /// Gives everything back; `holding` becomes empty. Indexed content stays until evicted.
  void release(Holding& holding);
  /// Takes `blocks` blocks from the head of the free queue for requests whose holdings are kept as
  /// a sum outside (decoding requests that grow by whole batches), and the other way round when
  /// such a request is released: add them to its `owned` first.
  void grow_anonymous(std::int64_t blocks);

  [[nodiscard]] std::int64_t free_blocks() const;  // cached content included
  [[nodiscard]] std::int64_t used_blocks() const;  // with references
  [[nodiscard]] std::int64_t total_blocks() const;
  [[nodiscard]] std::int64_t cached_blocks() const;  // with content, in use or free
  [[nodiscard]] std::int32_t block_tokens() const;
  /// Everything forgotten (a machine that restarts); no holdings may be outstanding.
  void clear();
  /// Empty text when the books agree (counts, queue, tree), else what does not; O(size).
  [[nodiscard]] const char* inconsistency() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace portolan::simulation
