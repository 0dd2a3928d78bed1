#include "simulation/kv_pool.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "simulation/kv_text.hpp"

namespace portolan::simulation {
namespace {

constexpr std::int32_t kRoot = 0, kNone = -1;

/// A run of blocks with one fate: of one chain in the tree, or, where parent is kNone, without
/// content in the queue.
struct Run {
  std::uint64_t key = 0;    // of its first unit; the owner of a text past its ids
  std::int64_t first = 0;   // place in the text
  std::int64_t length = 0;  // blocks
  std::int32_t parent = kNone;
  std::int32_t kind = 0;  // id_tokens of its keys; 0 = its owner's
  /// Holdings that end here and children with references: 0 = free, in the queue. An ancestor has
  /// one reference from each child that has any, so that a walk to the root may stop early.
  std::int32_t references = 0;
  std::int32_t children = 0;
  std::int32_t previous = kNone, next = kNone;  // in the queue
  std::uint32_t keys = 0;                       // where those of all its units are, if kind > 0
  std::int32_t size_class = kNone;              // of the room there

  [[nodiscard]] std::int64_t end() const { return first + length; }
};

/// Arrays of keys in powers of two, given back to lists by size: nothing is allocated once the pool
/// has been full.
class KeyStore {
 public:
  std::uint64_t* at(std::uint32_t place) { return words_.data() + place; }
  [[nodiscard]] const std::uint64_t* at(std::uint32_t place) const { return words_.data() + place; }

  /// Room for `count` keys in the run's array, what is there kept.
  void reserve(Run& run, std::int64_t kept, std::int64_t count) {
    const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 4));
    const auto size_class = static_cast<std::int32_t>(std::bit_width(size - 1));
    if (size_class <= run.size_class) return;
    std::uint32_t& head = free_[static_cast<std::size_t>(size_class)];
    std::uint32_t place = head;
    if (place != kEmpty) {
      head = static_cast<std::uint32_t>(words_[place]);
    } else {
      place = static_cast<std::uint32_t>(words_.size());
      words_.resize(words_.size() + (std::size_t{1} << size_class));
    }
    std::copy_n(at(run.keys), kept, at(place));
    release(run);
    run.keys = place;
    run.size_class = size_class;
  }
  void release(Run& run) {
    if (run.size_class == kNone) return;
    std::uint32_t& head = free_[static_cast<std::size_t>(run.size_class)];
    words_[run.keys] = head;
    head = run.keys;
    run.size_class = kNone;
  }
  void clear() {
    words_.clear();
    free_.fill(kEmpty);
  }

 private:
  static constexpr std::uint32_t kEmpty = ~std::uint32_t{0};
  static constexpr auto kNoneFree = [] {
    std::array<std::uint32_t, 33> heads{};
    heads.fill(kEmpty);
    return heads;
  }();
  std::vector<std::uint64_t> words_;
  std::array<std::uint32_t, 33> free_ = kNoneFree;
};

}  // namespace

struct KvPool::State {
  State(std::int64_t blocks, std::int32_t block_size, bool cache)
      : total(std::max<std::int64_t>(blocks, 0)),
        block_tokens(std::max(block_size, 1)),
        caching(cache) {
    clear();
  }

  std::int64_t total = 0;
  std::int32_t block_tokens = 1;
  bool caching = false;
  std::int64_t free = 0, cached = 0;
  std::vector<Run> runs;        // [kRoot] is the tree's root, always referenced
  std::int32_t unused = kNone;  // list through `next`
  std::int32_t head = kNone, tail = kNone;
  KeyStore keys;
  // Children by (parent, kind, key): open addressing, never iterated for an answer.
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t run = kNone;
  };
  std::vector<Slot> slots;
  std::size_t children = 0;

  Run& at(std::int32_t run) { return runs[static_cast<std::size_t>(run)]; }
  [[nodiscard]] const Run& at(std::int32_t run) const {
    return runs[static_cast<std::size_t>(run)];
  }
  [[nodiscard]] Grid grid(const Run& run) const { return {run.kind, block_tokens}; }

  void clear() {
    runs.assign(1, Run{.references = 1});
    unused = head = tail = kNone;
    keys.clear();
    slots.assign(64, Slot{});
    children = 0;
    free = cached = 0;
    free_private(total);
  }

  // --- runs -----------------------------------------------------------------------------------
  std::int32_t make() {
    if (unused == kNone) {
      runs.emplace_back();
      return static_cast<std::int32_t>(runs.size() - 1);
    }
    const std::int32_t run = std::exchange(unused, at(unused).next);
    at(run) = Run{};
    return run;
  }
  void discard(std::int32_t run) {
    keys.release(at(run));
    at(run).next = std::exchange(unused, run);
    at(run).length = 0;
  }

  // --- children -------------------------------------------------------------------------------
  static std::uint32_t hash(std::int32_t parent, std::int32_t kind, std::uint64_t key) {
    const auto place = static_cast<std::uint64_t>(static_cast<std::uint32_t>(parent)) << 32 |
                       static_cast<std::uint32_t>(kind);
    return static_cast<std::uint32_t>(mix_bits(key + place * 0x9e3779b97f4a7c15ull) >> 32);
  }
  [[nodiscard]] std::size_t wrap(std::size_t slot) const { return slot & (slots.size() - 1); }
  [[nodiscard]] std::size_t slot_of(std::int32_t parent, std::int32_t kind,
                                    std::uint64_t key) const {
    const std::uint32_t wanted = hash(parent, kind, key);
    std::size_t slot = wrap(wanted);
    for (; slots[slot].run != kNone; slot = wrap(slot + 1)) {
      if (slots[slot].hash != wanted) continue;
      const Run& run = at(slots[slot].run);
      if (run.key == key && run.parent == parent && run.kind == kind) break;
    }
    return slot;
  }
  [[nodiscard]] std::int32_t child(std::int32_t parent, std::int32_t kind,
                                   std::uint64_t key) const {
    return slots[slot_of(parent, kind, key)].run;
  }
  void place(Slot entry) {
    std::size_t slot = wrap(entry.hash);
    while (slots[slot].run != kNone) slot = wrap(slot + 1);
    slots[slot] = entry;
  }
  void insert(std::int32_t run) {
    if (++children * 2 > slots.size()) {
      std::vector<Slot> old(slots.size() * 2);
      old.swap(slots);
      for (const Slot& slot : old) {
        if (slot.run != kNone) place(slot);
      }
    }
    const Run& r = at(run);
    place({hash(r.parent, r.kind, r.key), run});
  }
  void erase(std::int32_t run) {
    const Run& r = at(run);
    std::size_t hole = slot_of(r.parent, r.kind, r.key);
    // Close the gap, so that look-ups may stop at the first empty slot.
    for (std::size_t i = wrap(hole + 1); slots[i].run != kNone; i = wrap(i + 1)) {
      if (wrap(i - wrap(slots[i].hash)) >= wrap(i - hole)) {
        slots[hole] = slots[i];
        hole = i;
      }
    }
    slots[hole] = {};
    --children;
  }

  // --- the queue of free blocks -----------------------------------------------------------------
  void link_after(std::int32_t before, std::int32_t run) {
    Run& r = at(run);
    r.previous = before;
    std::int32_t& forward = before == kNone ? head : at(before).next;
    r.next = std::exchange(forward, run);
    (r.next == kNone ? tail : at(r.next).previous) = run;
  }
  void unlink(std::int32_t run) {
    const Run& r = at(run);
    (r.previous == kNone ? head : at(r.previous).next) = r.next;
    (r.next == kNone ? tail : at(r.next).previous) = r.previous;
  }
  void free_private(std::int64_t blocks) {
    if (blocks <= 0) return;
    free += blocks;
    if (tail != kNone && at(tail).parent == kNone) {
      at(tail).length += blocks;
      return;
    }
    const std::int32_t run = make();
    at(run).length = blocks;
    link_after(tail, run);
  }
  /// From the head: the ends of texts were released before what is in front of them, so a run in
  /// the tree gives its last blocks first, and has no children when it is at the head.
  std::int64_t allocate(std::int64_t blocks) {
    blocks = std::clamp<std::int64_t>(blocks, 0, free);
    free -= blocks;
    for (std::int64_t left = blocks; left > 0;) {
      const std::int32_t run = head;
      Run& r = at(run);
      const std::int64_t taken = std::min(left, r.length);
      left -= taken;
      const bool in_tree = r.parent != kNone;
      if (in_tree) cached -= taken;
      if (taken < r.length) {
        r.length -= taken;
        break;
      }
      unlink(run);
      if (in_tree) {
        erase(run);
        --at(r.parent).children;
      }
      discard(run);
    }
    return blocks;
  }

  // --- the tree ---------------------------------------------------------------------------------
  /// Blocks of `run`, whose first unit is the text's, that the text shares, before block `most`.
  [[nodiscard]] std::int64_t match(const Run& run, const Text& text, std::int64_t most) const {
    std::int64_t end = std::min(run.end(), most);
    if (run.kind == 0) return end - run.first;
    end = std::min(end, text.named());
    const std::int64_t unit = text.grid().unit(run.first);
    const std::int64_t more = text.grid().unit(end - 1) - unit;
    const std::uint64_t* const known = keys.at(run.keys);
    for (std::int64_t i = 1; i <= more; ++i) {
      if (known[i] != text.unit_key(unit + i)) return text.grid().begin(unit + i) - run.first;
    }
    return end - run.first;
  }

  /// Cuts a run before block `place` of the text. The upper part is the new run, so that what
  /// points to the end of the old one still does.
  std::int32_t split(std::int32_t run, std::int64_t place) {
    const std::int32_t upper = make();
    Run& low = at(run);
    Run& up = at(upper);
    const std::size_t slot = slot_of(low.parent, low.kind, low.key);
    up = {.key = low.key,
          .first = low.first,
          .length = place - low.first,
          .parent = low.parent,
          .kind = low.kind,
          .references = low.references > 0 ? 1 : 0,
          .children = 1};
    if (low.kind > 0) {
      const Grid on = grid(low);
      const std::int64_t unit = on.unit(low.first);
      const std::int64_t above = on.unit(place - 1) - unit + 1, cut = on.unit(place) - unit;
      const std::int64_t all = on.unit(low.end() - 1) - unit + 1;
      keys.reserve(up, 0, above);
      std::uint64_t* const known = keys.at(low.keys);
      std::copy_n(known, above, keys.at(up.keys));
      std::copy(known + cut, known + all, known);
      low.key = known[0];
    }
    low.length = low.end() - place;
    low.first = place;
    low.parent = upper;
    slots[slot].run = upper;  // under the same parent and key
    insert(run);
    if (up.references == 0) link_after(run, upper);
    return upper;
  }

  void index(Holding& holding, const Text& text, std::int64_t target) {
    while (holding.shared < target) {
      const std::int64_t from = holding.shared;
      const std::int32_t kind = text.kind(from);
      const std::uint64_t key = text.key(from);
      if (child(holding.leaf, kind, key) != kNone) return;
      const std::int64_t to = kind > 0 ? std::min(target, text.named()) : target;
      std::int32_t run = holding.leaf;
      // A leaf that nobody else holds grows; else the text goes on in a run of its own. That one's
      // reference takes the place of the holding's in its parent.
      const bool grows =
          run != kRoot && at(run).references == 1 && at(run).children == 0 && at(run).kind == kind;
      if (!grows) {
        run = make();
        Run& r = at(run);
        r.key = key;
        r.first = from;
        r.parent = holding.leaf;
        r.kind = kind;
        r.references = 1;
        ++at(holding.leaf).children;
        insert(run);
        holding.leaf = run;
      }
      Run& r = at(run);
      if (kind > 0) {
        const Grid& on = text.grid();
        const std::int64_t unit = on.unit(r.first), last = on.unit(to - 1);
        const std::int64_t known = r.length > 0 ? on.unit(from - 1) - unit + 1 : 0;
        keys.reserve(r, known, last - unit + 1);
        std::uint64_t* const place = keys.at(r.keys);
        for (std::int64_t i = known; i <= last - unit; ++i) place[i] = text.unit_key(unit + i);
      }
      r.length += to - from;
      cached += to - from;
      holding.shared = to;
    }
  }

  [[nodiscard]] const char* inconsistency() const;
};

const char* KvPool::State::inconsistency() const {
  std::vector<std::int64_t> turn(runs.size(), -1);  // in the queue
  std::int64_t count = 0, sum = 0, without = 0;
  std::int32_t previous = kNone;
  for (std::int32_t i = head; i != kNone; previous = i, i = at(i).next) {
    if (turn[static_cast<std::size_t>(i)] >= 0) return "the queue runs in a circle";
    turn[static_cast<std::size_t>(i)] = count++;
    if (at(i).previous != previous) return "the queue's links disagree";
    if (at(i).length <= 0) return "an empty run is in the queue";
    if (at(i).parent == kNone) ++without;
    sum += at(i).length;
  }
  if (tail != previous) return "the queue's tail is not its last run";
  if (sum != free) return "the free blocks are not those of the queue";
  std::vector<std::int32_t> below(runs.size()), referenced(runs.size());
  std::int64_t content = 0, held = 0;
  std::size_t live = 0;
  for (const Slot& slot : slots) {
    if (slot.run == kNone) continue;
    ++live;
    const Run& run = at(slot.run);
    const auto self = static_cast<std::size_t>(slot.run), up = static_cast<std::size_t>(run.parent);
    if (run.length <= 0) return "an empty run is in the tree";
    if (child(run.parent, run.kind, run.key) != slot.run) return "a run is not found by its key";
    if (run.parent != kRoot && at(run.parent).length <= 0) return "a run's parent is gone";
    if (at(run.parent).end() != run.first) return "a run does not begin where its parent ends";
    if (run.kind > 0 && *keys.at(run.keys) != run.key) return "a run's first key is not its key";
    if ((run.references == 0) != (turn[self] >= 0)) return "a run is queued but referenced";
    if (run.references == 0 && run.parent != kRoot && at(run.parent).references == 0 &&
        turn[up] < turn[self]) {
      return "a run would be forgotten before what continues it";
    }
    ++below[up];
    if (run.references > 0) ++referenced[up];
    content += run.length;
    if (run.references > 0) held += run.length;
  }
  for (const Slot& slot : slots) {
    if (slot.run == kNone) continue;
    const auto self = static_cast<std::size_t>(slot.run);
    if (below[self] != at(slot.run).children) return "a run's children are miscounted";
    if (referenced[self] > at(slot.run).references) return "a run's references are miscounted";
  }
  if (live != children) return "the tree's runs are miscounted";
  if (content != cached) return "the cached blocks are not those of the tree";
  if (held > total - free) return "more blocks are referenced than used";
  std::size_t spare = 0;
  for (std::int32_t i = unused; i != kNone; i = at(i).next) ++spare;
  if (1 + live + static_cast<std::size_t>(without) + spare != runs.size()) return "runs are lost";
  return "";
}

KvPool::KvPool(std::int64_t blocks, std::int32_t block_tokens, bool caching)
    : state_(std::make_unique<State>(blocks, block_tokens, caching)) {}
KvPool::KvPool(KvPool&&) noexcept = default;
KvPool& KvPool::operator=(KvPool&&) noexcept = default;
KvPool::~KvPool() = default;

KvPool::Hit KvPool::find(const Content& content, std::int64_t most_blocks) const {
  const State& s = *state_;
  Hit hit;
  if (!s.caching) return hit;
  const Text text(content, s.block_tokens);
  while (hit.blocks < most_blocks) {
    const std::int32_t next = s.child(hit.run, text.kind(hit.blocks), text.key(hit.blocks));
    if (next == kNone) break;
    const Run& run = s.at(next);
    const std::int64_t shared = s.match(run, text, most_blocks);
    hit.run = next;
    hit.blocks += shared;
    if (run.references == 0) hit.free += shared;
    if (shared < run.length) break;
  }
  return hit;
}

void KvPool::take(Holding& holding, const Content& /*content*/, const Hit& hit) {
  if (hit.blocks <= 0) return;
  State& s = *state_;
  std::int32_t run = hit.run;
  while (s.at(run).first >= hit.blocks) run = s.at(run).parent;
  if (s.at(run).end() > hit.blocks) run = s.split(run, hit.blocks);
  holding = {.leaf = run, .shared = hit.blocks, .owned = hit.blocks};
  for (; run != kRoot && s.at(run).references++ == 0; run = s.at(run).parent) {
    s.unlink(run);
    s.free -= s.at(run).length;
  }
}

void KvPool::grow(Holding& holding, std::int64_t blocks) {
  holding.owned += state_->allocate(blocks - holding.owned);
}

void KvPool::index(Holding& holding, const Content& content, std::int64_t tokens) {
  State& s = *state_;
  if (!s.caching) return;
  const std::int64_t target = std::min(tokens / s.block_tokens, holding.owned);
  if (holding.shared < target) s.index(holding, Text(content, s.block_tokens), target);
}

void KvPool::release(Holding& holding) {
  State& s = *state_;
  s.free_private(holding.owned - holding.shared);
  for (std::int32_t run = holding.leaf; run != kRoot && --s.at(run).references == 0;
       run = s.at(run).parent) {
    s.link_after(s.tail, run);
    s.free += s.at(run).length;
  }
  holding = {};
}

void KvPool::grow_anonymous(std::int64_t blocks) { state_->allocate(blocks); }

std::int64_t KvPool::free_blocks() const { return state_->free; }
std::int64_t KvPool::used_blocks() const { return state_->total - state_->free; }
std::int64_t KvPool::total_blocks() const { return state_->total; }
std::int64_t KvPool::cached_blocks() const { return state_->cached; }
std::int32_t KvPool::block_tokens() const { return state_->block_tokens; }
void KvPool::clear() { state_->clear(); }
const char* KvPool::inconsistency() const { return state_->inconsistency(); }

}  // namespace portolan::simulation
