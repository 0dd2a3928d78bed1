#include "planner/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "cost/profile.hpp"
#include "planner/ranking.hpp"
#include "planner/search.hpp"
#include "planner/verify.hpp"

namespace portolan::planner {
namespace {

constexpr std::array<std::string_view, kReasonCount> kReasons{"memory",
                                                              "slo",
                                                              "interconnect",
                                                              "precision_unsupported",
                                                              "engine_unsupported",
                                                              "price_missing",
                                                              "price_quarantined",
                                                              "availability",
                                                              "constraint",
                                                              "deadline",
                                                              "dominated"};

// One of the job's models with its answers, one per shape.
struct Contender {
  model::Model model;
  std::shared_ptr<const model::Architecture> architecture;  // of `model`, for its plans
  std::optional<double> quality;
  std::vector<ShapeAnswer> answers;
};

std::string name_of(const model::Model& model) {
  return model.hf_id.empty() ? model.id : model.hf_id;
}

// What the gates and the collectors noted about a price that is planned on, in words.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kFlagWords{
    {{"v4_spot_formula",
      "doubtful price: spot at a round share of on-demand is a formula, no market"},
     {"v5_spot_near_ondemand", "spot is hardly cheaper than on-demand here"},
     {"v6_regional_low", "doubtful price: far below other regions of the same machine"},
     {"v8_one_price_many_regions", "one price to five digits in many regions"},
     {"v9_far_from_median", "doubtful price: far from the median of its accelerator"},
     {"v13_conflict", "sources disagree on this price"},
     {"same_price_copied_across_hosts", "one price copied across hosts, no live offer"},
     {"form_factor_assumed", "the source does not name the form factor"},
     {"host_part_scaled_from_1g", "the host's part of the price is scaled from a smaller machine"},
     {"region_not_availability", "listed in every region, which says nothing about availability"}}};

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
    return miss(
        Reason::kEngineUnsupported,
        offer.accelerator_raw.empty()
            ? "a host without accelerator is not planned on"
            : fmt::format("accelerator {} is not in the catalogue", quoted(offer.accelerator_raw)),
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
  if (offer.gpu_component_only) {
    return std::pair(Reason::kPriceMissing,
                     std::string("the price of the accelerator without its host"));
  }
  if (!offer.usd_per_hour || offer.gate.starts_with("V1 ")) {
    return std::pair(Reason::kPriceMissing, offer.gate.empty() ? "no price is known" : offer.gate);
  }
  if (offer.gate.starts_with("V15 ")) return std::pair(Reason::kAvailability, offer.gate);
  if (offer.standing != market::Standing::kAccepted) {
    return std::pair(Reason::kPriceQuarantined,
                     "its price was set aside: " +
                         (offer.gate.empty() ? std::string("no gate named") : offer.gate));
  }
  return std::nullopt;
}

bool can_be_lost(const market::Offer& offer) {
  return offer.purchase == market::Purchase::kSpot || offer.purchase == market::Purchase::kAuction;
}

// The cheapest way any contender does the job on an offer.
struct OfferAnswer {
  std::optional<Plan> plan;
  bool feasible = false;  // also without a price
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
  // The shape and the model of a feasible offer.
  struct Chosen {
    std::size_t shape = 0, contender = 0;
  };

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
      const Question question{
          .job = &job_, .model = &contender.model, .market = &market_, .kernels = options_.kernels};
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
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      const ShapeAnswer& answer = contenders_[i].answers[shape];
      const auto& solution = can_be_lost(offer) ? answer.spot : answer.steady;
      if (!solution) {
        if (answer.miss && (!best.miss || came_further(*answer.miss, *best.miss))) {
          best.miss = answer.miss;
        }
        continue;
      }
      best.feasible = true;
      if (!offer.usd_per_hour) continue;
      Plan plan = price(job_, offer, market_.provider(offer.provider), *solution);
      plan.model = contenders_[i].model.id;
      plan.quality = contenders_[i].quality;
      plan.architecture = contenders_[i].architecture;
      // For the same money the better model, then the one named first.
      if (best.plan && std::tuple(cost_of(*best.plan), -best.plan->quality.value_or(0)) <=
                           std::tuple(cost_of(plan), -plan.quality.value_or(0))) {
        continue;
      }
      best.plan = std::move(plan);
      best.contender = i;
    }
    return best;
  }

  void note_offer(Plan& plan) const {
    const market::Offer& offer = *plan.offer;
    for (const auto& [flag, words] : kFlagWords) {
      if (std::find(offer.flags.begin(), offer.flags.end(), flag) != offer.flags.end()) {
        plan.notes.emplace_back(words);
      }
    }
    if (offer.accelerator->announced) plan.notes.emplace_back("an announced part");
    if (!is_training(job_.kind) && !plan.engine.starts_with("vllm")) {
      plan.advise_proof_of_concept = true;
      plan.notes.push_back(fmt::format("speed is modelled as that of {}, not of {}",
                                       cost::serving_engine(options_.kernels).engine, plan.engine));
    }
    if (plan.advise_proof_of_concept) {
      plan.notes.push_back(fmt::format("{} on {} is {}: run a proof of concept first", plan.engine,
                                       offer.accelerator->architecture, plan.support_confidence));
    }
  }

  // Each offer ends in a plan or in exactly one reason.
  void judge_offers(PlanResult& result) {
    for (std::size_t i = 0; i < market_.listings.size(); ++i) {
      const Listing& listing = market_.listings[i];
      const market::Offer& offer = *listing.offer;
      const auto refusal = filter_.refuses(offer);
      const auto impossible = unplannable(listing, job_);
      const int shape = shapes_.of_listing[i];
      OfferAnswer answer;
      if (!impossible && shape >= 0) answer = answer_for(listing, static_cast<std::size_t>(shape));
      const auto lose = [&](Reason reason, std::optional<double> factor, std::string lacked,
                            std::string change) {
        if (answer.plan) {
          return tally_.add_priced(reason, *answer.plan, factor, std::move(lacked),
                                   std::move(change));
        }
        // A machine that could do the job is nearer than one that could not.
        tally_.add(offer, {.reason = reason,
                           .factor = answer.feasible ? 1 : std::numeric_limits<double>::infinity(),
                           .how = {},
                           .lacked = std::move(lacked),
                           .change = std::move(change)});
      };
      const auto bad_price = price_problem(offer);
      if (refusal) {
        // A quarantined price proves nothing about what a filter costs.
        if (bad_price) answer.plan.reset();
        // Let in, it would still be over a limit: no near miss.
        if (answer.plan && over_cap(job_, *answer.plan, filter_.quota(offer))) answer.plan.reset();
        lose(Reason::kConstraint, {}, refusal->lacked, refusal->change);
      } else if (bad_price) {
        lose(bad_price->first, {}, bad_price->second,
             bad_price->first == Reason::kAvailability ? "ask the provider"
                                                       : "import a newer price");
      } else if (impossible) {
        tally_.add(offer, *impossible);
      } else if (const auto gone = filter_.sold_out(offer)) {
        lose(Reason::kAvailability, {}, gone->lacked, gone->change);
      } else if (!answer.plan) {
        tally_.add(offer, answer.miss ? *answer.miss : no_shape(offer));
      } else if (const auto cap = over_cap(job_, *answer.plan, filter_.quota(offer))) {
        lose(cap->reason, cap->factor, cap->lacked, cap->change);
      } else {
        note_offer(*answer.plan);
        ++result.coverage.evaluated;
        chosen_.push_back({static_cast<std::size_t>(shape), answer.contender});
        result.plans.push_back(*std::move(answer.plan));
      }
    }
    for (const Chosen& chosen : chosen_) {
      for (std::size_t i = 0; i < contenders_.size(); ++i) {
        const ShapeAnswer& answer = contenders_[i].answers[chosen.shape];
        const bool outbid = (answer.steady || answer.spot) && i != chosen.contender;
        tally_.add_dominated(answer.dominated + (outbid ? 1 : 0));
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
    if (winner == nullptr) return;
    for (const std::string& note : winner->notes) {
      if (note.starts_with("doubtful price")) {
        result.warnings.push_back(fmt::format("the cheapest plan has a {}", note));
      }
    }
  }

  // `plans` in the order in which they were found, beside chosen_.
  std::vector<ModelOutcome> outcomes(const std::vector<Plan>& plans) const {
    std::vector<ModelOutcome> result;
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      ModelOutcome outcome{.model = contenders_[i].model.id,
                           .quality = contenders_[i].quality,
                           .cost = {},
                           .where = {}};
      for (std::size_t j = 0; j < plans.size(); ++j) {
        const std::optional<double> cost = cost_of_model(i, plans[j], chosen_[j]);
        if (cost && (!outcome.cost || *cost < *outcome.cost)) {
          outcome.cost = cost;
          outcome.where = offer_text(*plans[j].offer);
        }
      }
      result.push_back(std::move(outcome));
    }
    return result;
  }

  // What a model costs on an offer, also where another model was cheaper there.
  std::optional<double> cost_of_model(std::size_t contender, const Plan& plan,
                                      const Chosen& chosen) const {
    if (contender == chosen.contender) return cost_of(plan);
    const ShapeAnswer& answer = contenders_[contender].answers[chosen.shape];
    const auto& solution = can_be_lost(*plan.offer) ? answer.spot : answer.steady;
    if (!solution) return std::nullopt;
    const Plan other = price(job_, *plan.offer, market_.provider(plan.offer->provider), *solution);
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
  std::vector<Chosen> chosen_;
};

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
          named.quality
              ? fmt::format("{} below {}", shortest(*named.quality), shortest(*job.min_quality))
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
    if (!architecture.causal && !is_training(job.kind)) {
      return fail(Error{.code = ErrorCode::kInvalidInput,
                        .message = fmt::format("{} generates no tokens", quoted(named.model.id)),
                        .where = {},
                        .why = "serving and batch jobs are sized by generated tokens",
                        .hint = "name a model that generates text",
                        .also = {}});
    }
    const serving::Workload& work = job.traffic.work;
    const double longest =
        is_training(job.kind) ? job.training.sequence : work.input_tokens + work.output_tokens;
    if (architecture.max_position > 0 && longest > static_cast<double>(architecture.max_position)) {
      warnings.push_back(fmt::format(
          "{}: {} tokens are beyond its maximum of {}", name_of(named.model),
          with_commas(static_cast<std::int64_t>(longest)), with_commas(architecture.max_position)));
    }
    for (const std::string& note : architecture.notes) {
      warnings.push_back(fmt::format("{}: {}", name_of(named.model), note));
    }
    auto shared = std::make_shared<const model::Architecture>(architecture);
    contenders.push_back({.model = std::move(named.model),
                          .architecture = std::move(shared),
                          .quality = named.quality,
                          .answers = {}});
  }
  PlanResult result = Planner(job, market, filter, std::move(contenders), options).run();
  result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
  if (options.verify > 0 && result.feasible()) {
    PORTOLAN_DO(verify(result, market, filter, options));
  }
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
      problems.push_back(found.error());
      // A file of the user's has places of its own; a name stands in the job.
      if (problems.back().where.empty()) {
        problems.back().where =
            where_in(job, job.models.size() == 1 ? "/model" : fmt::format("/model/{}", i));
      }
    }
  }
  if (!problems.empty())
    return fail(combine(std::move(problems), job.file.empty() ? "the job" : job.file));
  return plan_on(job, market_of(catalogue), std::move(named), options);
}

}  // namespace portolan::planner
