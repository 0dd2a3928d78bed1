#include "simulation/trace_servegen.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "io/byte_stream.hpp"
#include "io/line_reader.hpp"
#include "io/text_formats.hpp"
#include "simulation/draws.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

enum Purpose : std::uint64_t { kGap = 0x7365'7276'6567, kInput, kOutput };

constexpr double kWindowSeconds = 600;

struct Window {
  double start = 0, end = 0;
  float rate = 0, cv = 1;
  Gaps::Law law = Gaps::Law::kExponential;
};

// A histogram: values with the sum of weights up to them.
struct Histogram {
  std::vector<std::int32_t> values;
  std::vector<float> cumulative;
  [[nodiscard]] std::int64_t draw(double uniform) const {
    const auto at = static_cast<float>(uniform) * cumulative.back();
    const auto found = std::ranges::lower_bound(cumulative, at);
    const auto index =
        std::min(static_cast<std::size_t>(found - cumulative.begin()), values.size() - 1);
    return values[index];
  }
};
struct LengthsFrom {
  double start = 0;
  Histogram input, output;
};

struct Client {
  std::uint64_t number = 0;
  std::vector<Window> windows;
  std::vector<LengthsFrom> lengths;
  std::size_t window = 0;
  double time = 0;
  std::uint64_t drawn = 0;
  Gaps gaps;
  std::size_t gaps_of = ~std::size_t{0};
};

std::unexpected<Error> refuse(const std::string& file, std::string message, std::string hint = {}) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidInput,
                               .message = std::move(message),
                               .where = {.file = file, .pointer = {}, .argument = {}, .offset = {}},
                               .why = {},
                               .hint = std::move(hint),
                               .also = {}});
}

Result<std::vector<Window>> read_windows(const std::string& path) {
  io::LineReader lines(PORTOLAN_TRY(io::ByteStream::open(path)));
  std::vector<Window> windows;
  std::string_view line;
  double last = -1;
  while (PORTOLAN_TRY(lines.next(line))) {
    if (trim(line).empty()) continue;
    const std::vector<std::string_view> cells = split(line, ',');
    const auto cell = [&](std::size_t i) {
      return i < cells.size() ? parse_double(trim(cells[i])) : std::nullopt;
    };
    const std::optional<double> start = cell(0), rate = cell(1);
    const std::optional<double> cv = cells.size() > 2 && trim(cells[2]).empty() ? 1 : cell(2);
    constexpr double kLatest = 8.64e6, kMostRate = 1e6;
    if (!start || !(*start >= 0) || *start > kLatest || !rate || !(*rate >= 0) ||
        *rate > kMostRate || !cv || !(*cv >= 0)) {
      return lines.fail_here(ErrorCode::kInvalidInput,
                             "expected seconds, requests per second and a coefficient of variation",
                             "a window of a ServeGen client");
    }
    if (*start <= last) {
      return lines.fail_here(ErrorCode::kInvalidInput, "the window begins before the one above it");
    }
    last = *start;
    if (!windows.empty()) windows.back().end = std::min(windows.back().end, *start);
    if (*rate == 0) continue;
    Window window{.start = *start,
                  .end = *start + kWindowSeconds,
                  .rate = static_cast<float>(*rate),
                  .cv = static_cast<float>(std::min(*cv, kMostCv))};
    const std::string law = cells.size() > 3 ? to_lower(trim(cells[3])) : "";
    if (law == "gamma") {
      window.law = Gaps::Law::kGamma;
    } else if (law == "weibull") {
      window.law = Gaps::Law::kWeibull;
    } else if (!law.empty() && law != "none" && law != "nan") {
      return lines.fail_here(ErrorCode::kInvalidInput,
                             "the pattern " + quoted(law) + " is neither Gamma nor Weibull");
    }
    windows.push_back(window);
  }
  return windows;
}

// "{12: 0.5, 20: 0.25}", as Python prints a dictionary; false when it is none.
bool read_histogram(std::string_view text, Histogram& histogram) {
  text = trim(text);
  if (!text.starts_with('{') || !text.ends_with('}')) return false;
  text = text.substr(1, text.size() - 2);
  if (trim(text).empty()) return true;
  double sum = 0;
  for (const std::string_view pair : split(text, ',')) {
    if (trim(pair).empty()) continue;
    const std::size_t colon = pair.find(':');
    if (colon == std::string_view::npos) return false;
    const std::optional<double> value = parse_double(trim(pair.substr(0, colon)));
    const std::optional<double> weight = parse_double(trim(pair.substr(colon + 1)));
    if (!value || !weight || !(*weight >= 0) || !(std::fabs(*value) <= kMostTokens)) return false;
    // A length of 0 is of a request that failed.
    if (*value < 1 || *weight == 0) continue;
    sum += *weight;
    histogram.values.push_back(static_cast<std::int32_t>(*value));
    histogram.cumulative.push_back(static_cast<float>(sum));
  }
  return true;
}

Result<std::vector<LengthsFrom>> read_lengths(const std::string& path) {
  const std::string text = PORTOLAN_TRY(read_file(path));
  std::vector<LengthsFrom> all;
  PORTOLAN_DO(io::each_json_member(
      text, path, {}, [&](std::string_view key, const io::Value& value) -> Result<void> {
        LengthsFrom lengths;
        const std::optional<double> start = parse_double(key);
        const io::Value* const input = value.find("input_tokens");
        const io::Value* const output = value.find("output_tokens");
        if (!start || input == nullptr || output == nullptr || !input->is_string() ||
            !output->is_string() || !read_histogram(input->string(), lengths.input) ||
            !read_histogram(output->string(), lengths.output)) {
          return refuse(path,
                        "the window " + quoted(key) +
                            " has no histograms \"input_tokens\" and \"output_tokens\"",
                        "{\"0\": {\"input_tokens\": \"{100: 0.5, 200: 0.5}\", …}}");
        }
        lengths.start = *start;
        if (!lengths.input.values.empty() && !lengths.output.values.empty()) {
          all.push_back(std::move(lengths));
        }
        return {};
      }));
  std::ranges::sort(all, {}, &LengthsFrom::start);
  return all;
}

class ServeGen final : public Source {
 public:
  ServeGen(std::vector<Client> clients, std::uint64_t seed)
      : clients_(std::move(clients)), seed_(seed) {
    for (std::size_t i = 0; i < clients_.size(); ++i) push(i);
  }

  Result<bool> next(Request& request) override {
    if (order_.empty()) return false;
    const std::size_t which = order_.top().second;
    order_.pop();
    Client& client = clients_[which];
    request.index = given_++;
    request.arrival = from_seconds(client.time);
    request.model = request.slo_class = request.adapter = 0;
    request.deadline = kNever;
    request.conversation = 0;
    request.id_tokens = 0;
    request.ids.clear();
    // The latest histograms before this moment; before the first, those.
    const auto after =
        std::ranges::upper_bound(client.lengths, client.time, {}, &LengthsFrom::start);
    const LengthsFrom& lengths =
        after == client.lengths.begin() ? client.lengths.front() : *(after - 1);
    const std::uint64_t draw = client.drawn - 1;
    request.input_tokens =
        lengths.input.draw(RandomStream(seed_, kInput, client.number).uniform(draw));
    request.output_tokens =
        lengths.output.draw(RandomStream(seed_, kOutput, client.number).uniform(draw));
    push(which);
    return true;
  }

 private:
  void push(std::size_t which) {
    if (advance(clients_[which])) order_.push({clients_[which].time, which});
  }

  bool advance(Client& client) {
    if (client.window >= client.windows.size()) return false;
    if (client.gaps_of != client.window) {
      const Window& window = client.windows[client.window];
      client.gaps = Gaps(window.law, window.cv);
      client.gaps_of = client.window;
    }
    double gap = client.gaps.draw(RandomStream(seed_, kGap, client.number), client.drawn);
    // A gap that reaches over windows runs at the rate of each.
    for (; client.window < client.windows.size(); ++client.window) {
      const Window& window = client.windows[client.window];
      client.time = std::max(client.time, window.start);
      const double left = static_cast<double>(window.rate) * (window.end - client.time);
      if (gap < left) {
        client.time += gap / static_cast<double>(window.rate);
        ++client.drawn;
        return true;
      }
      gap -= std::max(left, 0.0);
      client.time = std::max(client.time, window.end);
    }
    return false;
  }

  using Start = std::pair<double, std::size_t>;
  std::vector<Client> clients_;
  std::uint64_t seed_, given_ = 0;
  std::priority_queue<Start, std::vector<Start>, std::greater<>> order_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_servegen(const TraceOptions& options) {
  constexpr std::string_view kPrefix = "chunk-", kSuffix = "-trace.csv";
  std::vector<Client> clients;
  for (const std::string& name : PORTOLAN_TRY(list_folder(options.path))) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) ||
        name.size() <= kPrefix.size() + kSuffix.size()) {
      continue;
    }
    const std::string of =
        name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    Client client;
    const std::optional<std::int64_t> number = parse_int(of);
    client.number = number ? static_cast<std::uint64_t>(*number) : hash_text(of);
    client.windows = PORTOLAN_TRY(read_windows(options.path + '/' + name));
    const std::string dataset = options.path + "/chunk-" + of + "-dataset.json";
    client.lengths = PORTOLAN_TRY(read_lengths(dataset));
    if (client.windows.empty()) continue;
    if (client.lengths.empty()) return refuse(dataset, "there is no histogram that is not empty");
    clients.push_back(std::move(client));
  }
  if (clients.empty()) {
    return refuse(options.path, "there is no client of ServeGen in the folder",
                  "a folder with chunk-1-trace.csv, chunk-1-dataset.json …");
  }
  std::ranges::sort(clients, {}, &Client::number);
  return std::make_unique<ServeGen>(std::move(clients), options.seed);
}

}  // namespace portolan::simulation
