// The embedded form of a profile: the fields of each curve one after the other, as this machine
// stores them. Read and written by one build only.
#include <cstring>
#include <type_traits>

#include "base/check.hpp"
#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

class Writer {
 public:
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void field(const T& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void field(const std::string& text) { list(text); }
  template <class T>
  void field(const std::vector<T>& items) {
    list(items);
  }
  std::string bytes;

 private:
  template <class List>
  void list(const List& items) {
    field(static_cast<std::uint32_t>(items.size()));
    bytes.append(reinterpret_cast<const char*>(items.data()),
                 items.size() * sizeof(typename List::value_type));
  }
};

class Reader {
 public:
  explicit Reader(std::string_view packed) : rest_(packed) {}
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void field(T& value) {
    std::memcpy(&value, take(sizeof value), sizeof value);
  }
  void field(std::string& text) { list(text); }
  template <class T>
  void field(std::vector<T>& items) {
    list(items);
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  template <class List>
  void list(List& items) {
    std::uint32_t count = 0;
    field(count);
    items.resize(count);
    const std::size_t bytes = count * sizeof(typename List::value_type);
    if (bytes > 0) std::memcpy(items.data(), take(bytes), bytes);
  }
  const char* take(std::size_t bytes) {
    PORTOLAN_CHECK(bytes <= rest_.size());
    const char* at = rest_.data();
    rest_.remove_prefix(bytes);
    return at;
  }
  std::string_view rest_;
};

/// Every field of a curve, in one order for both ways.
template <class Codec, class C>
void fields(Codec& codec, C& c) {
  codec.field(c.key.accelerator);
  codec.field(c.key.backend);
  codec.field(c.key.version);
  codec.field(c.key.op);
  codec.field(c.key.dtype);
  codec.field(c.key.kv_dtype);
  codec.field(c.key.variant);
  codec.field(c.roofline);
  for (auto& axis : c.grid.knots) codec.field(axis);
  codec.field(c.grid.step);
  codec.field(c.grid.cells);
  codec.field(c.by_point);
  codec.field(c.by_site);
  codec.field(c.rows);
  codec.field(c.rejected);
  codec.field(c.median_point);
  codec.field(c.p90_point);
  codec.field(c.median_site);
  codec.field(c.p90_site);
  codec.field(c.source);
  codec.field(c.date);
}

}  // namespace

std::string Profile::pack() const {
  PORTOLAN_CHECK(engines_.empty());  // records of known engines are source
  Writer writer;
  for (const Curve& curve : curves_) fields(writer, curve);
  return std::move(writer.bytes);
}

Profile Profile::unpack(std::string_view packed) {
  Profile profile;
  Reader reader(packed);
  while (!reader.done()) fields(reader, profile.curves_.emplace_back());
  return profile;
}

}  // namespace portolan::cost
