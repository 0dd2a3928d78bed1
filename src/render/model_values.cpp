// What `models` and `validate` hold: models, hosted prices, goldens, errata.
#include <cmath>

#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;

using app::ModelRow;
const Field<ModelRow> kModel[] = {
    {{"id", kString, "catalogue id"}, [](const ModelRow& m) { return Value(m.model.id); }},
    {{"hf_id", kString, "Hugging Face id", true},
     [](const ModelRow& m) { return text_or_null(m.model.hf_id); }},
    {{"aliases", kStrings, "other names it answers to"},
     [](const ModelRow& m) { return strings(m.model.aliases); }},
    {{"family", kString, "lower case", true},
     [](const ModelRow& m) { return text_or_null(m.model.family); }},
    {{"released", kString, "day it came out", true},
     [](const ModelRow& m) { return text_or_null(m.model.released); }},
    {{"licence", kString, "of the weights", true},
     [](const ModelRow& m) { return text_or_null(m.model.licence); }},
    {{"parameters_total",
      kInteger,
      "counted from the architecture, null where only a published count is known",
      true,
      {}},
     [](const ModelRow& m) {
       return m.parameters.total > 0 ? Value(m.parameters.total) : Value();
     }},
    {{"parameters_active",
      kInteger,
      "touched per token, input embedding and head counted",
      true,
      {}},
     [](const ModelRow& m) {
       return m.parameters.active > 0 ? Value(m.parameters.active) : Value();
     }},
    {{"parameters_published", kNumber, "by the model's authors", true},
     [](const ModelRow& m) {
       return m.model.published_parameters ? whole(*m.model.published_parameters) : Value();
     }},
    {{"parameters_for_rule", kNumber, "p of the rules of thumb"},
     [](const ModelRow& m) { return whole(m.model.parameters_for_rule()); }},
    {{"parameters_mtp", kInteger, "multi-token-prediction blocks, beside the total"},
     [](const ModelRow& m) { return Value(m.parameters.mtp); }},
    {{"parameters_encoders", kInteger, "vision and other encoders, in the total"},
     [](const ModelRow& m) { return Value(m.parameters.encoders); }},
    {{"architecture", kString, "class name of the checkpoint", true},
     [](const ModelRow& m) { return text_or_null(m.model.architecture.architecture); }},
    {{"layers", kInteger, "decoder blocks, encoder blocks included"},
     [](const ModelRow& m) { return Value(m.model.architecture.layer_count()); }},
    {{"hidden", kInteger, "width of the residual stream"},
     [](const ModelRow& m) { return Value(m.model.architecture.hidden); }},
    {{"vocabulary", kInteger, "entries"},
     [](const ModelRow& m) { return Value(m.model.architecture.vocab); }},
    {{"max_context_tokens", kInteger, "the model's own maximum", true},
     [](const ModelRow& m) {
       return m.model.architecture.max_position > 0 ? Value(m.model.architecture.max_position)
                                                    : Value();
     }},
    {{"dtype", kString, "the checkpoint's own", true},
     [](const ModelRow& m) { return text_or_null(m.model.architecture.dtype_name); }},
    {{"kv_bytes_per_token",
      kNumber,
      "at 2 bytes per element, before any window is full",
      false,
      {}},
     [](const ModelRow& m) { return whole_bytes(m.kv_per_token); }},
    {{"coverage", kString, "operators, partial or parameter_count"},
     [](const ModelRow& m) {
       switch (m.model.architecture.coverage) {
         case model::Coverage::kOperators:
           return Value("operators");
         case model::Coverage::kPartial:
           return Value("partial");
         default:
           return Value("parameter_count");
       }
     }},
    {{"forward_flop_1024_tokens", kNumber, "2 · p · 1,024, text models", true},
     [](const ModelRow& m) {
       return m.model.article && m.model.article->text
                  ? Value(2 * m.model.parameters_for_rule() * 1024)
                  : Value();
     }},
    {{"forward_flop_1024_in_1024_out",
      kNumber,
      "2 · p · 2,048, decoder-only text models",
      true,
      {}},
     [](const ModelRow& m) {
       return m.model.article && m.model.article->text && m.model.article->decoder_only
                  ? Value(2 * m.model.parameters_for_rule() * 2048)
                  : Value();
     }},
    {{"training_flop", kNumber, "published", true},
     [](const ModelRow& m) {
       return m.model.article ? Value(m.model.article->training_flop) : Value();
     }},
    {{"weights_fp32_bytes", kNumber, "4 · p"},
     [](const ModelRow& m) { return whole(4 * m.model.parameters_for_rule()); }},
    {{"weights_fp16_bytes", kNumber, "2 · p"},
     [](const ModelRow& m) { return whole(2 * m.model.parameters_for_rule()); }},
    {{"training_article_bytes", kNumber, "12 · p, the article's rule"},
     [](const ModelRow& m) { return whole(12 * m.model.parameters_for_rule()); }},
    {{"source", kString, "who says so", true},
     [](const ModelRow& m) { return text_or_null(m.model.source); }},
    {{"date", kString, "of the source", true},
     [](const ModelRow& m) { return text_or_null(m.model.date); }},
};

using market::ApiPrice;
const Field<ApiPrice> kApiPrice[] = {
    {{"provider", kString, "who bills"}, [](const ApiPrice& p) { return Value(p.provider); }},
    {{"model", kString, "as the provider names it"},
     [](const ApiPrice& p) { return Value(p.model); }},
    {{"hf_id", kString, "Hugging Face id", true},
     [](const ApiPrice& p) { return text_or_null(p.hf_id); }},
    {{"context_tokens", kInteger, "longest the provider takes", true},
     [](const ApiPrice& p) { return Value(p.context); }},
    {{"input_usd_per_million_tokens", kNumber, "exact", true},
     [](const ApiPrice& p) { return money(p.input); }},
    {{"output_usd_per_million_tokens", kNumber, "exact", true},
     [](const ApiPrice& p) { return money(p.output); }},
    {{"cache_read_usd_per_million_tokens", kNumber, "prompt tokens found in its cache", true},
     [](const ApiPrice& p) { return money(p.cache_read); }},
    {{"cache_write_usd_per_million_tokens", kNumber, "prompt tokens kept there", true},
     [](const ApiPrice& p) { return money(p.cache_write); }},
    {{"batch_input_usd_per_million_tokens", kNumber, "answers within hours", true},
     [](const ApiPrice& p) { return money(p.batch_input); }},
    {{"batch_output_usd_per_million_tokens", kNumber, "answers within hours", true},
     [](const ApiPrice& p) { return money(p.batch_output); }},
    {{"time_window", kString, "UTC hours the price holds", true},
     [](const ApiPrice& p) { return text_or_null(p.time_window); }},
    {{"effective_from", kString, "day an announced price begins", true},
     [](const ApiPrice& p) { return date_or_null(p.effective_from); }},
    {{"flags", kString, "free tiers and the like", true},
     [](const ApiPrice& p) { return text_or_null(p.flags); }},
    {{"other_prices", kString, "per image, second, search …", true},
     [](const ApiPrice& p) { return text_or_null(p.other); }},
    {{"observed_at", kString, "earliest day", true},
     [](const ApiPrice& p) { return date_or_null(p.observed.earliest); }},
    {{"source", kString, "who says so"}, [](const ApiPrice& p) { return Value(p.source); }},
};

using app::ProviderRow;
}  // namespace

Value result_of(const app::ModelsAnswer& answer) {
  Value out{Value::Object{}};
  out.set("models", array_of(answer.result.models, kModel));
  out.set("prices", array_of(answer.result.prices, kApiPrice));
  out.set("matched", count(answer.result.matched));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> models_fields() {
  return {
      {"models", kArray, "in the order asked", false, infos(kModel)},
      {"prices", kArray, "hosted APIs, cheapest output first; of the one model, or with --prices",
       false, infos(kApiPrice)},
      {"matched", kInteger, "that pass the filters"},
      {"total", kInteger, "models of the catalogue"}};
}

using app::Erratum;
using app::Golden;
namespace {
const Field<Golden> kGolden[] = {
    {{"id", kString, "catalogue id"}, [](const Golden& g) { return Value(g.id); }},
    {{"requirement", kString, "of docs/requirements.md"},
     [](const Golden& g) { return Value(g.requirement); }},
    {{"what", kString, "in words"}, [](const Golden& g) { return Value(g.what); }},
    {{"computed", kNumber, "by the engine, now"},
     [](const Golden& g) { return Value(g.computed); }},
    {{"expected", kNumber, "by the article, or derived from it"},
     [](const Golden& g) { return Value(g.expected); }},
    {{"tolerance", kNumber, "relative"}, [](const Golden& g) { return Value(g.tolerance); }},
    {{"deviation", kNumber, "relative"}, [](const Golden& g) { return Value(g.deviation()); }},
    {{"passed", kBoolean, "within the tolerance"},
     [](const Golden& g) { return Value(g.passes()); }},
    {{"unit", kString, "of computed and expected", true},
     [](const Golden& g) { return text_or_null(g.unit); }},
    {{"reason", kString, "why this tolerance", true},
     [](const Golden& g) { return text_or_null(g.reason); }},
    {{"command", kString, "a command that prints it", true},
     [](const Golden& g) { return text_or_null(g.command); }},
};
const Field<Erratum> kErratum[] = {
    {{"id", kString, "catalogue id"}, [](const Erratum& e) { return Value(e.id); }},
    {{"claim", kString, "what the article says, paraphrased"},
     [](const Erratum& e) { return Value(e.claim); }},
    {{"problem", kString, "what is wrong with it"},
     [](const Erratum& e) { return Value(e.problem); }},
    {{"answer", kString, "recomputed"}, [](const Erratum& e) { return Value(e.answer); }},
    {{"explanation", kString, "why it matters"},
     [](const Erratum& e) { return Value(e.explanation); }},
    {{"goldens", kStrings, "ids"}, [](const Erratum& e) { return strings(e.goldens); }},
};
}  // namespace

Value result_of(const app::ArticleAnswer& answer) {
  Value out{Value::Object{}};
  out.set("goldens", array_of(answer.result.goldens, kGolden));
  out.set("errata", array_of(answer.result.errata, kErratum));
  out.set("failed", count(answer.result.failed));
  return out;
}

std::vector<FieldInfo> article_fields() {
  return {{"goldens", kArray, "each recomputed by the engine", false, infos(kGolden)},
          {"errata", kArray, "the article's inconsistencies", false, infos(kErratum)},
          {"failed", kInteger, "goldens that moved"}};
}

}  // namespace portolan::render
