#include "app/execute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "app/registry.hpp"
#include "app/request.hpp"
#include "base/text.hpp"

namespace portolan::app {
namespace {

template <class ReadRequest, class Run>
Result<Answer> read_and_run(const io::Value& request, const Context& context, ReadRequest read, Run run) {
  const auto typed = PORTOLAN_TRY(read(request));
  auto answer = PORTOLAN_TRY(run(typed, context));
  answer.envelope.request = request;
  return Answer(std::move(answer));
}

Result<Answer> validate(const io::Value& request, const Context& context) {
  io::Problems problems;
  io::Fields fields(request, "", problems);
  const std::string set = fields.text("set").value_or("article");
  flag(fields, "errata");
  flag(fields, "explain");
  if (set != "article") {
    static constexpr std::string_view kSets[] = {"article"};
    const std::string hint = did_you_mean(set, kSets);
    fields.problem("set", fmt::format("unknown value {}", quoted(set)), hint.empty() ? "portolan validate article" : hint);
  }
  PORTOLAN_DO(finish_request(fields, problems));
  ArticleAnswer answer = PORTOLAN_TRY(article(context));
  answer.envelope.request = request;
  return Answer(std::move(answer));
}

}  // namespace

Result<Answer> execute(std::string_view verb, const io::Value& request, const Context& context) {
  if (verb == "estimate") return read_and_run(request, context, read_estimate, estimate);
  if (verb == "plan") return read_and_run(request, context, read_plan, plan);
  if (verb == "offers") return read_and_run(request, context, read_offers, offers);
  if (verb == "gpus") return read_and_run(request, context, read_gpus, gpus);
  if (verb == "models") return read_and_run(request, context, read_models, models);
  if (verb == "providers") return read_and_run(request, context, read_providers, providers);
  if (verb == "validate") return validate(request, context);
  std::vector<std::string_view> names;
  for (const Verb& v : verbs()) names.push_back(v.name);
  return fail(ErrorCode::kUsage, fmt::format("unknown command {}", quoted(verb)), did_you_mean(verb, names));
}

const Envelope& envelope(const Answer& answer) {
  return std::visit([](const auto& a) -> const Envelope& { return a.envelope; }, answer);
}

int exit_code(const Answer& answer) {
  if (const auto* planned = std::get_if<PlanAnswer>(&answer)) {
    if (!planned->result.feasible()) return portolan::exit_code(ErrorCode::kInfeasible);
    if (planned->policy) return portolan::exit_code(ErrorCode::kPolicy);
  }
  if (const auto* article = std::get_if<ArticleAnswer>(&answer)) {
    if (article->result.failed > 0) return portolan::exit_code(ErrorCode::kPolicy);
  }
  return 0;
}

}  // namespace portolan::app
