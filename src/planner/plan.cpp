#include "planner/plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "planner/ranking.hpp"
#include "planner/search.hpp"

namespace portolan::planner {
namespace {

constexpr std::array<std::string_view, kReasonCount> kReasons{
    "memory",        "slo",           "interconnect",      "precision_unsupported",
    "engine_unsupported", "price_missing", "price_quarantined", "availability",
    "constraint",    "deadline",      "dominated"};

// One of the job's models with its answers, one per shape.
struct Contender {
  model::Model model;
  std::optional<double> quality;
  std::vector<ShapeAnswer> answers;
};

std::string name_of(const model::Model& model) {
  return model.hf_id.empty() ? model.id : model.hf_id;
}

bool contains_flag(const market::Offer& offer, std::string_view flag) {
  return std::find(offer.flags.begin(), offer.flags.end(), flag) != offer.flags.end();
}

// The offers in an order of their own, so that the catalogue's does not matter.
void put_in_order(std::vector<Listing>& listings) {
  const auto key = [](const Listing& listing) {
    const market::Offer& offer = *listing.offer;
    return std::tuple(std::string_view(offer.provider), std::string_view(offer.sku),
                      std::string_view(offer.region), std::string_view(offer.zone),
                      std::string_view(offer.zone_id), offer.purchase,
                      std::string_view(offer.upstream), offer.usd_per_hour, offer.count,
                      std::string_view(offer.source), std::string_view(offer.accelerator_raw));
  };
  std::stable_sort(listings.begin(), listings.end(),
                   [&](const Listing& a, const Listing& b) { return key(a) < key(b); });
}

// Why an offer is out whatever the job is.
std::optional<Miss> unplannable(const Listing& listing, const Job& job) {
  const auto miss = [](Reason reason, std::string lacked, std::string change) {
    return Miss{.reason = reason,
                .factor = std::numeric_limits<double>::infinity(),
                .how = {},
                .lacked = std::move(lacked),
                .change = std::move(change)};
  };
  const market::Offer& offer = *listing.offer;
  const hardware::Accelerator* accelerator = listing.node.accelerator;
  if (accelerator == nullptr) {
    return miss(Reason::kEngineUnsupported,
                offer.accelerator_raw.empty()
                    ? "a host without accelerator is not planned on"
                    : fmt::format("accelerator {} is not in the catalogue",
                                  quoted(offer.accelerator_raw)),
                "");
  }
  if (accelerator->is_cpu) {
    return miss(Reason::kEngineUnsupported, "CPU hosts are not planned on", "");
  }
  if (!accelerator->planned) {
    return miss(Reason::kEngineUnsupported,
                fmt::format("{} is listed, not planned on", accelerator->id), "");
  }
  if (accelerator->announced && !job.where.announced) {
    return miss(Reason::kAvailability, fmt::format("{} is announced", accelerator->id),
                "where: {announced: true}");
  }
  return std::nullopt;
}

std::optional<std::pair<Reason, std::string>> price_problem(const market::Offer& offer) {
  const bool no_price = !offer.usd_per_hour || offer.gate.starts_with("V1 ");
  if (offer.gpu_component_only) {
    return std::pair(Reason::kPriceMissing,
                     std::string("the price of the accelerator without its host"));
  }
  if (no_price) {
    return std::pair(Reason::kPriceMissing,
                     offer.gate.empty() ? "no price is known" : offer.gate);
  }
  if (offer.standing != market::Standing::kAccepted) {
    return std::pair(Reason::kPriceQuarantined,
                     "its price was set aside: " +
                         (offer.gate.empty() ? std::string("no gate named") : offer.gate));
  }
  return std::nullopt;
}

// The cheapest way any contender does the job on an offer.
struct OfferAnswer {
  std::optional<Plan> plan;
  std::size_t contender = 0;
  std::optional<Miss> miss;
};

class Planner {
 public:
  Planner(const Job& job, const Market& market, const Filter& filter,
          std::vector<Contender> contenders, const PlanOptions& options)
      : job_(job),
        market_(market),
        filter_(filter),
        contenders_(std::move(contenders)),
        options_(options),
        shapes_(fold_into_shapes(market)) {}

  PlanResult run() {
    solve();
    PlanResult result;
    result.job = job_;
    judge_offers(result);
    finish(result);
    return result;
  }

 private:
  // Every (model, group of shapes) is a task that writes its own answers.
  void solve() {
    const std::span<const Shape> shapes = shapes_.shapes;
    std::vector<std::vector<std::size_t>> groups;
    if (is_training(job_.kind)) {
      for (std::size_t i = 0; i < shapes.size(); ++i) groups.push_back({i});
    } else if (!shapes.empty()) {
      groups = serving_groups(shapes);
    }
    for (Contender& contender : contenders_) contender.answers.resize(shapes.size());
    parallel_for(groups.size() * contenders_.size(), options_.threads, [&](std::size_t task) {
      Contender& contender = contenders_[task / groups.size()];
      const std::vector<std::size_t>& group = groups[task % groups.size()];
      const Question question{.job = &job_, .model = &contender.model, .market = &market_};
      if (is_training(job_.kind)) {
        contender.answers[group.front()] = solve_training(question, shapes[group.front()]);
        return;
      }
      std::vector<ShapeAnswer> answers = solve_serving(question, shapes, group);
      for (std::size_t i = 0; i < group.size(); ++i) {
        contender.answers[group[i]] = std::move(answers[i]);
      }
    });
  }

  OfferAnswer answer_for(const Listing& listing, std::size_t shape) const {
    OfferAnswer best;
    const market::Offer& offer = *listing.offer;
    const bool lost = offer.purchase == market::Purchase::kSpot ||
                      offer.purchase == market::Purchase::kAuction;
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      const ShapeAnswer& answer = contenders_[i].answers[shape];
      const std::optional<Solution>& solution = lost ? answer.spot : answer.steady;
      if (!solution) {
        if (answer.miss && (!best.miss || came_further(*answer.miss, *best.miss))) {
          best.miss = answer.miss;
        }
        continue;
      }
      if (!offer.usd_per_hour) continue;
      Plan plan = price(job_, offer, market_.provider(offer.provider), *solution);
      if (best.plan && cost_of(*best.plan) <= cost_of(plan)) continue;
      plan.model = contenders_[i].model.id;
      plan.quality = contenders_[i].quality;
      best.plan = std::move(plan);
      best.contender = i;
    }
    return best;
  }

  void note_offer(Plan& plan) const {
    const market::Offer& offer = *plan.offer;
    if (contains_flag(offer, "region_not_availability")) {
      plan.notes.emplace_back("listed in every region, which says nothing about availability");
    }
    if (offer.accelerator->announced) plan.notes.emplace_back("an announced part");
    if (plan.advise_proof_of_concept) {
      plan.notes.push_back(fmt::format("{} on {} is {}: run a proof of concept first", plan.engine,
                                       offer.accelerator->architecture, plan.support_confidence));
    }
  }

  // Each offer ends in a plan or in exactly one reason.
  void judge_offers(PlanResult& result) {
    std::vector<std::pair<std::size_t, std::size_t>> used;  // (shape, contender) of feasible offers
    for (std::size_t i = 0; i < market_.listings.size(); ++i) {
      const Listing& listing = market_.listings[i];
      const market::Offer& offer = *listing.offer;
      const auto refusal = filter_.refuses(offer);
      const auto impossible = unplannable(listing, job_);
      const int shape = shapes_.of_listing[i];
      OfferAnswer answer;
      if (!impossible && shape >= 0) answer = answer_for(listing, static_cast<std::size_t>(shape));
      const auto lose = [&](Reason reason, const std::string& lacked, const std::string& change) {
        if (answer.plan) return tally_.add_priced(reason, *answer.plan, lacked, change);
        tally_.add(offer, {.reason = reason,
                           .factor = std::numeric_limits<double>::infinity(),
                           .how = {},
                           .lacked = lacked,
                           .change = change});
      };
      const auto bad_price = price_problem(offer);
      if (refusal) {
        // A quarantined price proves nothing about what a filter costs.
        if (bad_price) answer.plan.reset();
        lose(Reason::kConstraint, refusal->lacked, refusal->change);
      } else if (bad_price) {
        lose(bad_price->first, bad_price->second, "import a newer price");
      } else if (impossible) {
        tally_.add(offer, *impossible);
      } else if (contains_flag(offer, "no_region")) {
        lose(Reason::kAvailability, "no region sells it now", "ask the provider");
      } else if (const auto gone = filter_.sold_out(offer)) {
        lose(Reason::kAvailability, gone->lacked, gone->change);
      } else if (!answer.plan) {
        tally_.add(offer, answer.miss ? *answer.miss : no_shape(offer));
      } else if (const auto cap = over_cap(job_, *answer.plan, filter_.quota(offer))) {
        lose(cap->reason, cap->lacked, cap->change);
      } else {
        note_offer(*answer.plan);
        ++result.coverage.evaluated;
        used.emplace_back(static_cast<std::size_t>(shape), answer.contender);
        result.plans.push_back(*std::move(answer.plan));
      }
    }
    for (const auto& [shape, contender] : used) {
      for (const Contender& each : contenders_) {
        const ShapeAnswer& answer = each.answers[shape];
        const bool feasible = answer.steady || answer.spot;
        tally_.add_dominated(answer.dominated +
                             (feasible && &each != &contenders_[contender] ? 1 : 0));
      }
    }
  }

  static Miss no_shape(const market::Offer& offer) {
    return {.reason = Reason::kEngineUnsupported,
            .factor = std::numeric_limits<double>::infinity(),
            .how = {},
            .lacked = offer.count > 0 ? "nothing is known about its machine"
                                      : "the number of its accelerators is unknown",
            .change = {}};
  }

  void finish(PlanResult& result) {
    result.models_considered = outcomes(result.plans);
    result.plans = rank(job_, std::move(result.plans));
    const Plan* winner = result.plans.empty() ? nullptr : &result.plans.front();
    result.rejected = tally_.list(job_, winner);
    result.coverage.offers = market_.listings.size();
    result.coverage.without_price = tally_.of(Reason::kPriceMissing);
    result.coverage.rejected = tally_.offers() - result.coverage.without_price;
    result.search.shapes = shapes_.shapes.size();
    for (const Contender& contender : contenders_) {
      for (const ShapeAnswer& answer : contender.answers) {
        result.search.candidates += answer.candidates;
        result.search.evaluated += answer.evaluated;
      }
    }
    if (result.plans.size() > 1) {
      result.rank_flips_at_percent =
          100 * (cost_of(result.plans[1]) / cost_of(result.plans[0]) - 1);
    }
    const std::size_t shown =
        options_.top == 0 ? result.plans.size() : std::min(options_.top, result.plans.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const DateInterval& seen = result.plans[i].offer->observed;
      const std::optional<Date> date = seen.earliest ? seen.earliest : seen.latest;
      if (date && (!result.oldest_price_used || *date < *result.oldest_price_used)) {
        result.oldest_price_used = date;
      }
    }
    result.warnings.insert(result.warnings.end(), filter_.notes().begin(), filter_.notes().end());
  }

  std::vector<ModelOutcome> outcomes(const std::vector<Plan>& plans) const {
    std::vector<ModelOutcome> result;
    for (const Contender& contender : contenders_) {
      ModelOutcome outcome{.model = contender.model.id, .quality = contender.quality, .cost = {}, .where = {}};
      // On its own: also where another model was cheaper on the same offer.
      for (const Plan& plan : plans) {
        const auto cost = cost_on(plan, contender);
        if (cost && (!outcome.cost || *cost < *outcome.cost)) {
          outcome.cost = cost;
          outcome.where = offer_text(*plan.offer);
        }
      }
      result.push_back(std::move(outcome));
    }
    return result;
  }

  std::optional<double> cost_on(const Plan& plan, const Contender& contender) const {
    if (plan.model == contender.model.id) return cost_of(plan);
    const auto listing = std::find_if(market_.listings.begin(), market_.listings.end(),
                                      [&](const Listing& l) { return l.offer == plan.offer; });
    const int shape =
        shapes_.of_listing[static_cast<std::size_t>(listing - market_.listings.begin())];
    const ShapeAnswer& answer = contender.answers[static_cast<std::size_t>(shape)];
    const std::optional<Solution>& solution =
        plan.offer->purchase == market::Purchase::kSpot ? answer.spot : answer.steady;
    if (!solution) return std::nullopt;
    const Plan other =
        price(job_, *plan.offer, market_.provider(plan.offer->provider), *solution);
    if (over_cap(job_, other, filter_.quota(*plan.offer))) return std::nullopt;
    return cost_of(other);
  }

  const Job& job_;
  const Market& market_;
  const Filter& filter_;
  std::vector<Contender> contenders_;
  const PlanOptions& options_;
  Shapes shapes_;
  Tally tally_;
};

Error at(Error error, std::string pointer) {
  if (error.where.empty()) error.where.pointer = std::move(pointer);
  return error;
}

}  // namespace

std::string_view reason_name(Reason reason) { return kReasons[static_cast<std::size_t>(reason)]; }

Result<PlanResult> plan_on(const Job& job, Market market, std::vector<NamedModel> models,
                           const PlanOptions& options) {
  put_in_order(market.listings);
  const Filter filter = PORTOLAN_TRY(Filter::make(job, market, options.today));
  std::vector<Contender> contenders;
  std::vector<std::string> warnings, rejected;
  for (NamedModel& named : models) {
    const model::Architecture& architecture = named.model.architecture;
    if (job.min_quality && (!named.quality || *named.quality < *job.min_quality)) {
      rejected.push_back(fmt::format(
          "{}: quality {}", name_of(named.model),
          named.quality ? fmt::format("{} below {}", shortest(*named.quality),
                                      shortest(*job.min_quality))
                        : fmt::format("unknown, {} is wanted", shortest(*job.min_quality))));
      continue;
    }
    if (architecture.coverage == model::Coverage::kParameterCount && is_training(job.kind)) {
      return fail(Error{.code = ErrorCode::kInvalidInput,
                        .message = fmt::format("{} is known by its parameter count alone",
                                               quoted(named.model.id)),
                        .where = {},
                        .why = "memory and time of training need its layers",
                        .hint = "name a config.json of it",
                        .also = {}});
    }
    const serving::Workload& work = job.traffic.work;
    const double longest =
        is_training(job.kind) ? job.training.sequence : work.input_tokens + work.output_tokens;
    if (architecture.max_position > 0 &&
        longest > static_cast<double>(architecture.max_position)) {
      warnings.push_back(fmt::format("{}: {} tokens are beyond its maximum of {}",
                                     name_of(named.model),
                                     with_commas(static_cast<std::int64_t>(longest)),
                                     with_commas(architecture.max_position)));
    }
    for (const std::string& note : architecture.notes) {
      warnings.push_back(fmt::format("{}: {}", name_of(named.model), note));
    }
    contenders.push_back(
        {.model = std::move(named.model), .quality = named.quality, .answers = {}});
  }
  PlanResult result = Planner(job, market, filter, std::move(contenders), options).run();
  result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
  result.models_rejected = std::move(rejected);
  return result;
}

Result<PlanResult> plan(const Job& job, const market::Catalogue& catalogue,
                        const model::Library& models, const PlanOptions& options) {
  std::vector<NamedModel> named;
  std::vector<Error> problems;
  for (std::size_t i = 0; i < job.models.size(); ++i) {
    Result<model::Model> found = models.find(job.models[i].model);
    if (found) {
      named.push_back({*std::move(found), job.models[i].quality});
    } else {
      problems.push_back(at(found.error(), job.models.size() == 1 ? std::string("/model")
                                                                  : fmt::format("/model/{}", i)));
    }
  }
  if (!problems.empty()) return fail(combine(std::move(problems), "the job"));
  return plan_on(job, market_of(catalogue), std::move(named), options);
}

}  // namespace portolan::planner
