#include "market/snapshot.hpp"

#include <span>
#include <utility>

#include "base/check.hpp"
#include "io/compression.hpp"
#include "market/columns.hpp"
#include "market/tables.hpp"

namespace portolan::market {
namespace {

// Changes with every change of the layout below: a snapshot of another version is refused.
constexpr std::string_view kMagic = "PORTOLAN-SNAPSHOT-1\n";
constexpr int kCompressionLevel = 19;
constexpr std::uint64_t kLargest = 256ull << 20;

template <class Enum, class Archive, class Row>
void enumeration(Archive& archive, std::vector<Row>& rows, Enum Row::* member, int values) {
  for (Row& row : rows) {
    int number = static_cast<int>(row.*member);
    archive.value(number);
    if constexpr (Archive::kReads) {
      if (number < 0 || number >= values) {
        archive.fail();
        number = 0;
      }
      row.*member = static_cast<Enum>(number);
    }
  }
}

template <class Archive, class Row>
void texts(Archive& archive, std::vector<Row>& rows, std::vector<std::string> Row::* member) {
  for (Row& row : rows) {
    table_size(archive, row.*member);
    for (std::string& text : row.*member) archive.value(text);
  }
}

template <class Archive>
void accelerators_table(Archive& archive, std::vector<hardware::Accelerator>& rows) {
  using A = hardware::Accelerator;
  table_size(archive, rows);
  columns(archive, rows, &A::id, &A::vendor, &A::name, &A::architecture, &A::form_factor,
          &A::memory, &A::memory_label, &A::memory_label_bytes, &A::memory_reported,
          &A::memory_type, &A::bandwidth);
  for (std::size_t rate = 0; rate < hardware::kRateCount; ++rate) {
    for (A& row : rows) archive.value(row.peak[rate]);
  }
  columns(archive, rows, &A::sparse_multiplier, &A::tdp, &A::link_name, &A::link_per_direction,
          &A::link_peer_per_direction, &A::link_domain, &A::pcie_generation, &A::pcie_per_direction,
          &A::compute_capability, &A::devices, &A::multiprocessors, &A::launch_price_usd,
          &A::measured_bf16, &A::measured_fp8, &A::tensor_cores, &A::flop_per_cycle_per_core,
          &A::boost_clock_hz, &A::is_cpu, &A::announced, &A::planned, &A::conflicts,
          &A::recalled_fields, &A::note, &A::source, &A::date);
  enumeration(archive, rows, &A::link, 5);
  for (A& row : rows) {
    bool known = row.released.has_value();
    archive.value(known);
    if (!known) continue;
    if constexpr (Archive::kReads) row.released.emplace();
    archive.value(row.released->earliest);
    archive.value(row.released->latest);
  }
}

template <class Archive>
void aliases_table(Archive& archive, std::vector<hardware::Accelerators::Alias>& rows) {
  using A = hardware::Accelerators::Alias;
  table_size(archive, rows);
  columns(archive, rows, &A::alias, &A::provider, &A::accelerator_id, &A::note, &A::ambiguous);
  texts(archive, rows, &A::alternatives);
}

template <class Archive, class Row>
void observed(Archive& archive, std::vector<Row>& rows) {
  for (Row& row : rows) archive.value(row.observed.earliest);
  for (Row& row : rows) archive.value(row.observed.latest);
}

// The accelerator of an offer as its place in the sorted table, 0 = none.
template <class Archive>
void offer_accelerators(Archive& archive, std::vector<Offer>& rows,
                        std::span<const hardware::Accelerator> known) {
  for (Offer& row : rows) {
    std::int64_t place = row.accelerator == nullptr ? 0 : row.accelerator - known.data() + 1;
    archive.value(place);
    if constexpr (Archive::kReads) {
      if (place < 0 || place > static_cast<std::int64_t>(known.size())) {
        archive.fail();
        place = 0;
      }
      row.accelerator = place == 0 ? nullptr : &known[static_cast<std::size_t>(place - 1)];
    }
  }
}

// Parts and their sum: a single part is the price itself and not written again.
template <class Archive>
void offer_components(Archive& archive, std::vector<Offer>& rows) {
  for (Offer& row : rows) {
    table_size(archive, row.components);
    const bool several = row.components.size() > 1;
    for (Component& part : row.components) {
      archive.value(part.kind);
      if (several) archive.value(part.usd_per_hour);
      if constexpr (Archive::kReads) {
        if (!several && row.usd_per_hour) part.usd_per_hour = *row.usd_per_hour;
        part.source = row.source;
      }
    }
  }
}

template <class Archive>
void offers_table(Archive& archive, std::vector<Offer>& rows,
                  std::span<const hardware::Accelerator> known) {
  using O = Offer;
  table_size(archive, rows);
  columns(archive, rows, &O::provider, &O::upstream, &O::sku, &O::region, &O::zone, &O::zone_id,
          &O::country, &O::accelerator_raw, &O::count, &O::partition_memory, &O::vcpus, &O::memory,
          &O::usd_per_hour, &O::gpu_component_only, &O::source, &O::revision, &O::gate);
  offer_accelerators(archive, rows, known);
  enumeration(archive, rows, &O::purchase, 7);
  enumeration(archive, rows, &O::standing, 3);
  observed(archive, rows);
  texts(archive, rows, &O::flags);
  offer_components(archive, rows);
}

template <class Archive>
void api_table(Archive& archive, std::vector<ApiPrice>& rows) {
  using P = ApiPrice;
  table_size(archive, rows);
  columns(archive, rows, &P::provider, &P::model, &P::hf_id, &P::context, &P::input, &P::output,
          &P::cache_read, &P::cache_write, &P::batch_input, &P::batch_output, &P::time_window,
          &P::flags, &P::other, &P::source, &P::effective_from);
  observed(archive, rows);
  for (P& row : rows) {
    table_size(archive, row.tiers);
    for (P::Tier& tier : row.tiers) {
      archive.value(tier.above_tokens);
      archive.value(tier.input);
      archive.value(tier.output);
    }
  }
}

template <class Archive>
void side_tables(Archive& archive, Catalogue::Data& data) {
  table_size(archive, data.providers);
  columns(archive, data.providers, &Provider::id, &Provider::name, &Provider::kind,
          &Provider::delivery_model, &Provider::billing_quantum, &Provider::minimum_commitment,
          &Provider::support_tiers, &Provider::discount_programmes, &Provider::price_feed,
          &Provider::billing_quantum_seconds, &Provider::minimum_seconds, &Provider::spot,
          &Provider::multi_node, &Provider::stop_resume, &Provider::recalled_fields,
          &Provider::source, &Provider::date);
  table_size(archive, data.engine_support);
  columns(archive, data.engine_support, &EngineSupport::engine, &EngineSupport::job,
          &EngineSupport::vendor, &EngineSupport::architecture, &EngineSupport::formats,
          &EngineSupport::confidence, &EngineSupport::advise_proof_of_concept, &EngineSupport::note,
          &EngineSupport::source, &EngineSupport::date);
  table_size(archive, data.egress);
  columns(archive, data.egress, &Egress::provider, &Egress::destination, &Egress::from_gb,
          &Egress::to_gb, &Egress::usd_per_gb, &Egress::note, &Egress::source, &Egress::date);
  table_size(archive, data.constants);
  columns(archive, data.constants, &Constant::key, &Constant::value, &Constant::unit,
          &Constant::note, &Constant::source, &Constant::date);
  table_size(archive, data.interconnects);
  columns(archive, data.interconnects, &Interconnect::provider, &Interconnect::sku_prefix,
          &Interconnect::accelerator_id, &Interconnect::per_node, &Interconnect::link_name,
          &Interconnect::link_per_direction, &Interconnect::link_domain, &Interconnect::fabric,
          &Interconnect::node_network, &Interconnect::rdma, &Interconnect::note,
          &Interconnect::source, &Interconnect::date);
  enumeration(archive, data.interconnects, &Interconnect::link, 5);
  table_size(archive, data.sources);
  columns(archive, data.sources, &Source::id, &Source::title, &Source::path, &Source::rank,
          &Source::trust, &Source::licence, &Source::note, &Source::date);
}

template <class Archive>
void gate_counts(Archive& archive, GateCounts& counts) {
  std::vector<std::pair<std::string, std::size_t>> rows(counts.begin(), counts.end());
  table_size(archive, rows);
  for (auto& [name, count] : rows) {
    archive.value(name);
    auto number = static_cast<std::int64_t>(count);
    archive.value(number);
    count = static_cast<std::size_t>(number);
  }
  if constexpr (Archive::kReads) counts = GateCounts(rows.begin(), rows.end());
}

// Everything but the hardware tables, which a reader must have before it can read an offer.
template <class Archive>
void prices(Archive& archive, Catalogue::Data& data) {
  side_tables(archive, data);
  gate_counts(archive, data.gates);
  archive.value(data.date);
  const std::span<const hardware::Accelerator> known = data.accelerators->all();
  offers_table(archive, data.offers, known);
  offers_table(archive, data.history, known);
  api_table(archive, data.api_prices);
}

}  // namespace

bool is_snapshot(std::string_view bytes) { return bytes.starts_with(kMagic); }

std::string wrapped(std::string_view tables) {
  return std::string(kMagic) + io::zstd_compress(tables, kCompressionLevel);
}

std::string encode(const Catalogue::Data& data) {
  PORTOLAN_CHECK(data.accelerators != nullptr);
  // One description serves both directions, so the writer too takes mutable values: of a copy.
  Catalogue::Data copy = data;
  ColumnWriter writer;
  const std::span<const hardware::Accelerator> all = data.accelerators->all();
  const std::span<const hardware::Accelerators::Alias> spellings = data.accelerators->aliases();
  std::vector<hardware::Accelerator> accelerators(all.begin(), all.end());
  std::vector<hardware::Accelerators::Alias> aliases(spellings.begin(), spellings.end());
  accelerators_table(writer, accelerators);
  aliases_table(writer, aliases);
  prices(writer, copy);
  return wrapped(writer.finish());
}

Result<Catalogue::Data> decode(std::string_view bytes, const std::string& file) {
  if (!is_snapshot(bytes)) {
    return fail(ErrorCode::kMalformed, file + " is no catalogue snapshot of this version",
                "build it with the snapshot tool of the same version");
  }
  const std::string content = PORTOLAN_TRY(io::unzstd(bytes.substr(kMagic.size()), file, kLargest));
  ColumnReader reader(content);
  std::vector<hardware::Accelerator> accelerators;
  std::vector<hardware::Accelerators::Alias> aliases;
  accelerators_table(reader, accelerators);
  aliases_table(reader, aliases);
  const auto damaged = [&] {
    return fail(ErrorCode::kMalformed, file + " is damaged: its tables do not read to their end");
  };
  if (!reader.good()) return damaged();
  Result<hardware::Accelerators> known =
      hardware::Accelerators::from_tables(std::move(accelerators), std::move(aliases));
  if (!known) return damaged();
  Catalogue::Data data;
  data.accelerators = std::make_shared<const hardware::Accelerators>(*std::move(known));
  prices(reader, data);
  if (!reader.at_end()) return damaged();
  set_confidence(data.offers, data.sources, data.date);
  return data;
}

}  // namespace portolan::market
