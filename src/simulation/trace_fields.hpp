// What reading a row of a table of fields takes, however the row is spelled. For trace_rows.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "io/line_reader.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {

/// What the fields of one row say, before it is checked.
struct Raw {
  std::uint32_t seen = 0;  // bits of Field
  Instant arrival = 0;
  std::int64_t input = 0, output = 0, group_tokens = 0, id_tokens = 0;
  std::optional<Time> deadline;
  std::optional<Instant> deadline_at;
  std::string model, slo_class, adapter, group;
  std::uint64_t conversation = 0;
  bool failed = false;

  [[nodiscard]] bool has(Field field) const {
    return ((seen >> static_cast<int>(field)) & 1u) != 0;
  }
  void clear() {
    seen = 0;
    group_tokens = id_tokens = 0;
    deadline.reset();
    deadline_at.reset();
    model.clear();
    slo_class.clear();
    adapter.clear();
    group.clear();
    conversation = 0;
    failed = false;
  }
};

class TableReader : public TraceReader {
 public:
  TableReader(io::LineReader lines, const FormatSpec& format, const TraceOptions& options)
      : lines_(std::move(lines)),
        format_(format),
        models_(options.models),
        classes_(options.classes),
        id_tokens_(format.name == "mooncake" ? options.hash_tokens : format.id_tokens) {}

  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const override {
    return lines_.fail_here(code, std::move(message), std::move(why), std::move(hint));
  }

 protected:
  /// Keeps a number of the row; empty text when it is one, else what is wrong with it.
  std::string_view take_number(const FieldSpec& spec, std::string_view text);
  void take_text(Field field, std::string_view text);
  [[nodiscard]] std::unexpected<Error> fail_field(std::string_view name, std::string_view text,
                                                  std::string_view what) const;
  /// Checks what has been read and makes a request of it; ids are in place already.
  Result<Row> finish(Request& request, Instant& arrival);

  io::LineReader lines_;
  const FormatSpec& format_;
  Raw raw_;
  std::int64_t named_tokens_ = 0;  // in the list of the prompt's tokens

 private:
  /// Most traces name the same model row after row.
  struct LastName {
    std::string name;
    std::uint32_t last = 0;
    bool known = false;
    Result<std::uint32_t> number(const std::map<std::string, std::uint32_t>& numbers,
                                 const std::string& wanted, std::string_view what);
  };
  [[nodiscard]] Result<std::uint32_t> placed(Result<std::uint32_t> result) const;
  [[nodiscard]] std::string_view name_of(Field field) const;
  Result<void> check_length(Field field, std::int64_t tokens) const;
  std::uint32_t adapter_number();
  Result<Row> check_ids(Request& request) const;

  const std::map<std::string, std::uint32_t> models_, classes_;
  LastName model_, class_;
  std::unordered_map<std::string, std::uint32_t> adapters_;
  std::int32_t id_tokens_;
};

}  // namespace portolan::simulation
