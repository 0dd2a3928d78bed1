// Traffic that is more than one file, or goes to files: ServeGen's folders, lengths from a trace,
// traces for BLIS.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "simulation/trace_write.hpp"
#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

class TrafficFiles : public testing::Test {
 protected:
  TrafficFiles()
      : folder_(std::filesystem::temp_directory_path() /
                ("portolan-traffic-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~TrafficFiles() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return (folder_ / name).string();
  }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ostringstream all;
    all << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return all.str();
  }
  void client(const std::string& number, const std::string& windows, const std::string& lengths) {
    write("chunk-" + number + "-trace.csv", windows);
    write("chunk-" + number + "-dataset.json", lengths);
  }
  std::filesystem::path folder_;
};

constexpr const char* kLengths =
    "{\"0\": {\"input_tokens\": \"{100: 0.25, 200: 0.75}\", \"output_tokens\": \"{10.0: 1e-1, 0: "
    "5}\"},"
    " \"1200\": {\"input_tokens\": \"{300: 1}\", \"output_tokens\": \"{20: 1,}\", \"more\": 1},"
    " \"1800\": {\"input_tokens\": \"{}\", \"output_tokens\": \"{}\"}}";

TEST_F(TrafficFiles, ServeGenClients) {
  client("1",
         "0,5.0,2.0,Gamma,0.25,0.8\n600,10.0,1.0,,,\n1200,0,,,,\n1800,2.0,0.5,Weibull,2.1,0.6\n",
         kLengths);
  const TraceOptions options{.path = folder_.string()};
  auto source = open_trace(options);
  ASSERT_TRUE(source) << format_error(source.error());
  const std::vector<Request> alone = parts::drain(**source).value();
  std::array<int, 5> windows{};
  double heavy = 0;
  for (const Request& request : alone) {
    const double time = to_seconds(request.arrival);
    ++windows.at(static_cast<std::size_t>(time / 600));
    if (time < 1200) {
      EXPECT_TRUE(request.input_tokens == 100 || request.input_tokens == 200);
      heavy += request.input_tokens == 200 ? 1 : 0;
      EXPECT_EQ(request.output_tokens, 10);
    } else {
      EXPECT_EQ(request.input_tokens, 300);
      EXPECT_EQ(request.output_tokens, 20);
    }
  }
  EXPECT_NEAR(windows[0], 3000, 350);
  EXPECT_NEAR(windows[1], 6000, 250);
  EXPECT_EQ(windows[2], 0);
  EXPECT_NEAR(windows[3], 1200, 70);
  EXPECT_EQ(windows[4], 0);
  EXPECT_NEAR(heavy / (windows[0] + windows[1]), 0.75, 0.02);

  // A second client leaves the first alone.
  client("2", "0,1.0,1.0,,,\n",
         "{\"0\": {\"input_tokens\": \"{7: 1}\", \"output_tokens\": \"{7: 1}\"}}");
  const std::vector<Request> both = parts::drain(**open_trace(options)).value();
  std::vector<double> of_first;
  for (const Request& request : both) {
    if (request.input_tokens != 7) of_first.push_back(to_seconds(request.arrival));
  }
  EXPECT_EQ(of_first, parts::arrivals(alone));
  EXPECT_NEAR(static_cast<double>(both.size() - alone.size()), 600, 80);
}

TEST_F(TrafficFiles, ServeGenSaysWhatIsWrong) {
  const TraceOptions options{.path = folder_.string()};
  EXPECT_NE(open_trace(options).error().message.find("no client"), std::string::npos);
  client("1", "0,5.0,2.0,Gamma,,\n600,-1,1,,,\n", kLengths);
  EXPECT_EQ(open_trace(options).error().where.line, 2u);
  client("1", "600,5.0,2.0,Gamma,,\n0,1,1,,,\n", kLengths);
  EXPECT_EQ(open_trace(options).error().where.line, 2u);
  client("1", "0,5.0,2.0,Zeta,,\n", kLengths);
  EXPECT_NE(open_trace(options).error().message.find("zeta"), std::string::npos);
  client("1", "0,5.0,2.0,Gamma,,\n",
         "{\"0\": {\"input_tokens\": \"{1: }\", \"output_tokens\": \"{}\"}}");
  EXPECT_FALSE(open_trace(options));
  client("1", "0,5.0,2.0,Gamma,,\n", "{\"0\": ");
  EXPECT_EQ(open_trace(options).error().code, ErrorCode::kMalformed);
  std::filesystem::remove(folder_ / "chunk-1-dataset.json");
  EXPECT_EQ(open_trace(options).error().code, ErrorCode::kNotFound);
}

TEST_F(TrafficFiles, LengthsFromATrace) {
  TrafficSpec spec;
  Stream stream;
  stream.arrival = Stream::Arrival::kConstant;
  stream.rate = 2;
  spec.streams = {stream};
  spec.lengths_from = TraceOptions{
      .path = write("lengths.csv",
                    "num_prefill_tokens,num_decode_tokens\n100,20\n101,21\n102,0\n103,23\n")};
  auto source = make_traffic(spec);
  ASSERT_TRUE(source) << format_error(source.error());
  std::vector<Request> requests = parts::drain(**source).value();
  EXPECT_EQ(parts::arrivals(requests), (std::vector<double>{0.5, 1, 1.5}));
  EXPECT_EQ(requests[2].input_tokens, 103);
  EXPECT_EQ((*source)->skipped(), 1u);

  spec.lengths_from->path = write("chat.json",
                                  "[{\"id\": \"a\", \"conversations\": [{\"from\": \"human\", "
                                  "\"value\": \"h\\u00e9llo [{\\\"\"},\n"
                                  " {\"from\": \"gpt\", \"value\": \"12345678\"}, {\"from\": "
                                  "\"human\", \"value\": \"more\"}]},\n"
                                  " {\"id\": \"b\", \"conversations\": []}]\n");
  source = make_traffic(spec);
  ASSERT_TRUE(source) << format_error(source.error());
  requests = parts::drain(**source).value();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].input_tokens, 3);  // nine characters at four to a token
  EXPECT_EQ(requests[0].output_tokens, 2);
  EXPECT_EQ((*source)->skipped(), 1u);
  ASSERT_EQ((*source)->assumptions().size(), 1u);
  EXPECT_NE((*source)->assumptions()[0].find("4 characters"), std::string::npos);

  // The same trace of lengths again and again, as long as it takes.
  spec.lengths_from = TraceOptions{.path = (folder_ / "lengths.csv").string(), .loops = 0};
  spec.limit = 1000;
  EXPECT_EQ(parts::generate(spec)->size(), 1000u);
}

TEST_F(TrafficFiles, AgentsAnswerByAnswer) {
  TrafficSpec spec;
  Stream stream;
  stream.arrival = Stream::Arrival::kClosed;
  stream.concurrency = 1;
  stream.requests = 2;
  spec.streams = {stream};
  const std::string line =
      "{\"num_turns\": 1, \"input_prompt_length\": 100, \"assistant_response_length\": [20],"
      " \"tool_call_output_length\": [30], \"tool_call_latency\": [1.5],"
      " \"final_assistant_response_length\": 7}\n";
  spec.lengths_from = TraceOptions{.path = write("agents.jsonl", line + line)};
  auto source = make_traffic(spec).value();
  EXPECT_TRUE(source->reactive());
  Request request, next;
  ASSERT_TRUE(*source->next(request));
  EXPECT_FALSE(*source->next(next));
  std::vector<std::int64_t> inputs{request.input_tokens};
  std::vector<Time> times{request.arrival};
  Outcome outcome;
  while (true) {
    outcome.index = request.index;
    if (!*source->completed(outcome, request.arrival + kSecond, next)) break;
    // All text so far is named, so that the next prompt finds it.
    if (inputs.size() % 2 == 1) {
      EXPECT_TRUE(std::equal(request.ids.begin(), request.ids.end(), next.ids.begin()));
    }
    request = next;
    inputs.push_back(request.input_tokens);
    times.push_back(request.arrival);
  }
  EXPECT_EQ(inputs, (std::vector<std::int64_t>{100, 150, 100, 150}));
  EXPECT_EQ(times, (std::vector<Time>{0, 5 * kSecond / 2, 7 * kSecond / 2, 6 * kSecond}));
}

TEST_F(TrafficFiles, BlisReadsWhatWasWritten) {
  TrafficSpec spec;
  Stream stream;
  stream.rate = 3;
  stream.requests = 50;
  stream.input = {.kind = Lengths::Kind::kUniform, .low = 10, .high = 500};
  stream.output.mean = 20;
  stream.model = 1;
  stream.slo_class = 1;
  stream.deadline_seconds = 60;
  stream.prefix = SharedPrefix{.groups = 2, .users = 1, .system_tokens = 64};
  spec.streams = {stream};
  const std::vector<Request> written = parts::generate(spec).value();
  const std::string header = (folder_ / "t.yaml").string(), rows = (folder_ / "t.csv").string();
  const std::vector<std::string> models{"a", "b"}, classes{"chat", "batch, slow"};
  auto source = make_traffic(spec).value();
  EXPECT_EQ(write_blis_trace(*source, models, classes, header, rows, false), 50u);
  EXPECT_NE(content("t.yaml").find("trace_version: 2"), std::string::npos);
  auto again = open_trace(
      {.path = rows, .models = {{"a", 0}, {"b", 1}}, .classes = {{"chat", 0}, {"batch, slow", 1}}});
  ASSERT_TRUE(again) << format_error(again.error());
  const auto read = parts::drain(**again);
  ASSERT_TRUE(read) << format_error(read.error());
  ASSERT_EQ(read->size(), written.size());
  std::map<std::uint64_t, std::uint64_t> groups;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const Request &a = written[i], &b = (*read)[i];
    EXPECT_LE(std::abs(a.arrival - b.arrival), kSecond / 1'000'000);
    EXPECT_LE(std::abs(a.deadline - b.deadline), kSecond / 500'000);
    EXPECT_EQ(a.input_tokens, b.input_tokens);
    EXPECT_EQ(a.output_tokens, b.output_tokens);
    EXPECT_EQ(a.model, b.model);
    EXPECT_EQ(a.slo_class, b.slo_class);
    ASSERT_EQ(a.ids.size(), b.ids.size());
    EXPECT_EQ(groups.try_emplace(a.ids[0], b.ids[0]).first->second, b.ids[0]);
  }
  EXPECT_EQ(groups.size(), 2u);
  source = make_traffic(spec).value();
  EXPECT_EQ(write_blis_trace(*source, models, classes, header, rows, false).error().code,
            ErrorCode::kConflict);
}

}  // namespace
}  // namespace portolan::simulation
