// The one door from the faces to the verbs: a verb's name and a request object in, an answer out.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "app/article.hpp"
#include "app/calibrate.hpp"
#include "app/context.hpp"
#include "app/estimate.hpp"
#include "app/lookups.hpp"
#include "app/plan.hpp"
#include "app/simulate.hpp"
#include "app/validate.hpp"

namespace portolan::app {

using Answer =
    std::variant<EstimateAnswer, PlanAnswer, OffersAnswer, GpusAnswer, ModelsAnswer,
                 ProvidersAnswer, ArticleAnswer, ValidateAnswer, CalibrateAnswer, SimulateAnswer>;

/// `request` is an object with the verb's keys (values as JSON or as the text of a flag). Errors:
/// usage (unknown verb), and the verb's own.
Result<Answer> execute(std::string_view verb, const io::Value& request, const Context& context);

const Envelope& envelope(const Answer& answer);
/// What is wrong with an answer that is printed all the same: no plan (infeasible), a threshold
/// exceeded or a golden that moved (policy). Its code decides the exit code; nullopt is 0.
std::optional<Error> verdict(const Answer& answer);

}  // namespace portolan::app
