// The getters of job_fields.hpp and the reader of a job's `where:`.
#include "planner/job_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan::planner {

// A value that must lie above zero (and below a cap); zero and negative values are contradictions,
// not empty constraints.
std::optional<double> positive(io::Fields& fields, std::string_view key,
                               std::optional<double> value, double most) {
  if (!value) return std::nullopt;
  if (*value > 0 && *value <= most) return value;
  fields.problem(key, *value > most ? fmt::format("{} is above the maximum {}", shortest(*value),
                                                  shortest(most))
                                    : fmt::format("{} is not above 0", shortest(*value)));
  return std::nullopt;
}

std::optional<Seconds> positive_duration(io::Fields& fields, std::string_view key) {
  const std::optional<Seconds> value = fields.duration(key);
  if (!value) return std::nullopt;
  if (*value > Seconds(0) && *value <= 1000 * kYear) return value;
  fields.problem(key, fmt::format("{} is not {}", duration_text(*value),
                                  *value > Seconds(0) ? "below 1000 years" : "above 0"));
  return std::nullopt;
}

// A list of names that must not be empty or hold one twice.
std::vector<std::string> names(io::Fields& fields, std::string_view key) {
  const std::optional<std::vector<std::string>> list = fields.texts(key);
  if (!list) return {};
  if (list->empty()) {
    fields.problem(key, "the list is empty", fmt::format("leave {} out to allow all of them", key));
  }
  if (list->size() > kMostNames) {
    fields.problem(key, fmt::format("{} names, at most {} are read", list->size(), kMostNames));
    return {};
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (trim((*list)[i]).empty()) fields.problem(key, "an empty name");
    for (std::size_t j = 0; j < i; ++j) {
      if (to_lower((*list)[i]) == to_lower((*list)[j])) {
        fields.problem(key, fmt::format("{} appears twice", quoted((*list)[i])));
        break;
      }
    }
  }
  return *list;
}

namespace {

class WhereReader {
 public:
  WhereReader(const io::Value& value, std::string pointer, JobKind kind, io::Problems& problems)
      : value_(value), pointer_(std::move(pointer)), kind_(kind), problems_(problems) {}

  WhereToLook read() {
    io::Fields fields(value_, pointer_, problems_);
    if (!value_.is_object()) return {};
    WhereToLook& where = where_;
    where.providers = names(fields, "providers");
    where.exclude_providers = names(fields, "exclude_providers");
    for (const std::string& name : where.providers) {
      const bool both =
          std::any_of(where.exclude_providers.begin(), where.exclude_providers.end(),
                      [&](const std::string& other) { return to_lower(other) == to_lower(name); });
      if (both) {
        fields.problem("exclude_providers",
                       fmt::format("{} is in providers and in exclude_providers", quoted(name)),
                       "keep one of the two");
      }
    }
    where.regions = names(fields, "regions");
    where.countries = names(fields, "countries");
    where.gpus = names(fields, "gpus");
    read_purchase(fields);
    read_caps(fields);
    where.announced = fields.boolean("announced").value_or(false);
    for (const std::string& link : names(fields, "interconnect")) {
      if (to_lower(link) == "nvlink") {
        where.need_scale_up_link = true;
      } else if (to_lower(link) == "rdma") {
        where.need_rdma = true;
      } else {
        fields.problem("interconnect", fmt::format("unknown {}", quoted(link)),
                       "nvlink (any scale-up link inside the node) or rdma (between nodes)");
      }
    }
    read_supply(fields);
    fields.finish();
    return std::move(where_);
  }

 private:
  void read_purchase(io::Fields& fields) {
    for (const std::string& name : names(fields, "purchase")) {
      const Result<market::Purchase> purchase = market::parse_purchase(name);
      if (purchase) {
        where_.purchase.push_back(*purchase);
      } else {
        fields.problem("purchase", purchase.error().message, purchase.error().hint);
      }
    }
  }

  void read_supply(io::Fields& fields) {
    if (const io::Value* quotas = fields.get("quotas")) {
      const std::string pointer = fields.pointer("quotas");
      io::Fields each(*quotas, pointer, problems_);
      if (quotas->is_object() && quotas->object().size() > kMostNames) {
        fields.problem("quotas", fmt::format("at most {} are read", kMostNames));
      } else if (quotas->is_object()) {
        for (const io::Value::Member& member : quotas->object()) {
          const auto count = each.integer(member.first, 0, 1'000'000'000);
          if (count) where_.quotas.push_back({member.first, static_cast<double>(*count)});
        }
      }
    }
    const io::Value* sold_out = fields.get("sold_out");
    if (sold_out == nullptr) return;
    if (!sold_out->is_array()) {
      fields.problem("sold_out", "expected a list of {provider, region, gpu}",
                     "sold_out: [{provider: lambda, gpu: h100-sxm}]");
      return;
    }
    if (sold_out->array().size() > kMostNames) {
      fields.problem("sold_out", fmt::format("at most {} entries are read", kMostNames));
      return;
    }
    for (std::size_t i = 0; i < sold_out->array().size(); ++i) {
      const std::string pointer = fmt::format("{}/{}", fields.pointer("sold_out"), i);
      io::Fields entry(sold_out->array()[i], pointer, problems_);
      if (!sold_out->array()[i].is_object()) continue;
      SoldOut fact{.provider = entry.text("provider").value_or(""),
                   .region = entry.text("region").value_or(""),
                   .gpu = entry.text("gpu").value_or("")};
      entry.finish();
      if (fact.provider.empty() && fact.region.empty() && fact.gpu.empty()) {
        problems_.add(sold_out->array()[i], pointer,
                      "sold_out: an entry without any key would exclude everything");
      } else {
        where_.sold_out.push_back(std::move(fact));
      }
    }
  }

  void read_caps(io::Fields& fields) {
    WhereToLook& where = where_;
    where.max_usd_per_hour = fields.usd_per_hour("max_usd_per_hour");
    if (where.max_usd_per_hour && !(*where.max_usd_per_hour > UsdRate(0))) {
      fields.problem("max_usd_per_hour", "nothing costs 0 or less", "leave it out for no limit");
    }
    where.max_usd_total = parsed(fields, "max_usd_total", parse_usd);
    if (where.max_usd_total && !(*where.max_usd_total > Usd(0))) {
      fields.problem("max_usd_total", "nothing costs 0 or less", "leave it out for no limit");
    }
    if (where.max_usd_total && kind_ == JobKind::kServe) {
      fields.problem("max_usd_total", "has no meaning in a serving job",
                     "a serving job has no end; use max_usd_per_hour");
    }
    constexpr std::int64_t kMost = 1'000'000'000;
    if (const auto most = fields.integer("max_accelerators", 1, kMost)) {
      where.max_accelerators = static_cast<double>(*most);
    }
    if (const auto most = fields.integer("max_nodes", 1, kMost)) {
      where.max_nodes = static_cast<double>(*most);
    }
    if (const auto age = positive_duration(fields, "max_price_age")) {
      where.max_price_age_days = static_cast<std::int32_t>(std::floor(age->in(kDay)));
    }
  }

  const io::Value& value_;
  std::string pointer_;
  JobKind kind_;
  io::Problems& problems_;
  WhereToLook where_;
};

}  // namespace

WhereToLook read_where(const io::Value& value, const std::string& pointer, JobKind kind,
                       io::Problems& problems) {
  return WhereReader(value, pointer, kind, problems).read();
}

}  // namespace portolan::planner
