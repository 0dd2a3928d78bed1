#include "app/registry.hpp"

#include <algorithm>
#include <array>

namespace portolan::app {
namespace {

using enum OptionType;

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> kVerbs = {
      {"estimate",
       "FLOPs, memory, time, energy and cost of one model",
       "Prints the rule of thumb (2np, 6pD) beside the operator-level model of the architecture: "
       "what\n"
       "a prompt and a token cost in FLOP, how much memory the weights and the KV cache take, "
       "and,\n"
       "with --gpu, how long it takes on that hardware, what bounds it and what it costs.",
       {{"model", kText, "MODEL", "", "name, config.json, folder, .gguf or .safetensors file",
         "@models", true, true},
        {"tokens", kCount, "N", "", "tokens processed, prompt and answer together (default: 1024)"},
        {"input", kCount, "N", "", "prompt tokens; with --output replaces --tokens"},
        {"output", kCount, "N", "", "generated tokens"},
        {"characters", kCount, "N", "",
         "length of the text instead of tokens, at 4 characters per token"},
        {"training_tokens", kCount, "D", "",
         "tokens of a training run: makes it a training question"},
        {"sequence", kCount, "N", "",
         "training sample length (default: the model's maximum, at most 8192)"},
        {"dtype", kText, "FORMAT", "",
         "weights: fp32 bf16 fp16 fp8 int8 int4 … (default: the checkpoint's own)", "@formats"},
        {"kv_dtype", kText, "FORMAT", "",
         "KV cache: bf16 fp8 int8 q8_0 … (default: 4 bytes for fp32, else 2)",
         "fp32 bf16 fp16 fp8 int8 q8_0 int4"},
        {"batch", kCount, "B", "1", "sequences decoded together"},
        {"context", kCount, "L", "",
         "tokens held in the KV cache per sequence (default: input + output)"},
        {"gpu", kText, "GPU", "", "accelerator to run on", "@gpus"},
        {"count", kInteger, "N", "", "accelerators (default: tp x pp, else 1)"},
        {"tp", kInteger, "N", "", "tensor-parallel degree (default: count, within one node)"},
        {"pp", kInteger, "N", "", "pipeline-parallel degree (default: count over tp)"},
        {"ep", kInteger, "N", "1", "expert-parallel degree"},
        {"price", kMoney, "USD", "",
         "price of one accelerator-hour (default: cheapest on-demand offer)"},
        {"utilisation", kShare, "SHARE", "1", "share of the paid time that does work"},
        {"mfu", kShare, "SHARE", "",
         "train by the rule of thumb at this model FLOP utilisation (default: 0.375 beside the "
         "operator model)"},
        {"max_params", kFlag, "", "", "largest trainable model per recipe for --gpu or --memory"},
        {"memory", kBytes, "SIZE", "", "memory of one card for --max-params, e.g. 12GB"}},
       {"portolan estimate gpt3-175b --tokens 1024 --dtype fp16",
        "portolan estimate deepseek-ai/DeepSeek-V3 --context 131072 --batch 8 --gpu h200-sxm --tp "
        "8",
        "portolan estimate llama-3.1-8b --training-tokens 1T --gpu h100-sxm --count 64",
        "portolan estimate --max-params --memory 12GB llama-3.1-8b"}},
      {"plan",
       "the cheapest feasible ways to run a job",
       "Reads a job file (serve, batch, train or finetune), tries every machine shape of the "
       "market with\n"
       "every legal parallel layout, precision and batch, and ranks what meets the constraints by "
       "cost.\n"
       "What was rejected is counted by reason, with the nearest miss. Exit code 3: no plan "
       "exists.",
       {{"job", kFile, "JOB.yaml", "", "job file, or - for standard input", {}, true, true},
        {"top", kInteger, "K", "10", "rows to print (0 = all)"},
        {"verify", kInteger, "K", "0", "simulate the K cheapest and rank them by what that proves"},
        {"max_price_age", kText, "AGE", "",
         "exit code 5 when an older price decides the plan, e.g. 30d"},
        {"svg", kFile, "FILE", "", "write the cost-latency chart as SVG"},
        {"force", kFlag, "", "", "overwrite the SVG file"}},
       {"portolan plan examples/chat-70b/job.yaml",
        "portolan plan examples/chat-70b/job.yaml --verify 3",
        "portolan plan examples/train-8b/job.yaml --top 3"}},
      simulate_verb(),
      {"offers",
       "priced machines of the market",
       "Lists accepted offers. --gpu takes a grammar: vendor, names, memory and count in any "
       "order,\n"
       "joined by ':' (nvidia:A100,H100:80GB:1..8). See 'portolan help grammar'.",
       {{"gpu", kText, "GRAMMAR", "", "accelerators, e.g. H100:8 or A100:80GB:1..8", "@gpus"},
        {"count", kText, "RANGE", "", "accelerators per instance, e.g. 8 or 1..8"},
        {"provider", kList, "NAME", "", "only these providers", "@providers"},
        {"region", kList, "GLOB", "", "only these regions, e.g. us-*"},
        {"purchase", kList, "KIND", "", "on-demand, spot, reserved-1y, …",
         "on-demand spot reserved-1y reserved-3y capacity-block auction serverless"},
        {"max_price", kMoney, "USD", "", "highest price of one instance-hour"},
        {"max_price_age", kText, "AGE", "", "hide offers observed longer ago, e.g. 90d"},
        {"sort", kText, "KEY", "price", "price, gpu-price or age", "price gpu-price age"},
        {"limit", kInteger, "N", "20", "rows to print (0 = all)"},
        {"stats", kFlag, "", "", "price spread per accelerator instead of rows"},
        {"quarantined", kFlag, "", "", "the rows that a gate set aside, and why"}},
       {"portolan offers --gpu H100:8 --sort gpu-price",
        "portolan offers --gpu a100-sxm-80gb --stats",
        "portolan offers --gpu 24GB.. --max-price 1 --region 'us-*'"}},
      {"gpus",
       "accelerators: rates, memory, links, conflicts",
       "Without a name the table of accelerators, with one everything known about it.",
       {{"gpu", kText, "GPU", "", "one accelerator, or a loose name such as h100", "@gpus", true},
        {"vendor", kText, "NAME", "", "only this vendor"},
        {"min_memory", kBytes, "SIZE", "", "at least this much memory, e.g. 80GB"},
        {"sort", kText, "KEY", "id", "id, memory, bandwidth, bf16, price, perf-per-dollar",
         "id memory bandwidth bf16 price perf-per-dollar"},
        {"limit", kInteger, "N", "0", "rows to print (0 = all)"},
        {"all", kFlag, "", "", "announced and unmodelled parts too"}},
       {"portolan gpus --sort perf-per-dollar --limit 10",
        "portolan gpus a100-sxm-80gb --explain"}},
      {"models",
       "known models",
       "Without a name the table of models, with one everything known about it.",
       {{"name", kText, "MODEL", "", "one model", "@models", true},
        {"family", kText, "NAME", "", "only this family, or all whose names begin so"},
        {"min_parameters", kCount, "N", "", "at least so many parameters, e.g. 7B"},
        {"max_parameters", kCount, "N", "", "at most so many parameters, e.g. 70B"},
        {"sort", kText, "KEY", "id", "id, parameters, released, kv", "id parameters released kv"},
        {"limit", kInteger, "N", "20", "rows to print (0 = all)"},
        {"prices", kFlag, "", "",
         "what hosted APIs ask per million tokens, of the model or of all"},
        {"provider", kList, "NAME", "", "hosted prices of these providers only"},
        {"compute", kFlag, "", "",
         "the reference article's table: parameters, FLOP for 1,024 tokens, training FLOP, "
         "memory"}},
       {"portolan models --family qwen --sort parameters", "portolan models deepseek-v3",
        "portolan models deepseek-v3 --prices", "portolan models --compute"}},
      {"providers",
       "who sells compute, and how",
       "Delivery model, billing quantum, spot, multi-node, support and interconnect of each "
       "provider;\n"
       "--engines shows which inference engine runs on which accelerators, and how sure that is.",
       {{"name", kText, "NAME", "", "one provider", "@providers", true},
        {"kind", kText, "KIND", "", "hyperscaler, neocloud, marketplace, broker …"},
        {"engines", kFlag, "", "", "the engine support matrix"}},
       {"portolan providers", "portolan providers lambda", "portolan providers --engines"}},
      {"validate",
       "how far off the model is on measured points",
       "Without arguments every set of measured points that ships: kernels, serving, training, and "
       "the\n"
       "golden values of the reference article. With --data any file in the layouts of\n"
       "docs/formats/measurements.md. Errors per group, worst first; a point without an answer "
       "lowers\n"
       "'covered'. 'validate article' lists the article's golden values and, with --errata, where "
       "its\n"
       "numbers do not add up. Exit code 5 when a golden value moved or a threshold is exceeded.",
       {{"set", kList, "SET", "",
         "article, kernels, inferencex, blis, trtllm, argonne, training, training-memory "
         "(default: all)",
         "article kernels inferencex blis trtllm argonne training training-memory", true},
        {"data", kFiles, "FILE", "", "score on these tables instead (CSV, .gz, .zst)"},
        {"kind", kText, "KIND", "", "what the tables are (default: by their header)",
         "kernels serving training training-memory"},
        {"rows", kFile, "FILE", "", "write predicted beside measured, point by point, as CSV"},
        {"svg", kFile, "FILE", "", "write the plot of predicted against measured as SVG"},
        {"force", kFlag, "", "", "overwrite the files of --rows and --svg"},
        {"max_median_ape", kShare, "SHARE", "",
         "exit code 5 when the median error of a group is larger, e.g. 15%"},
        {"limit", kInteger, "N", "25", "groups to print in a table (0 = all)"},
        {"errata", kFlag, "", "", "of the article: the errata in words"}},
       {"portolan validate", "portolan validate training --limit 5", "portolan validate article",
        "portolan validate article --errata -o md"}},
      {"calibrate",
       "fit efficiency curves to kernel measurements, host times to served requests",
       "Kernel tables (docs/formats/measurements.md): leaves out rows faster than physics, fits "
       "one "
       "curve\n"
       "per accelerator, engine, version, operator and number format, and reports the error on "
       "points that\n"
       "were left out of the fit: one point of a line (by point), all points of a shape (by "
       "shape).\n"
       "Serving tables: fits the host times of each engine and version, and reports the error with "
       "each\n"
       "model (of one model: each load) left out.\n"
       "--out writes a profile; --profile lays it over what is known in every command.",
       {{"data", kFiles, "FILE", "", "kernel or serving tables (CSV, .gz, .zst)", {}, false, true},
        {"out", kFile, "PROFILE", "", "write the profile"},
        {"force", kFlag, "", "", "overwrite the profile"},
        {"limit", kInteger, "N", "25", "curves or parts to print in a table (0 = all)"}},
       {"portolan calibrate --data examples/own-kernels/kernels.csv",
        "portolan calibrate --data examples/own-serving/serving.csv"}},
  };
  return kVerbs;
}

const std::vector<Option>& all_common() {
  static const std::vector<Option> kCommon = {
      {"format", kText, "FORMAT", "table", "table, wide, json, jsonl, csv, yaml, md, name",
       "table wide json jsonl csv yaml md name", false, false, 'o'},
      {"fields", kText, "A,B.C", "", "only these fields, in this order ('help' lists them)"},
      {"no_header", kFlag, "", "", "leave out the header row of tables and CSV"},
      {"explain", kFlag, "", "", "print how the headline figures were derived, with sources"},
      {"assumptions", kFlag, "", "", "print every assumption with the flag that changes it"},
      {"catalogue", kFile, "FILE|DIR", "", "catalogue instead of the embedded one"},
      {"profile", kFile, "FILE", "", "curves and host times of portolan calibrate"},
      {"as_of", kDate, "DATE", "", "only prices known on that day, e.g. 2023-04-07"},
      {"offline", kFlag, "", "", "never use the network (no verb does unless asked)"},
      {"threads", kInteger, "N", "0", "threads (0 = all cores); the answer does not depend on it"},
      {"seed", kInteger, "N", "1", "seed of random streams"},
      {"no_timing", kFlag, "", "", "leave out the fields that measure this run's own speed"},
      {"quiet", kFlag, "", "", "no warnings or progress on stderr", {}, false, false, 'q'},
      {"verbose", kFlag, "", "", "log what is done on stderr", {}, false, false, 'v'},
      {"color", kText, "WHEN", "auto", "always, never or auto", "always never auto"},
      {"ascii", kFlag, "", "", "no box drawing, ticks or plot glyphs beyond ASCII"},
      {"csv_raw", kFlag, "", "", "do not guard spreadsheet formulas in CSV cells"},
  };
  return kCommon;
}

struct Topic {
  std::string_view name, text;
};

constexpr std::array<Topic, 6> kTopics = {{
    {"formats",
     "Output formats (-o)\n"
     "  table   fits the terminal (at most 100 columns); what was cut is said\n"
     "  wide    the same without the width limit\n"
     "  json    one object: schema_version, command, catalogue, result, assumptions, sources, "
     "warnings\n"
     "  jsonl   one line per row, first the envelope, last {\"end\":true,\"count\":N}\n"
     "  csv     RFC 4180 with a header, one row per item, nested fields with dots\n"
     "  yaml    the JSON object as YAML\n"
     "  md      Markdown tables\n"
     "  name    ids only, one per line\n"
     "The answer goes to standard output, everything else to standard error. Units are the last "
     "word of\n"
     "each key; unknown is null in JSON and – in tables. JSON Schemas: portolan schema VERB.\n"},
    {"units",
     "Units\n"
     "  bytes     80GB (1e9) 80GiB (2^30) 512MB 4096B; '80G' is refused: say which\n"
     "  counts    10k 4M 1.5B 15T 1e12\n"
     "  time      300ms 1s 2min 2h30min 30d 12mo 3y; a month is 730.5 h, a year 8,766 h\n"
     "  money     2.5 or $2.5/h (per hour), $40M\n"
     "  share     30% or 0.3\n"
     "  rate      5 or 5rps, 300rpm\n"
     "  range     1..8  1..  ..8\n"
     "  FLOP is a count, FLOP/s a rate; a multiply-add is 2 FLOP.\n"},
    {"exit-codes",
     "Exit codes\n"
     "    0  answer printed (an empty list is an answer)\n"
     "    1  unexpected: a bug, disk full\n"
     "    2  usage: unknown command or flag, malformed argument\n"
     "    3  infeasible: a valid question without a plan; the reasons are printed\n"
     "    4  bad input or data: malformed file, unknown name, limit exceeded\n"
     "    5  a threshold is exceeded (--max-price-age, --max-median-ape, a golden that moved)\n"
     "    6  a source is unavailable\n"
     "  130  interrupted\n"},
    {"environment",
     "Environment\n"
     "  NO_COLOR          set and not empty: no colour\n"
     "  CLICOLOR_FORCE    not 0: colour even in a pipe\n"
     "  COLUMNS           width of tables; without it the terminal's own, and no limit in a pipe\n"
     "  LC_ALL, LANG      a locale without UTF-8 turns --ascii on\n"},
    {"assumptions",
     "Assumptions\n"
     "  Every default that an answer rests on is listed in assumptions[] of the JSON and printed "
     "by\n"
     "  --assumptions, with its origin, its source and the flag that changes it. Prices are judged "
     "on the\n"
     "  catalogue's date, so the same command gives the same bytes tomorrow. Not investment "
     "advice.\n"},
    {"grammar",
     "GPU grammar: parts joined by ':' in any order, each at most once\n"
     "  8                        any accelerator, 8 of them\n"
     "  h100-sxm:8               8 of that accelerator\n"
     "  nvidia:A100:80GB:1..8    vendor, name, memory, count range\n"
     "  24GB..                   any with at least 24 GB each\n"
     "  A100,H100:40GB..80GB     either name, memory range\n"
     "  A100:40                  40 of them: memory needs a unit\n"},
}};

}  // namespace

std::string_view type_name(OptionType type) {
  switch (type) {
    case kFlag:
      return "flag";
    case kText:
      return "text";
    case kInteger:
      return "integer";
    case kNumber:
      return "number";
    case kCount:
      return "count";
    case kBytes:
      return "bytes";
    case kShare:
      return "share";
    case kMoney:
      return "money";
    case kDate:
      return "date";
    case kList:
      return "list";
    case kFile:
      return "file";
    case kFiles:
      return "files";
  }
  return "text";
}

std::span<const Verb> verbs() { return all_verbs(); }

const Verb* find_verb(std::string_view name) {
  const auto& verbs = all_verbs();
  const auto it =
      std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == name; });
  return it == verbs.end() ? nullptr : &*it;
}

std::span<const Option> common_options() { return all_common(); }

std::string flag_of(const Option& option) {
  std::string flag = "--" + std::string(option.key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string_view help_topic(std::string_view topic) {
  for (const Topic& t : kTopics) {
    if (t.name == topic) return t.text;
  }
  return {};
}

std::span<const std::string_view> help_topics() {
  static constexpr std::array<std::string_view, kTopics.size()> kNames = {
      "formats", "units", "exit-codes", "environment", "assumptions", "grammar"};
  return kNames;
}

}  // namespace portolan::app
