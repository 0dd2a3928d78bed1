// The program as a shell sees it: exit codes row by row, what goes to which stream, terminals and
// pipes, files and standard input.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "io/text_formats.hpp"

namespace portolan {
namespace {

namespace fs = std::filesystem;

struct Ran {
  int code = -1;
  std::string out, err;
};

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("portolan-" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A file of the test's own folder.
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }

  /// A shell line in which `portolan` is the program, with a clean environment.
  [[nodiscard]] Ran shell(const std::string& line) const {
    const fs::path script = folder_ / "line.sh", out = folder_ / "out", err = folder_ / "err";
    std::ofstream(script) << "portolan() { \"" PORTOLAN_PROGRAM "\" \"$@\"; }\n" << line << "\n";
    const std::string command =
        "env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 TERM=dumb "
        "PORTOLAN=" PORTOLAN_PROGRAM " bash '" +
        script.string() + "' </dev/null >'" + out.string() + "' 2>'" + err.string() + "'";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content(out),
            content(err)};
  }
  [[nodiscard]] Ran run(const std::string& arguments) const {
    return shell("portolan " + arguments);
  }

  fs::path folder_;
};

const char* kServe =
    "job: serve\nmodel: llama-3.1-8b\ntraffic: {requests_per_second: 5, input_tokens: 1000, "
    "output_tokens: 300}\n";

struct Row {
  const char* arguments;
  int code;
};

TEST_F(Program, exits_0_when_it_answers) {
  for (const char* arguments : {"",
                                "--help",
                                "-h",
                                "--version",
                                "version",
                                "--version -o json",
                                "help",
                                "help exit-codes",
                                "help estimate",
                                "help man",
                                "estimate gpt3-175b",
                                "estimate -h",
                                "offers --gpu l4:7",
                                "offers --region mars",
                                "schema plan",
                                "man",
                                "reference",
                                "completion bash",
                                "completion zsh",
                                "completion fish",
                                "validate article",
                                "offers --fields help"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 0) << arguments << ran.err;
    EXPECT_FALSE(ran.out.empty()) << arguments;
    EXPECT_EQ(ran.err, "") << arguments;
  }
}

TEST_F(Program, exits_1_when_the_machine_fails) {
  for (const char* arguments : {"--help", "offers", "offers -o json", "completion bash"}) {
    const Ran ran = shell(std::string("portolan ") + arguments + " >/dev/full");
    EXPECT_EQ(ran.code, 1) << arguments;
    EXPECT_NE(ran.err.find("No space left"), std::string::npos) << ran.err;
  }
  EXPECT_NE(shell("portolan offers -o json >/dev/full").err.find("\"code\":\"io\""),
            std::string::npos);
}

TEST_F(Program, exits_2_for_words_it_does_not_understand) {
  for (const char* arguments : {"estiamte",
                                "''",
                                "--nonsense",
                                "estimate",
                                "plan",
                                "estimate gpt3-175b --toknes 3",
                                "estimate gpt3-175b --tokens",
                                "estimate gpt3-175b extra",
                                "estimate gpt3-175b --tokens abc",
                                "estimate gpt3-175b --tokens -5",
                                "estimate gpt3-175b --batch 0",
                                "estimate gpt3-175b --tokens 5 --input 3",
                                "estimate gpt3-175b --price 0 --gpu l4",
                                "estimate gpt3-175b --dtype fp17",
                                "estimate gpt3-175b -o xml",
                                "estimate gpt3-175b --fields nonsense",
                                "offers --limit -1",
                                "offers --limit 1e3",
                                "offers --sort prize",
                                "offers --gpu A100::8",
                                "offers --count 8..1",
                                "offers --max-price abc",
                                "offers --max-price-age 30",
                                "offers --as-of yesterday",
                                "offers --threads 99999",
                                "plan job.yaml --svg -",
                                "help nonsense",
                                "help units extra",
                                "man extra",
                                "completion",
                                "completion tcsh",
                                "schema",
                                "schema nonsense",
                                "validate nonsense"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments << "\n" << ran.err;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_EQ(ran.err.find("error: "), 0u) << arguments << "\n" << ran.err;
  }
}

TEST_F(Program, exits_3_without_a_plan_and_prints_the_whole_answer) {
  const std::string job = file("job.yaml", std::string(kServe) + "slo: {ttft_p95: 1ms}\n");
  const Ran table = run("plan " + job);
  EXPECT_EQ(table.code, 3);
  EXPECT_NE(table.out.find("no plan meets the constraints"), std::string::npos);
  EXPECT_NE(table.out.find("1 ms is wanted"), std::string::npos) << table.out;
  EXPECT_NE(table.err.find("error: no plan meets the constraints\n  why:   nearest: "),
            std::string::npos)
      << table.err;
  EXPECT_NE(table.err.find("\n  try:   "), std::string::npos) << table.err;
  const Ran json = run("plan " + job + " -o json");
  EXPECT_EQ(json.code, 3);
  const auto answer = io::parse_json(json.out, "out", io::DuplicateKeys::kRefuse);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->find("result")->find("rejected")->array().empty());
  const auto error = io::parse_json(json.err, "err", io::DuplicateKeys::kRefuse);
  ASSERT_TRUE(error) << json.err;
  EXPECT_EQ(error->find("code")->string(), "infeasible");
}

TEST_F(Program, exits_4_for_bad_input) {
  const std::string deep(200, '[');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"estimate gpt4-175b", "unknown model \"gpt4-175b\""},
      {"estimate gpt3-175b --gpu h100-smx", "unknown accelerator \"h100-smx\""},
      {"offers --provider awss", "unknown provider \"awss\""},
      {"gpus --vendor nvidai", "unknown vendor \"nvidai\""},
      {"providers nobody", "unknown provider \"nobody\""},
      {"plan " + path("missing.yaml"), "cannot read"},
      {"plan " + folder_.string(), "it is a folder"},
      {"plan " + file("broken.yaml", "job: [serve\nmodel: x\n"), "not valid YAML"},
      {"plan " + file("broken.json", "{\"job\":\"serve\",}"), "broken.json:1:16"},
      {"plan " + file("twice.yaml", "job: serve\njob: batch\nmodel: x\n"),
       "key \"job\" appears twice"},
      {"plan " + file("twice.json", "{\"job\":\"serve\",\"job\":\"batch\"}"),
       "key \"job\" appears twice"},
      {"plan " + file("empty.yaml", ""), "expected an object"},
      {"plan " + file("binary.yaml", std::string("\x00\x01\xff", 3)), "binary.yaml:1:1"},
      {"plan " + file("deep.json", deep), "deep.json:1:"},
      {"plan " + file("zero.yaml",
                      "job: serve\nmodel: llama-3.1-8b\ntraffic: {requests_per_second: 0, "
                      "input_tokens: 1, output_tokens: 1}\n"),
       "0 is not above 0"},
      {"plan " + file("against.yaml", std::string(kServe) +
                                          "where: {providers: [aws], exclude_providers: [aws]}\n"),
       "against.yaml:4:"},
      {"plan " + file("gpu.yaml", std::string(kServe) + "where: {gpus: [h100-smx]}\n"),
       "gpu.yaml:4:16 (/where/gpus/0)"},
      {"estimate " + file("config.json", "{\"hidden_size\":-4096}"), "config.json:1:16"},
      {"estimate " + file("cut.json", "{\"a\":1"), "ends too early"},
      {"estimate " + file("noise.gguf", "GARBAGE"), "not a GGUF file"},
      {"offers --catalogue /nonexistent", "cannot read \"/nonexistent\""},
      {"offers --catalogue " + file("offers.csv", "a,b\n1,2,3\n"), "offers.csv:2"},
      {"offers --as-of 1900-01-01", "knows no price"},
  };
  for (const auto& [arguments, said] : cases) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 4) << arguments << "\n" << ran.err;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_NE(ran.err.find(said), std::string::npos) << arguments << "\n" << ran.err;
  }
}

TEST_F(Program, exits_4_rather_than_overwrite) {
  const std::string job = file("job.yaml", kServe), chart = file("chart.svg", "mine");
  EXPECT_EQ(run("plan " + job + " --svg " + chart).code, 4);
  EXPECT_EQ(content(chart), "mine");
  EXPECT_EQ(run("plan " + job + " --svg " + chart + " --force").code, 0);
  EXPECT_EQ(content(chart).find("<svg"), 0u);
}

TEST_F(Program, exits_5_past_a_threshold_with_the_answer) {
  const std::string job = file("job.yaml", kServe);
  const Ran ran = run("plan " + job + " --max-price-age 1d");
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.out.find("✓"), std::string::npos);
  EXPECT_NE(ran.err.find("--max-price-age 1d"), std::string::npos);
  const Ran json = run("plan " + job + " --max-price-age 1d -o json");
  EXPECT_NE(json.out.find("\"policy\":{\"passed\":false"), std::string::npos);
  EXPECT_NE(json.err.find("\"code\":\"policy\""), std::string::npos);
}

TEST_F(Program, dies_of_signals_as_a_shell_expects) {
  EXPECT_EQ(shell("timeout --preserve-status -s INT 0.5 \"$PORTOLAN\" plan - < <(sleep 5)").code,
            130);
  const Ran ran = shell("portolan offers --limit 0 | head -1; echo ${PIPESTATUS[0]}");
  EXPECT_EQ(ran.out.substr(ran.out.rfind('\n', ran.out.size() - 2) + 1), "141\n");
  EXPECT_EQ(ran.err, "");
}

TEST_F(Program, all_problems_of_a_file_at_once_in_file_order) {
  const std::string job = file("job.yaml",
                               "job: serve\nmodel: llama-3.1-70b\ntrafic: {requests_per_second: "
                               "5}\nslo:\n  ttft_p95: \"300\"\nwhere:\n"
                               "  max_usd_per_hour: -5\n");
  const Ran ran = shell("cd " + folder_.string() + " && portolan plan job.yaml");
  EXPECT_EQ(ran.err,
            "error: 4 problems in job.yaml\n"
            "  job.yaml:1:1   missing key \"traffic\"\n"
            "  job.yaml:3:1   unknown key \"trafic\"; did you mean \"traffic\"?\n"
            "  job.yaml:5:13  ttft_p95: \"300\" has no unit; write 300ms or 300s\n"
            "  job.yaml:7:21  max_usd_per_hour: \"-5\" is negative; give a value of 0 or more\n");
}

TEST_F(Program, errors_are_objects_when_json_is_asked) {
  for (const char* arguments : {"estiamte -o json", "estimate gpt3-175b --gpu h100-smx -o json",
                                "estimate gpt3-175b --toknes 3 --format json",
                                "plan /nonexistent -ojson", "offers --format=json --sort prize"}) {
    const Ran ran = run(arguments);
    const auto error = io::parse_json(ran.err, "err", io::DuplicateKeys::kRefuse);
    ASSERT_TRUE(error) << arguments << ran.err;
    for (const char* key : {"code", "message", "where", "hint"})
      EXPECT_NE(error->find(key), nullptr) << arguments << " " << key;
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(Program, reads_jobs_and_configs_from_standard_input) {
  EXPECT_EQ(shell("printf '" + std::string(kServe) + "' | portolan plan - --top 1 -o name").code,
            0);
  const Ran ran = shell(
      R"(echo '{"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,)"
      R"("num_attention_heads":4,"vocab_size":100}' | portolan estimate - -o csv --fields model.layers --no-header)");
  EXPECT_EQ(ran.out, "2\n") << ran.err;
  EXPECT_NE(shell("printf 'job: [' | portolan plan -").err.find("standard input:1:"),
            std::string::npos);
}

TEST_F(Program, colour_follows_the_conventions) {
  const std::string bold = "\x1b[1m";
  const auto coloured = [&](const std::string& line) {
    return shell(line).out.find(bold) != std::string::npos;
  };
  EXPECT_FALSE(coloured("portolan gpus --limit 1"));
  EXPECT_TRUE(coloured("portolan gpus --limit 1 --color always"));
  EXPECT_TRUE(coloured("CLICOLOR_FORCE=1 portolan gpus --limit 1"));
  EXPECT_FALSE(coloured("CLICOLOR_FORCE=0 portolan gpus --limit 1"));
  EXPECT_FALSE(coloured("CLICOLOR_FORCE=1 NO_COLOR=1 portolan gpus --limit 1"));
  EXPECT_TRUE(coloured("NO_COLOR=1 portolan gpus --limit 1 --color always"));
  EXPECT_FALSE(coloured("CLICOLOR_FORCE=1 portolan gpus --limit 1 --color never"));
  EXPECT_FALSE(coloured("CLICOLOR_FORCE=1 portolan gpus --limit 1 -o csv"));
}

TEST_F(Program, plain_characters_where_the_locale_wants_them) {
  for (const char* line : {"LC_ALL=C portolan plan ", "portolan plan --ascii "}) {
    const Ran ran = shell(line + file("job.yaml", kServe));
    for (char c : ran.out) ASSERT_LT(static_cast<unsigned char>(c), 0x80) << ran.out;
    EXPECT_NE(ran.out.find("* "), std::string::npos);
  }
  EXPECT_NE(run("plan " + file("job.yaml", kServe)).out.find("✓"), std::string::npos);
}

TEST_F(Program, a_pipe_gets_everything_columns_a_width) {
  EXPECT_EQ(run("offers --gpu h100:8").out.find("…"), std::string::npos);
  EXPECT_NE(shell("COLUMNS=60 portolan offers --gpu h100:8").out.find("left out for width"),
            std::string::npos);
}

TEST_F(Program, warnings_go_to_standard_error_unless_quiet) {
  const std::string arguments = "estimate llama-2-7b --context 8192";
  EXPECT_NE(run(arguments).err.find("warning: a context of 8,192 tokens"), std::string::npos);
  EXPECT_EQ(run(arguments + " -q").err, "");
  EXPECT_EQ(run(arguments).out, run(arguments + " -q").out);
  EXPECT_NE(run(arguments + " -v -q").err.find("portolan: catalogue of "), std::string::npos);
}

// Hostile names reach no terminal as they are.
TEST_F(Program, names_with_escape_characters_are_shown_not_obeyed) {
  const std::string config =
      R"({"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,"vocab_size":100})";
  const std::string name = file("a\x1b[31mb.json", config);
  for (const char* format : {"table", "wide", "md", "name"}) {
    const Ran ran =
        shell("portolan estimate $'" + folder_.string() + "/a\\x1b[31mb.json' -o " + format);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ((ran.out + ran.err).find('\x1b'), std::string::npos) << format;
  }
  EXPECT_EQ(shell("portolan estimate $'evil\\x1b[31m'").err.find('\x1b'), std::string::npos);
  EXPECT_EQ(shell("portolan $'evil\\x1b[31m'").err.find('\x1b'), std::string::npos);
  EXPECT_EQ(shell("portolan estimate x $'--evil\\x1b[31m'").err.find('\x1b'), std::string::npos);
  EXPECT_EQ(shell("portolan plan $'/evil\\x1b[31m'").err.find('\x1b'), std::string::npos);
}

TEST_F(Program, bash_completes_verbs_flags_and_names) {
  const auto completes = [&](const std::string& words, const std::string& expected) {
    const Ran ran = shell("source <(portolan completion bash)\nCOMP_WORDS=(portolan " + words +
                          ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_portolan\n"
                          "printf '%s\\n' \"${COMPREPLY[@]}\"");
    EXPECT_NE(("\n" + ran.out).find("\n" + expected + "\n"), std::string::npos)
        << words << ":\n"
        << ran.out << ran.err;
  };
  completes("esti", "estimate");
  completes("estimate --kv", "--kv-dtype");
  completes("estimate gpt3-175b --gpu h100-s", "h100-sxm-80gb");
  completes("estimate deepseek-v", "deepseek-v3");
  completes("offers --provider la", "lambda");
  completes("offers --sort gpu", "gpu-price");
  completes("offers -o js", "json");
  completes("completion z", "zsh");
  completes("schema pl", "plan");
}

TEST_F(Program, the_manual_page_is_roff) {
  if (shell("command -v groff").code != 0) GTEST_SKIP() << "groff is not installed";
  const Ran ran = shell("portolan man | groff -man -Tutf8 -ww -z");
  EXPECT_EQ(ran.err, "");
  const Ran text = shell("portolan man | groff -man -Tascii | col -b");
  EXPECT_NE(text.out.find("--max-price-age AGE"), std::string::npos);
  EXPECT_NE(text.out.find("portolan - "), std::string::npos);
}

}  // namespace
}  // namespace portolan
