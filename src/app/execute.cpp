#include "app/execute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "app/registry.hpp"
#include "app/request.hpp"
#include "base/text.hpp"

namespace portolan::app {
namespace {

/// The request as it was understood: every key in the registry's order, defaults filled in, so that
/// it can be sent again.
io::Value normalised(const Verb& verb, const io::Value& request) {
  io::Value out{io::Value::Object{}};
  for (const Option& option : verb.options) {
    if (const io::Value* given = request.find(option.key)) {
      out.set(std::string(option.key), *given);
    } else if (!option.default_text.empty()) {
      const auto number = parse_int(option.default_text);
      const bool whole = number && option.type != OptionType::kText;
      out.set(std::string(option.key), whole ? io::Value(*number) : io::Value(option.default_text));
    }
  }
  if (const io::Value* seed = verb.seeded ? request.find("seed") : nullptr) out.set("seed", *seed);
  return out;
}

template <class ReadRequest, class Run>
Result<Answer> read_and_run(const io::Value& request, const Context& context, ReadRequest read,
                            Run run) {
  const auto typed = PORTOLAN_TRY(read(request));
  auto answer = PORTOLAN_TRY(run(typed, context));
  answer.envelope.request = normalised(*find_verb(answer.envelope.command), request);
  if constexpr (requires { typed.document; }) {
    // The job itself, not the path it was read from: the answer stands on its own.
    for (auto& [key, value] : answer.envelope.request.object()) {
      if ((key == "job" || key == "scenario") && typed.document.is_object()) value = typed.document;
    }
  }
  return Answer(std::move(answer));
}

bool asks_for_errata(const io::Value& request) {
  const io::Value* errata = request.find("errata");
  return errata != nullptr && !(errata->is_bool() && !errata->boolean());
}

/// The reference article alone answers with its golden values, or its errata.
bool is_article(const io::Value& request) {
  if (asks_for_errata(request)) return true;
  const io::Value* set = request.find("set");
  if (set == nullptr) return false;
  const io::Value& one = set->is_array() && set->array().size() == 1 ? set->array().front() : *set;
  return one.is_string() && one.string() == "article";
}

struct ArticleRequest {};

Result<ArticleRequest> read_article(const io::Value& request) {
  const auto checked = PORTOLAN_TRY(read_validate(request));
  const bool alone = checked.data.empty() &&
                     (checked.sets.empty() || checked.sets == std::vector<std::string>{"article"});
  if (!alone)
    return fail(ErrorCode::kUsage, "--errata is of the reference article alone",
                "portolan validate article --errata");
  return ArticleRequest{};
}

}  // namespace

Result<Answer> execute(std::string_view verb, const io::Value& request, const Context& context) {
  if (verb == "estimate") return read_and_run(request, context, read_estimate, estimate);
  if (verb == "plan") return read_and_run(request, context, read_plan, plan);
  if (verb == "simulate") return read_and_run(request, context, read_simulate, simulate);
  if (verb == "offers") return read_and_run(request, context, read_offers, offers);
  if (verb == "gpus") return read_and_run(request, context, read_gpus, gpus);
  if (verb == "models") return read_and_run(request, context, read_models, models);
  if (verb == "providers") return read_and_run(request, context, read_providers, providers);
  if (verb == "validate" && is_article(request))
    return read_and_run(request, context, read_article,
                        [](const ArticleRequest&, const Context& c) { return article(c); });
  if (verb == "validate") return read_and_run(request, context, read_validate, validate);
  if (verb == "calibrate") return read_and_run(request, context, read_calibrate, calibrate);
  std::vector<std::string_view> names;
  for (const Verb& v : verbs()) names.push_back(v.name);
  return fail(ErrorCode::kUsage, fmt::format("unknown command {}", quoted(verb)),
              did_you_mean(verb, names));
}

const Envelope& envelope(const Answer& answer) {
  return std::visit([](const auto& a) -> const Envelope& { return a.envelope; }, answer);
}

namespace {

/// Without a plan: the nearest miss among the candidates that came furthest, and what would admit
/// it.
Error infeasible(const planner::PlanResult& result) {
  using planner::Reason;
  // A candidate that misses a cap or a target has passed every check before it.
  static constexpr std::array<Reason, 10> kFurthestFirst = {Reason::kDeadline,
                                                            Reason::kSlo,
                                                            Reason::kInterconnect,
                                                            Reason::kMemory,
                                                            Reason::kPrecisionUnsupported,
                                                            Reason::kConstraint,
                                                            Reason::kEngineUnsupported,
                                                            Reason::kAvailability,
                                                            Reason::kPriceQuarantined,
                                                            Reason::kPriceMissing};
  const auto rank = [&](const planner::Rejection& r) -> std::ptrdiff_t {
    // A constraint by a factor is a budget or a quota: all but the money was right.
    if (r.reason == Reason::kConstraint && r.nearest->factor) return -1;
    return std::find(kFurthestFirst.begin(), kFurthestFirst.end(), r.reason) -
           kFurthestFirst.begin();
  };
  const planner::Rejection* best = nullptr;
  for (const planner::Rejection& rejection : result.rejected) {
    if (rejection.nearest && (best == nullptr || rank(rejection) < rank(*best))) best = &rejection;
  }
  Error error{.code = ErrorCode::kInfeasible,
              .message = "no plan meets the constraints",
              .where = {},
              .why = {},
              .hint = {},
              .also = {}};
  if (best != nullptr) {
    error.why = fmt::format("nearest: {}, {}", best->nearest->what, best->nearest->lacked);
    error.hint = best->nearest->change;
  }
  return error;
}

}  // namespace

std::optional<Error> verdict(const Answer& answer) {
  if (const auto* planned = std::get_if<PlanAnswer>(&answer)) {
    if (!planned->result.feasible()) return infeasible(planned->result);
    return planned->policy;
  }
  const auto* article = std::get_if<ArticleAnswer>(&answer);
  const auto* validated = std::get_if<ValidateAnswer>(&answer);
  if (validated != nullptr && validated->policy) return validated->policy;
  const std::size_t moved = article != nullptr     ? article->result.failed
                            : validated != nullptr ? validated->result.goldens_moved.value_or(0)
                                                   : 0;
  if (moved > 0) {
    return Error{.code = ErrorCode::kPolicy,
                 .message = fmt::format("{} golden value(s) moved", moved),
                 .where = {},
                 .why =
                     "the engine or the catalogue no longer gives what the article's figures were "
                     "checked against",
                 .hint = {},
                 .also = {}};
  }
  return std::nullopt;
}

}  // namespace portolan::app
