#include <utility>

#include "app/estimate.hpp"
#include "app/request.hpp"

namespace portolan::app {

Result<EstimateRequest> read_estimate(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  EstimateRequest request;
  if (fields.require("model")) request.model = fields.text("model").value_or("");
  request.tokens = fields.count("tokens");
  request.input = fields.count("input");
  request.output = fields.count("output");
  request.characters = fields.count("characters");
  request.training_tokens = fields.count("training_tokens");
  request.sequence = fields.count("sequence");
  request.context = fields.count("context");
  request.dtype = fields.text("dtype");
  request.kv_dtype = fields.text("kv_dtype");
  request.batch = fields.count("batch").value_or(1);
  request.gpu = fields.text("gpu");
  request.count = fields.integer("count", 1, 1'000'000);
  request.tp = fields.integer("tp", 1, 4096);
  request.pp = fields.integer("pp", 1, 4096);
  request.ep = fields.integer("ep", 1, 4096);
  request.price = fields.usd_per_hour("price");
  request.mfu = fields.share("mfu");
  request.utilisation = fields.share("utilisation").value_or(1);
  request.memory = fields.bytes("memory");
  request.max_params = flag(fields, "max_params");
  request.explain = flag(fields, "explain");
  for (const auto& [key, given] :
       {std::pair<const char*, const std::optional<double>*>{"tokens", &request.tokens},
        {"sequence", &request.sequence},
        {"context", &request.context},
        {"training_tokens", &request.training_tokens}}) {
    if (*given && **given <= 0) fields.problem(key, "must be above 0");
  }
  if (request.batch <= 0) fields.problem("batch", "must be above 0");
  if (request.mfu && *request.mfu <= 0) fields.problem("mfu", "must be above 0");
  if (request.utilisation <= 0) fields.problem("utilisation", "must be above 0");
  if (request.price && request.price->raw() <= 0) {
    fields.problem("price", "must be above 0", "leave --price out to use the market's");
  }
  if (request.tokens && (request.input || request.output)) {
    fields.problem("tokens", "excludes input and output",
                   "give either --tokens or --input and --output");
  }
  if (request.characters && (request.tokens || request.input || request.output)) {
    fields.problem("characters", "excludes tokens, input and output");
  }
  if (!request.gpu && (request.count || request.tp || request.pp.value_or(1) > 1 ||
                       request.ep.value_or(1) > 1 || request.price)) {
    fields.problem("gpu", "missing, and count, tp, pp, ep and price need one", "--gpu h100-sxm");
  }
  if (request.memory && request.memory->raw() <= 0) fields.problem("memory", "must be above 0");
  if (request.max_params && !request.memory && !request.gpu) {
    fields.problem("max_params", "which card?", "--memory 12GB or --gpu rtx-4090");
  }
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

}  // namespace portolan::app
