#include "base/error.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/result.hpp"

namespace portolan {
namespace {

Error problem(std::string message, Where where = {}, std::string why = {}, std::string hint = {}) {
  return Error{.code = ErrorCode::kInvalidInput,
               .message = std::move(message),
               .where = std::move(where),
               .why = std::move(why),
               .hint = std::move(hint),
               .also = {}};
}

Where at(std::string file, std::uint64_t line, std::uint64_t column, std::string pointer = {}) {
  return Where{.file = std::move(file),
               .line = line,
               .column = column,
               .pointer = std::move(pointer),
               .argument = {},
               .offset = {}};
}

// The table of exit codes and HTTP statuses, row by row.
TEST(ErrorTest, CodesMapToOneExitCodeAndOneStatus) {
  struct Row {
    ErrorCode code;
    const char* name;
    int exit, http;
  };
  for (const Row& row :
       {Row{ErrorCode::kInternal, "internal", 1, 500}, Row{ErrorCode::kUsage, "usage", 2, 400},
        Row{ErrorCode::kInfeasible, "infeasible", 3, 200},
        Row{ErrorCode::kMalformed, "malformed", 4, 400},
        Row{ErrorCode::kInvalidInput, "invalid_input", 4, 422},
        Row{ErrorCode::kNotFound, "not_found", 4, 404},
        Row{ErrorCode::kConflict, "conflict", 4, 409}, Row{ErrorCode::kLimit, "limit", 4, 413},
        Row{ErrorCode::kPolicy, "policy", 5, 200}, Row{ErrorCode::kIo, "io", 1, 500},
        Row{ErrorCode::kUnavailable, "unavailable", 6, 503},
        Row{ErrorCode::kTimeout, "timeout", 6, 503},
        Row{ErrorCode::kCancelled, "cancelled", 130, 200}}) {
    EXPECT_EQ(code_name(row.code), row.name);
    EXPECT_EQ(exit_code(row.code), row.exit) << row.name;
    EXPECT_EQ(http_status(row.code), row.http) << row.name;
  }
}

TEST(ErrorTest, UnknownAccelerator) {
  EXPECT_EQ(format_error(problem("unknown accelerator \"h100-smx\"",
                                 at("job.yaml", 9, 12, "/where/gpus/0"), "",
                                 "h100-sxm (closest); others: portolan gpus --like h100")),
            "error: unknown accelerator \"h100-smx\"\n"
            "  where: job.yaml:9:12 (/where/gpus/0)\n"
            "  try:   h100-sxm (closest); others: portolan gpus --like h100\n");
}

TEST(ErrorTest, AllProblemsOfOneFileInFileOrder) {
  const Error error = combine(
      {problem("max_usd_per_hour: -5 is below the minimum 0", at("job.yaml", 11, 9)),
       problem("unknown key \"trafic\"", at("job.yaml", 3, 3), "", "did you mean \"traffic\"?"),
       problem("ttft_p95: \"300\" has no unit", at("job.yaml", 6, 14), "", "write 300ms or 300s")},
      "job.yaml");
  EXPECT_EQ(format_error(error),
            "error: 3 problems in job.yaml\n"
            "  job.yaml:3:3   unknown key \"trafic\"; did you mean \"traffic\"?\n"
            "  job.yaml:6:14  ttft_p95: \"300\" has no unit; write 300ms or 300s\n"
            "  job.yaml:11:9  max_usd_per_hour: -5 is below the minimum 0\n");
  EXPECT_EQ(error.where.file, "job.yaml");
  EXPECT_EQ(error.also.size(), 3u);
}

TEST(ErrorTest, NoPlan) {
  EXPECT_EQ(format_error(problem(
                "no plan meets the constraints", {},
                "nearest: 4x l4 tp4 bf16, needs 162.6 GB, has 96.0 GB (weights 141.1 GB, KV 21.5 "
                "GB for 8 x 8,192 tokens)",
                "--dtype int4 (nearest then needs 56.8 GB), or portolan why-not RESULT gpu=l4")),
            "error: no plan meets the constraints\n"
            "  why:   nearest: 4x l4 tp4 bf16, needs 162.6 GB, has 96.0 GB (weights 141.1 GB, KV "
            "21.5 GB for 8 x 8,192 tokens)\n"
            "  try:   --dtype int4 (nearest then needs 56.8 GB), or portolan why-not RESULT "
            "gpu=l4\n");
}

TEST(ErrorTest, BinaryFilesNameTheByte) {
  Where where;
  where.file = "model.gguf";
  where.offset = "byte 8";
  EXPECT_EQ(
      format_error(problem("model.gguf: tensor count 9223372036854775808 exceeds the limit 1000000",
                           where, "the file is damaged or hostile; nothing was allocated")),
      "error: model.gguf: tensor count 9223372036854775808 exceeds the limit 1000000\n"
      "  where: byte 8\n"
      "  why:   the file is damaged or hostile; nothing was allocated\n");
}

TEST(ErrorTest, APlaceIsSaidOnce) {
  EXPECT_EQ(format_error(problem("cannot read \"a.yaml\"", at("a.yaml", 0, 0), "no such file")),
            "error: cannot read \"a.yaml\"\n  why:   no such file\n");
}

TEST(ErrorTest, PlacesOfEveryKind) {
  EXPECT_TRUE(Where().empty());
  EXPECT_EQ(Where().text(), "");
  EXPECT_EQ(at("a.yaml", 3, 0).text(), "a.yaml:3");
  EXPECT_EQ(at("", 3, 4).text(), "line 3:4");
  EXPECT_EQ(at("", 0, 0, "/model").text(), "/model");
  Where argument;
  argument.argument = "--gpu";
  EXPECT_EQ(argument.text(), "--gpu");
  EXPECT_FALSE(argument.empty());
  EXPECT_EQ(at("evil\x1b[31m.yaml", 1, 1).text(), "evil\\x1b[31m.yaml:1:1");
}

TEST(ErrorTest, OneProblemStaysItself) {
  const Error error = combine({problem("missing key \"model\"", at("job.yaml", 1, 1))}, "job.yaml");
  EXPECT_EQ(error.message, "missing key \"model\"");
  EXPECT_TRUE(error.also.empty());
}

TEST(ErrorTest, FiftyProblemsAreEnough) {
  std::vector<Error> problems(120, problem("bad", at("job.yaml", 1, 1)));
  const Error error = combine(std::move(problems), "job.yaml");
  EXPECT_EQ(error.message, "120 problems in job.yaml");
  EXPECT_EQ(error.also.size(), 50u);
  EXPECT_EQ(error.why, "the first 50 are shown");
}

TEST(ErrorTest, TheMostBasicCodeDecides) {
  std::vector<Error> problems(3, problem("x"));
  problems[0].code = ErrorCode::kPolicy;
  problems[1].code = ErrorCode::kInfeasible;
  problems[2].code = ErrorCode::kUnavailable;
  EXPECT_EQ(combine(problems, "x").code, ErrorCode::kUnavailable);
  problems[0].code = ErrorCode::kUsage;
  EXPECT_EQ(combine(problems, "x").code, ErrorCode::kUsage);
  problems[1].code = ErrorCode::kIo;
  EXPECT_EQ(combine(problems, "x").code, ErrorCode::kIo);
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::kInvalidInput, "odd", "give an even number");
  return n / 2;
}
Result<int> quarter(int n) {
  const int halved = PORTOLAN_TRY(half(PORTOLAN_TRY(half(n)) * 2));
  return halved / 2;
}
Result<void> check(int n) {
  PORTOLAN_DO(half(n));
  return {};
}

TEST(ResultTest, TryUnwrapsOrReturns) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(7).error().message, "odd");
  EXPECT_TRUE(check(2));
  EXPECT_EQ(check(3).error().hint, "give an even number");
}

}  // namespace
}  // namespace portolan
