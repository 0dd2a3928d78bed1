#include "app/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "app/plan_explain.hpp"
#include "app/request.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::app {

Result<PlanRequest> read_plan(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  PlanRequest request;
  request.top = fields.integer("top", 0, 1'000'000).value_or(10);
  request.verify = fields.integer("verify", 0, 1000).value_or(0);
  request.explain = flag(fields, "explain");
  request.max_price_age_days = age_days(fields, "max_price_age");
  const io::Value* job = fields.require("job") ? fields.get("job") : nullptr;
  PORTOLAN_DO(finish_request(fields, problems));
  if (job->is_object()) {
    request.document = *job;
  } else {
    const std::string path = job->scalar_text();
    request.file = path == "-" ? "standard input" : path;
    request.document =
        PORTOLAN_TRY(io::parse_document(PORTOLAN_TRY(read_file(path)), request.file));
  }
  request.job = PORTOLAN_TRY(planner::read_job(request.document, request.file));
  return request;
}

namespace {

void add_assumptions(Envelope& envelope, const planner::PlanResult& result,
                     const Context& context) {
  const market::Catalogue& catalogue = context.catalogue();
  const planner::Job& job = result.job;
  const market::Constant& month = catalogue.constant("hours_per_month");
  envelope.assume("hours_per_month", month.value, "default", "", month.source);
  envelope.assume("max_utilisation", job.max_utilisation, "default", "max_utilisation: in the job");
  if (job.kind == planner::JobKind::kServe || job.kind == planner::JobKind::kBatch) {
    const bool own = !context.profile().engines().empty();
    envelope.assume("engine", std::string(context.engine().engine),
                    job.engine ? "job"
                    : own      ? "flag"
                               : "default",
                    own ? "--profile" : "engine: in the job", context.engine().source);
    envelope.assume("arrivals", "Poisson", "default", "");
    envelope.assume("cached_share_of_prompt", job.traffic.work.cached_share,
                    job.traffic.work.cached_share > 0 ? "job" : "default",
                    "traffic.cached_share in the job");
    envelope.assume("peak_requests_per_second", job.traffic.peak_requests_per_second, "derived",
                    "traffic.peak_factor in the job");
    if (result.search.verified > 0) {
      envelope.assume("verified_by",
                      job.kind == planner::JobKind::kServe
                          ? "simulated Poisson arrivals at the peak rate, least-requests routing "
                            "over at most 4 replicas, 4 seeds"
                          : "simulation of all requests, there at the start, 4 seeds",
                      "default", "--verify");
    }
    envelope.assume("spare_replicas", job.spare_replicas,
                    job.spare_replicas > 0 ? "job" : "default", "spare_replicas: in the job");
  } else {
    envelope.assume("sequence_tokens", job.training.sequence, "job", "sequence_length: in the job");
    envelope.assume("global_batch_tokens", job.training.global_batch_tokens, "job",
                    "global_batch_tokens: in the job");
    envelope.assume("runs", job.runs.value_or(1), job.runs ? "job" : "default", "runs: in the job");
  }
  if (job.where.purchase.empty()) {
    const bool spot = job.kind != planner::JobKind::kServe;
    envelope.assume("purchase", spot ? "on-demand, spot" : "on-demand", "default",
                    "where.purchase in the job");
  }
  envelope.assume("price_includes",
                  "the instance with its host; not storage, egress, tax or support", "default", "");
}

/// The value a JSON pointer leads to; nullptr when there is none.
const io::Value* at_pointer(const io::Value& document, std::string_view pointer) {
  const io::Value* at = &document;
  for (std::string_view step :
       split(pointer.substr(std::min<std::size_t>(1, pointer.size())), '/')) {
    if (at->is_array()) {
      const auto index = parse_int(step);
      if (!index || *index < 0 || static_cast<std::size_t>(*index) >= at->array().size())
        return nullptr;
      at = &at->array()[static_cast<std::size_t>(*index)];
    } else {
      at = at->find(step);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

/// The search names a place in the job by its pointer; the user's file has lines.
Error placed(Error error, const PlanRequest& request) {
  const auto place = [&](Error& one) {
    if (one.where.pointer.empty() || one.where.line > 0) return;
    one.where.file = request.file;
    if (const io::Value* value = at_pointer(request.document, one.where.pointer)) {
      one.where.line = value->line;
      one.where.column = value->column;
    }
  };
  if (error.also.empty()) {
    place(error);
    return error;
  }
  for (Error& one : error.also) place(one);
  return combine(std::move(error.also), request.file.empty() ? "the job" : request.file);
}

}  // namespace

Result<PlanAnswer> plan(const PlanRequest& request, const Context& context) {
  PlanAnswer answer;
  answer.envelope.command = "plan";
  answer.envelope.catalogue_date = context.catalogue().date();
  planner::PlanOptions options;
  options.top = static_cast<std::size_t>(request.top);
  options.threads = context.threads();
  options.today = context.today();
  options.kernels = context.kernels(kServingBackend);
  options.verify = static_cast<std::size_t>(request.verify);
  options.progress = [&context](std::string_view what) { context.progress(what); };
  options.cancelled = [&context] { return context.cancelled(); };
  const Seconds start = monotonic_now();
  auto planned = planner::plan(request.job, context.catalogue(), context.models(), options);
  if (!planned) return fail(placed(std::move(planned).error(), request));
  answer.result = std::move(*planned);
  answer.result.search.elapsed_seconds = (monotonic_now() - start).raw();
  context.progress("");
  answer.shown = request.top == 0
                     ? answer.result.plans.size()
                     : std::min(answer.result.plans.size(), static_cast<std::size_t>(request.top));
  answer.envelope.oldest_price_date = answer.result.oldest_price_used;
  answer.envelope.warnings = answer.result.warnings;
  add_assumptions(answer.envelope, answer.result, context);
  for (const planner::Plan& plan : std::span(answer.result.plans).first(answer.shown)) {
    answer.envelope.cite(
        plan.offer->source, "offers",
        plan.offer->source + (plan.offer->revision.empty() ? "" : "@" + plan.offer->revision),
        plan.offer->observed.latest ? plan.offer->observed.latest->text() : "");
  }
  answer.envelope.cite("engine", std::string(context.engine().engine), context.engine().source,
                       context.engine().date);
  if (request.max_price_age_days && answer.result.oldest_price_used) {
    const std::int32_t age = days_between(*answer.result.oldest_price_used, context.today());
    if (age > *request.max_price_age_days) {
      Error error;
      error.code = ErrorCode::kPolicy;
      error.message = fmt::format("the oldest price that decides this plan is {} d old", age);
      error.why = fmt::format("--max-price-age {}d", *request.max_price_age_days);
      error.hint = "use a newer catalogue (--catalogue) or raise --max-price-age";
      answer.policy = std::move(error);
    }
  }
  if (request.explain) answer.envelope.derivations = explain_plan(answer.result, context);
  return answer;
}

}  // namespace portolan::app
