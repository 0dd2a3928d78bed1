#include "measure/training_architecture.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "model/count.hpp"

namespace portolan::measure {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Layers of every run scaled so that the active parameters come out at `active`.
void scale_layers(model::Architecture& a, double active) {
  const model::ParameterCount count = model::count_parameters(a);
  const double outside = static_cast<double>(count.embedding + count.head + a.other_parameters);
  const double inside = static_cast<double>(count.active) - outside;
  if (inside <= 0 || active <= outside) return;
  const double factor = (active - outside) / inside;
  for (model::LayerRun& run : a.layers) {
    run.count = std::max<std::int64_t>(1, std::llround(static_cast<double>(run.count) * factor));
  }
}

/// A decoder of which only the size is known: 12 L h² parameters with h = 128 L, the proportions of
/// GPT-3, layers rounded.
void shape_of_size(double parameters, std::int64_t& layers, std::int64_t& hidden) {
  if (layers <= 0 && hidden > 0) {
    layers = std::llround(parameters / (12.0 * static_cast<double>(hidden * hidden)));
  } else if (layers <= 0) {
    layers = std::llround(std::cbrt(parameters / (12.0 * 128 * 128)));
  }
  layers = std::max<std::int64_t>(1, layers);
  if (hidden <= 0) {
    hidden = 128 * std::llround(std::sqrt(parameters / (12.0 * static_cast<double>(layers))) / 128);
    hidden = std::max<std::int64_t>(128, hidden);
  }
}

/// Heads of about 128 where the row has none: whole ones, equally many on every tensor rank.
std::int64_t usual_heads(const TableRow& row, std::int64_t hidden) {
  const std::int64_t tp = std::max<std::int64_t>(1, row.whole_or("tp", 1));
  std::int64_t best = 0;
  for (std::int64_t heads = tp; heads <= hidden; heads += tp) {
    if (hidden % heads != 0) continue;
    const auto off = [&](std::int64_t h) {
      return std::abs(std::log(static_cast<double>(hidden) / (128.0 * static_cast<double>(h))));
    };
    if (best == 0 || off(heads) < off(best)) best = heads;
  }
  return best > 0 ? best : std::max<std::int64_t>(1, hidden / 128);
}

model::Mixer mixer_of(const TableRow& row, std::int64_t hidden, bool moe) {
  model::Mixer m;
  const std::int64_t heads =
      std::max<std::int64_t>(1, row.whole_or("heads", usual_heads(row, hidden)));
  m.heads = heads;
  if (holds(row.text("attention"), "MLA")) {
    // The ranks no table states: those of DeepSeek-V2 to V3.1 and Kimi-K2.
    m.kind = model::MixerKind::kMla;
    m.q_rank = 1536, m.kv_rank = 512, m.nope_dim = 128, m.rope_dim = 64;
    m.v_head_dim = 128, m.head_dim = 192;
    return m;
  }
  m.kind = model::MixerKind::kAttention;
  m.kv_heads = row.whole_or("kv_heads", heads);
  // Mixtures of experts have small hidden sizes and keep heads of 64 and more.
  const std::int64_t dim = std::max<std::int64_t>(1, hidden / heads);
  m.head_dim = m.v_head_dim = moe ? std::max<std::int64_t>(64, dim) : dim;
  return m;
}

std::optional<model::Architecture> from_columns(const TableRow& row) {
  model::Architecture a;
  a.hidden = row.whole_or("hidden", 0);
  a.vocab = row.whole_or("vocab", 51200);
  std::int64_t layers = row.whole_or("layers", 0);
  const double parameters = 1e9 * row.number_or("params_b", 0);
  const bool guessed = layers <= 0 || a.hidden <= 0;
  if (guessed) {
    if (parameters <= 0) return std::nullopt;
    shape_of_size(parameters, layers, a.hidden);
    a.coverage = model::Coverage::kPartial;
    a.notes.emplace_back("shape guessed from the number of parameters");
  }
  const bool moe = row.whole_or("moe_experts", 0) > 0;
  const std::int64_t ffn = row.whole_or("ffn", 4 * a.hidden);
  const bool plain = ffn == 4 * a.hidden && !moe;  // GPT's shape: two matrices, layer norm, ties
  model::LayerRun run{.count = layers, .mixer = mixer_of(row, a.hidden, moe), .channel = {}};
  run.channel = {.kind = model::ChannelKind::kMlp, .width = ffn, .gated = !plain};
  if (moe) {
    const std::int64_t width = row.whole_or("moe_ffn", ffn), shared = row.whole_or("moe_shared", 0);
    run.channel = {.kind = model::ChannelKind::kMoe,
                   .gated = true,
                   .experts = row.whole_or("moe_experts", 0),
                   .top_k = std::max<std::int64_t>(1, row.whole_or("moe_topk", 1)),
                   .expert_width = width,
                   .shared_experts = shared,
                   .shared_width = shared * width};
  }
  run.norm_parameters = (plain ? 4 : 2) * a.hidden;
  a.layers = {run};
  if (holds(row.text("attention"), "window")) {
    // Every other layer sees 128 tokens, as in the one published family of this kind.
    model::LayerRun window = run;
    window.count = run.count / 2;
    window.mixer.window = 128;
    a.layers.front().count -= window.count;
    if (window.count > 0) a.layers.insert(a.layers.begin(), window);
  }
  a.embedding_parameters = a.vocab * a.hidden;
  a.tied_embeddings = plain;
  a.head_parameters = plain ? 0 : a.embedding_parameters;
  a.other_parameters = a.hidden;
  const double active = 1e9 * row.number_or("active_params_b", 0);
  if (holds(row.text("attention"), "hybrid") || holds(row.text("attention"), "sparse")) {
    // Which layers are of which kind is not in the columns; what a token costs is.
    a.coverage = model::Coverage::kPartial;
    a.notes.emplace_back("layers of several kinds priced as attention of the same size");
    if (active > 0) scale_layers(a, active);
  }
  return a;
}

/// Whether the known model is the one the row's dimensions speak of.
bool agrees(const TableRow& row, const model::Architecture& a, bool whole) {
  const std::int64_t layers = row.whole_or("layers", 0), hidden = row.whole_or("hidden", 0);
  const std::int64_t vocab = row.whole_or("vocab", 0), ffn = row.whole_or("ffn", 0);
  const model::Channel& channel = a.layers.front().channel;
  return (layers == 0 || layers == a.layer_count()) && (hidden == 0 || hidden == a.hidden) &&
         (!whole || ((vocab == 0 || vocab == a.vocab) && (ffn == 0 || ffn == channel.width)));
}

}  // namespace

std::optional<model::Architecture> training_architecture(const TableRow& row,
                                                         const model::Library& models) {
  const std::string& attention = row.text("attention");
  const bool plain = attention.empty() || attention == "MHA" || attention == "GQA";
  const bool whole =
      row.has("layers") && row.has("hidden") && plain && row.whole_or("moe_experts", 0) == 0;
  {
    std::string name = row.text("model");
    auto found = models.named(name);
    if (!found) {
      // "Llama 2 13 B" is llama-2-13b.
      std::string joined;
      for (const char c : name) joined += c == ' ' ? '-' : c;
      if (joined.ends_with("-B") && joined.size() > 2) joined.erase(joined.size() - 2, 1);
      found = models.named(joined);
    }
    if (found && found->architecture.coverage != model::Coverage::kParameterCount &&
        !found->architecture.layers.empty() && agrees(row, found->architecture, whole))
      return found->architecture;
  }
  return from_columns(row);
}

}  // namespace portolan::measure
