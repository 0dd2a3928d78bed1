#include "hardware/tables.hpp"

#include <array>
#include <utility>

#include "base/text.hpp"
#include "hardware/table_row.hpp"

namespace portolan::hardware {
namespace {

constexpr std::array<std::pair<std::string_view, LinkKind>, 5> kLinkKinds{
    {{"none", LinkKind::kNone},
     {"switched", LinkKind::kSwitched},
     {"bridge", LinkKind::kBridge},
     {"mesh", LinkKind::kMesh},
     {"torus", LinkKind::kTorus}}};

std::string memory_label(Bytes bytes) {
  return bytes.raw() > 0 ? significant(bytes.in(kGB), 4) + "GB" : std::string();
}

Accelerator accelerator_of(TableRow& row) {
  Accelerator a;
  a.id = row.text("id");
  a.vendor = row.text("vendor");
  a.name = row.text("name");
  a.architecture = row.text("architecture");
  a.form_factor = row.text("form_factor");
  a.is_cpu = row.text("kind") == "cpu";
  a.planned = row.flag("planned");
  a.announced = row.flag("announced");
  a.memory = row.quantity<Bytes>("memory_bytes").value_or(Bytes(0));
  a.memory_reported = row.text("memory_basis") == "reported";
  a.memory_label_bytes = row.quantity<Bytes>("memory_label_bytes").value_or(Bytes(0));
  a.memory_label = memory_label(a.memory_label_bytes);
  a.memory_type = row.text("memory_type");
  a.bandwidth = row.quantity<BytesPerSecond>("memory_bytes_per_second").value_or(BytesPerSecond(0));
  for (std::size_t i = 0; i < kRateCount; ++i) {
    const std::string_view name = rate_name(static_cast<Rate>(i));
    const std::string_view unit = name.starts_with("int") ? "_op_per_second" : "_flop_per_second";
    a.peak[i] = row.quantity<FlopPerSecond>(std::string(name).append(unit));
  }
  a.sparse_multiplier = row.number("sparse_multiplier").value_or(1);
  a.measured_bf16 = row.quantity<FlopPerSecond>("measured_bf16_flop_per_second");
  a.measured_fp8 = row.quantity<FlopPerSecond>("measured_fp8_flop_per_second");
  a.tdp = row.quantity<Watts>("tdp_watts");
  a.link_name = row.text("link");
  if (const Result<LinkKind> kind = parse_link_kind(row.text("link_topology")); kind) {
    a.link = *kind;
  } else {
    row.problem(kind.error().message);
  }
  a.link_per_direction = row.quantity<BytesPerSecond>("link_bytes_per_second_per_direction");
  a.link_peer_per_direction =
      row.quantity<BytesPerSecond>("link_peer_bytes_per_second_per_direction");
  a.link_domain = static_cast<std::int64_t>(row.number("link_domain").value_or(1));
  const auto whole = [&](std::string_view column) -> std::optional<int> {
    const std::optional<double> value = row.number(column);
    return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
  };
  a.pcie_generation = whole("pcie_generation");
  a.pcie_per_direction = row.quantity<BytesPerSecond>("pcie_bytes_per_second_per_direction");
  a.compute_capability = row.text("compute_capability");
  a.multiprocessors = whole("sm_count");
  a.tensor_cores = row.number("tensor_cores");
  a.flop_per_cycle_per_core = row.number("flop_per_cycle_per_core");
  a.boost_clock_hz = row.number("boost_clock_hz");
  a.devices = whole("devices_per_board").value_or(1);
  if (const std::string released = row.text("release_date"); !released.empty()) {
    if (const Result<DateInterval> interval = parse_date_interval(released); interval) {
      a.released = *interval;
    } else {
      row.problem(interval.error().message);
    }
  }
  a.launch_price_usd = row.number("launch_price_usd");
  a.conflicts = row.text("conflicts");
  a.recalled_fields = row.text("recalled_fields");
  a.note = row.text("note");
  a.source = row.text("source");
  a.date = row.text("date");
  return a;
}

Accelerators::Alias alias_of(TableRow& row) {
  Accelerators::Alias alias;
  alias.alias = row.text("alias");
  alias.provider = row.text("provider");
  alias.accelerator_id = row.text("accelerator_id");
  alias.note = row.text("note");
  alias.ambiguous = row.flag("ambiguous");
  const std::string alternatives = row.text("alternatives");
  for (const std::string_view id : split(alternatives, ';')) {
    if (!id.empty()) alias.alternatives.emplace_back(id);
  }
  return alias;
}

}  // namespace

Result<LinkKind> parse_link_kind(std::string_view name) {
  for (const auto& [text, kind] : kLinkKinds) {
    if (text == name) return kind;
  }
  return fail(ErrorCode::kInvalidInput, "link topology " + quoted(name) + " is unknown",
              "write none, switched, bridge, mesh or torus");
}

std::string_view link_kind_name(LinkKind kind) {
  return kLinkKinds[static_cast<std::size_t>(kind)].first;
}

Result<std::vector<Accelerator>> read_accelerators(std::string_view csv, const std::string& file) {
  return read_table<Accelerator>(csv, file, accelerator_of);
}

Result<std::vector<Accelerators::Alias>> read_aliases(std::string_view csv,
                                                      const std::string& file) {
  return read_table<Accelerators::Alias>(csv, file, alias_of);
}

}  // namespace portolan::hardware
