#include "measure/profiler_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cost/roofline.hpp"
#include "measure/serving_predict.hpp"
#include "model/operators.hpp"

namespace portolan::measure {
namespace {

enum class Layout { kDense, kPerSequence, kExperts, kAttention, kSkew };

struct KnownLayout {
  Layout layout;
  std::vector<std::string_view> columns;
};
const std::vector<KnownLayout>& layouts() {
  static const std::vector<KnownLayout> list = {
      {Layout::kDense, {"layer", "tokens", "time_us"}},
      {Layout::kPerSequence, {"layer", "sequences", "time_us"}},
      {Layout::kExperts, {"tokens", "activated_experts", "time_us"}},
      {Layout::kAttention, {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"}},
      {Layout::kSkew, {"regime", "kv_big", "kv_mean", "t_skew_us"}},
      {Layout::kSkew, {"n_label", "skew_rate_label", "alpha"}},
  };
  return list;
}

const KnownLayout* layout_of(const Table& table) {
  for (const KnownLayout& known : layouts())
    if (std::all_of(known.columns.begin(), known.columns.end(),
                    [&](std::string_view c) { return table.has(c); }))
      return &known;
  return nullptr;
}

/// The profiler's names of layers and the operators of a step that stand for them. The embedding,
/// the last norm and the norm of queries and keys are not among them: the first two run once a
/// step, the last one the operator list counts with the rotation.
struct LayerName {
  std::string_view layer, op;
};
constexpr std::array kLayers = {
    LayerName{"qkv_proj", "attention qkv"}, LayerName{"o_proj", "attention out"},
    LayerName{"gate_up_proj", "mlp up"},    LayerName{"down_proj", "mlp down"},
    LayerName{"layernorm", "norm"},         LayerName{"rotary_emb", "rope"},
    LayerName{"act_fn", "mlp activation"},  LayerName{"lm_head", "lm head"},
};

// The library that the profiler runs in; its tables do not say it, the files beside them do.
constexpr const char* kBackend = "vllm";
constexpr const char* kVersion = "0.19.0";
constexpr double kActivationBytes = 2;

/// What the name of a file says.
struct Setup {
  std::string accelerator, model;
  int tp = 0;
};

Error misnamed(const std::string& file, std::string why) {
  return {.code = ErrorCode::kInvalidInput,
          .message = fmt::format("{}: the name of a profile says what it was measured on", file),
          .where = {.file = file, .pointer = {}, .argument = {}, .offset = {}},
          .why = std::move(why),
          .hint =
              "name it ACCELERATOR__MODEL__bf16_tp1__dense.csv, or keep the profiler's folders: "
              "ACCELERATOR/MODEL/bf16/tp1/dense.csv",
          .also = {}};
}

Result<Setup> setup_of(const std::string& file) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(file, '/'))
    if (!part.empty()) parts.emplace_back(part);
  if (parts.empty()) return fail(misnamed(file, "no name"));
  Setup setup;
  std::string type;
  if (const std::string name = parts.back(); name.find("__") != std::string::npos) {
    std::vector<std::string> words;
    for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 2) {
      end = name.find("__", at);
      words.push_back(name.substr(at, end == std::string::npos ? end : end - at));
    }
    if (words.size() != 4) return fail(misnamed(file, "it has not four parts between \"__\""));
    setup.accelerator = words[0];
    setup.model = words[1];
    type = words[2];
  } else {
    if (parts.size() < 5) return fail(misnamed(file, "it stands in fewer than four folders"));
    const std::size_t n = parts.size();
    type = parts[n - 3] + "_" + parts[n - 2];
    setup.model = parts[n - 4];
    // An organisation may stand between the accelerator and the model.
    setup.accelerator = parts[n - 5];
    if (n > 5 && setup.accelerator.find_first_of("0123456789") == std::string::npos) {
      setup.model = setup.accelerator + "/" + setup.model;
      setup.accelerator = parts[n - 6];
    }
  }
  const std::size_t bar = type.rfind("_tp");
  const auto tp = bar == std::string::npos ? std::nullopt
                                           : parse_double(std::string_view(type).substr(bar + 3));
  if (!tp || *tp < 1 || *tp > 1024)
    return fail(misnamed(file, "it gives no degree of tensor parallelism (\"tp1\")"));
  setup.tp = static_cast<int>(*tp);
  if (const std::string format = type.substr(0, bar); format != "bf16" && format != "fp16")
    return fail(misnamed(
        file, fmt::format("of the types only bf16 and fp16 are read, not {}", quoted(format))));
  return setup;
}

/// Rows of the kernel layout under construction.
class KernelRows {
 public:
  explicit KernelRows(Setup setup) : setup_(std::move(setup)) {
    for (const std::string_view column : kColumns) csv_.header.emplace_back(column);
  }
  using Cells = std::vector<std::pair<std::string_view, double>>;
  void add(std::string_view op, const Cells& cells, double time_us, std::uint64_t line) {
    std::vector<std::string> row(kColumns.size());
    const auto put = [&](std::string_view column, std::string text) {
      row[static_cast<std::size_t>(csv_.column(column))] = std::move(text);
    };
    put("system", setup_.accelerator);
    put("backend", kBackend);
    put("version", kVersion);
    put("op", std::string(op));
    put("dtype", "bfloat16");
    if (op.ends_with("_attention")) put("kv_dtype", "bfloat16");
    put("latency_ms", shortest(time_us * 1e-3));
    put("source", fmt::format("LLMServingSim profile, {} tp{}", setup_.model, setup_.tp));
    for (const auto& [column, value] : cells) put(column, shortest(value));
    csv_.rows.push_back(std::move(row));
    csv_.lines.push_back(line);
  }
  io::CsvTable take() && { return std::move(csv_); }

 private:
  static constexpr std::array<std::string_view, 30> kColumns = {
      "system",      "backend",  "version",    "op",
      "dtype",       "kv_dtype", "latency_ms", "source",
      "m",           "n",        "k",          "batch",
      "isl",         "past_kv",  "num_heads",  "num_kv_heads",
      "head_dim",    "window",   "decodes",    "decode_context",
      "num_tokens",  "hidden",   "inter",      "topk",
      "num_experts", "moe_tp",   "moe_ep",     "activated_experts",
      "bytes",       "kernel"};
  Setup setup_;
  io::CsvTable csv_;
};

class Translator {
 public:
  Translator(const Table& table, Setup setup, const model::Architecture& architecture)
      : table_(table),
        setup_(setup),
        architecture_(architecture),
        operators_(model::operators(architecture, {.tp = setup.tp, .ep = 1})),
        rows_(std::move(setup)) {}

  Result<void> translate(std::size_t index, Layout layout) {
    const TableRow row(table_, index);
    const auto cell = [&](std::string_view column) -> Result<double> {
      const auto value = row.number(column);
      if (value && *value >= 0) return *value;
      return fail(Error{.code = ErrorCode::kInvalidInput,
                        .message = fmt::format("{} {} is not a number from 0 up", column,
                                               quoted(row.text(column))),
                        .where = where(index),
                        .why = {},
                        .hint = {},
                        .also = {}});
    };
    const std::uint64_t line = table_.csv().lines[index];
    if (layout == Layout::kSkew) {
      rows_.add("skewed_attention", {}, row.number_or("t_skew_us", 1), line);
      return {};
    }
    const double time = PORTOLAN_TRY(cell("time_us"));
    switch (layout) {
      case Layout::kDense:
        return layer(index, row.text("layer"), PORTOLAN_TRY(cell("tokens")), time, line);
      case Layout::kPerSequence:
        return layer(index, row.text("layer"), PORTOLAN_TRY(cell("sequences")), time, line);
      case Layout::kExperts:
        return experts(index, PORTOLAN_TRY(cell("tokens")), PORTOLAN_TRY(cell("activated_experts")),
                       time, line);
      case Layout::kAttention:
        return attention(index, PORTOLAN_TRY(cell("prefill_chunk")),
                         PORTOLAN_TRY(cell("kv_prefill")), PORTOLAN_TRY(cell("n_decode")),
                         PORTOLAN_TRY(cell("kv_decode")), time, line);
      case Layout::kSkew:
        break;
    }
    return {};
  }
  io::CsvTable take() && { return std::move(rows_).take(); }

 private:
  [[nodiscard]] Where where(std::size_t index) const {
    return {.file = table_.file(),
            .line = table_.csv().lines[index],
            .column = 0,
            .pointer = {},
            .argument = {},
            .offset = {}};
  }
  Result<const model::Operator*> operator_named(std::size_t index, std::string_view name) const {
    for (const model::Operator& op : operators_)
      if (op.name == name) return &op;
    return fail(
        Error{.code = ErrorCode::kInvalidInput,
              .message = fmt::format("{} has no operator {}", quoted(setup_.model), quoted(name)),
              .where = where(index),
              .why = {},
              .hint = "check the model in the file's name (portolan models)",
              .also = {}});
  }
  Result<void> layer(std::size_t index, const std::string& name, double tokens, double time,
                     std::uint64_t line) {
    if (name == "sampler") {
      rows_.add("sampler",
                {{"bytes",
                  cost::kSamplerBytesPerLogit * static_cast<double>(architecture_.vocab) * tokens}},
                time, line);
      return {};
    }
    const auto* known = std::find_if(kLayers.begin(), kLayers.end(),
                                     [&](const LayerName& l) { return l.layer == name; });
    if (known == kLayers.end()) {
      rows_.add(name, {}, time, line);
      return {};
    }
    const model::Operator& op = *PORTOLAN_TRY(operator_named(index, known->op));
    if (op.kind == model::OpKind::kGemm) {
      rows_.add("gemm",
                {{"m", tokens}, {"n", static_cast<double>(op.n)}, {"k", static_cast<double>(op.k)}},
                time, line);
    } else {
      rows_.add("elementwise", {{"bytes", kActivationBytes * op.elements * tokens}}, time, line);
    }
    return {};
  }

  Result<void> experts(std::size_t index, double tokens, double activated, double time,
                       std::uint64_t line) {
    for (const model::LayerRun& run : architecture_.layers) {
      const model::Channel& c = run.channel;
      if (c.kind != model::ChannelKind::kMoe) continue;
      const auto d = [](std::int64_t x) { return static_cast<double>(x); };
      rows_.add("moe",
                {{"num_tokens", tokens},
                 {"hidden", d(c.latent > 0 ? c.latent : architecture_.hidden)},
                 {"inter", d(c.expert_width)},
                 {"topk", d(c.top_k)},
                 {"num_experts", d(c.experts)},
                 {"moe_tp", setup_.tp},
                 {"moe_ep", 1},
                 {"activated_experts", activated}},
                time, line);
      return {};
    }
    return fail(Error{.code = ErrorCode::kInvalidInput,
                      .message = fmt::format("{} has no experts", quoted(setup_.model)),
                      .where = where(index),
                      .why = {},
                      .hint = "check the model in the file's name (portolan models)",
                      .also = {}});
  }

  Result<void> attention(std::size_t index, double chunk, double cached, double decodes,
                         double context, double time, std::uint64_t line) {
    const model::Operator& op = *PORTOLAN_TRY(operator_named(index, "attention"));
    const auto d = [](std::int64_t x) { return static_cast<double>(x); };
    KernelRows::Cells cells = {{"num_heads", d(op.heads)},
                               {"num_kv_heads", d(op.kv_heads)},
                               {"head_dim", d(op.d_qk)},
                               {"window", d(op.window)}};
    if (chunk > 0) {
      cells.insert(cells.end(), {{"batch", 1}, {"isl", chunk}, {"past_kv", cached}});
      if (decodes > 0)
        cells.insert(cells.end(), {{"decodes", decodes}, {"decode_context", context}});
      rows_.add(decodes > 0 ? "mixed_attention" : "context_attention", cells, time, line);
    } else {
      cells.insert(cells.end(),
                   {{"batch", decodes}, {"isl", 1}, {"past_kv", std::max(0.0, context - 1)}});
      rows_.add("generation_attention", cells, time, line);
    }
    return {};
  }

  const Table& table_;
  Setup setup_;
  const model::Architecture& architecture_;
  std::vector<model::Operator> operators_;
  KernelRows rows_;
};

}  // namespace

bool is_profiler_table(const Table& table) { return layout_of(table) != nullptr; }

Result<Table> as_kernel_rows(const Table& table, const model::Library& models) {
  const KnownLayout* known = layout_of(table);
  if (known == nullptr)
    return fail(ErrorCode::kInvalidInput, table.file() + " is no profile of LLMServingSim",
                "docs/formats/measurements.md describes the layouts");
  Setup setup = PORTOLAN_TRY(setup_of(table.file()));
  const model::Model model = PORTOLAN_TRY(find_model(models, setup.model));
  Translator translator(table, std::move(setup), model.architecture);
  for (std::size_t i = 0; i < table.size(); ++i)
    PORTOLAN_DO(translator.translate(i, known->layout));
  return Table(table.file(), std::move(translator).take());
}

}  // namespace portolan::measure
