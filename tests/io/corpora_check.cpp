// A developer's check against public parser corpora that are not part of the repository:
//   corpora_check FOLDER       with json/ (JSONTestSuite), yaml/src/ (yaml-test-suite),
//                              csv/ (csv-spectrum), gguf/ (vocabulary-only files)
// Prints what differs and a summary; exit code 1 when something behaves worse than it may.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

namespace fs = std::filesystem;

int problems = 0;

void complain(const std::string& what) {
  ++problems;
  std::printf("FAIL %s\n", what.c_str());
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

bool has_place(const Error& error) { return error.where.line > 0 || !error.where.offset.empty(); }

void check_json(const fs::path& folder) {
  int accepted = 0, rejected = 0, either = 0;
  for (const fs::path& path : files_of(folder)) {
    const std::string name = path.filename().string();
    const std::string text = *read_file(path.string());
    const Result<Value> value = parse_json(text, name, DuplicateKeys::kKeepLast);
    if (name.starts_with("y_") && !value) complain(name + ": " + format_error(value.error()));
    if (name.starts_with("n_") && value) complain(name + " was accepted");
    if (!value && !has_place(value.error())) complain(name + " was rejected without a place");
    if (value) {
      const Result<Value> again =
          parse_json(write_json(*value, true), name, DuplicateKeys::kRefuse);
      if (!again || !(*again == *value)) complain(name + " does not read back");
    }
    ++(name.starts_with("y_") ? accepted : name.starts_with("n_") ? rejected : either);
  }
  std::printf("json: %d accepted, %d rejected, %d either\n", accepted, rejected, either);
}

// yaml-test-suite shows white space with visible characters.
std::string decoded(std::string text) {
  const auto replace_all = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
      text.replace(at, from.size(), to);
      at += to.size();
    }
  };
  replace_all("␣", " ");
  replace_all("————»", "\t");
  replace_all("———»", "\t");
  replace_all("——»", "\t");
  replace_all("—»", "\t");
  replace_all("»", "\t");
  replace_all("↵", "");
  replace_all("∎\n", "");
  replace_all("←", "\r");
  replace_all("⇔", "\xEF\xBB\xBF");
  return text;
}

void check_yaml(const fs::path& folder, const fs::path& frozen_list) {
  std::set<std::string> frozen, still_accepted;
  std::ifstream list(frozen_list);
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line[0] != '#') frozen.insert(line);
  }
  int cases = 0, must_fail = 0, refused = 0, same = 0, differ = 0, unreadable = 0;
  for (const fs::path& path : files_of(folder)) {
    const std::string id = path.stem().string();
    const Result<Value> file = parse_yaml(*read_file(path.string()), path.filename().string());
    if (!file || !file->is_array()) {
      ++unreadable;
      std::printf("suite file %s cannot be read: %s\n", id.c_str(),
                  file ? "not a list" : file.error().message.c_str());
      continue;
    }
    for (std::size_t i = 0; i < file->array().size(); ++i) {
      const Value& test = file->array()[i];
      const Value* text = test.find("yaml");
      if (text == nullptr || test.find("skip") != nullptr) continue;
      const std::string name = file->array().size() == 1 ? id : id + '-' + std::to_string(i);
      const Result<Value> value = parse_yaml(decoded(text->scalar_text()), name);
      ++cases;
      if (!value && !has_place(value.error())) complain(name + " was rejected without a place");
      if (test.find("fail") != nullptr) {
        ++must_fail;
        if (value) still_accepted.insert(name);
        continue;
      }
      const Value* json = test.find("json");
      if (!value) {
        ++refused;
        if (value.error().code == ErrorCode::kMalformed) {
          std::printf("valid YAML not read: %s: %s", name.c_str(),
                      format_error(value.error()).c_str());
        }
      } else if (json != nullptr && json->is_string()) {
        const Result<Value> expected = parse_json(json->string(), name, DuplicateKeys::kKeepLast);
        const bool equal = expected && write_json(*expected, false) == write_json(*value, false);
        ++(equal ? same : differ);
        if (!equal) {
          std::printf("differs: %s: %s", name.c_str(), write_json(*value, true).c_str());
        }
      }
    }
  }
  for (const std::string& name : still_accepted) {
    if (!frozen.contains(name)) complain("yaml " + name + " must fail and was accepted");
  }
  for (const std::string& name : frozen) {
    if (!still_accepted.contains(name)) {
      complain("yaml " + name + " is rejected now: take it off the list");
    }
  }
  std::printf(
      "yaml: %d cases; %d must fail, %zu of them accepted; of the others %d refused, %d equal to "
      "the expected JSON, %d different; %d files unreadable\n",
      cases, must_fail, still_accepted.size(), refused, same, differ, unreadable);
}

void check_csv(const fs::path& folder) {
  int cases = 0;
  for (const fs::path& path : files_of(folder / "csvs")) {
    const std::string name = path.stem().string();
    const Result<CsvTable> table = parse_csv(*read_file(path.string()), name);
    if (!table) {
      complain(name + ": " + format_error(table.error()));
      continue;
    }
    Value rows = Value::Array{};
    for (const auto& row : table->rows) {
      Value object = Value::Object{};
      for (std::size_t i = 0; i < row.size(); ++i) object.set(table->header[i], row[i]);
      rows.push(std::move(object));
    }
    const Result<Value> expected = parse_json(
        *read_file((folder / "json" / (name + ".json")).string()), name, DuplicateKeys::kKeepLast);
    // The expected JSON of this case is no list and holds another telephone number than its CSV.
    if (name == "location_coordinates") {
      rows = Value(rows.array()[0]);
      rows.object()[0].second = "1234567890";
    }
    if (!expected || !(*expected == rows)) {
      complain("csv " + name + " became " + write_json(rows, true));
    }
    ++cases;
  }
  std::printf("csv: %d cases\n", cases);
}

void check_gguf(const fs::path& folder) {
  for (const fs::path& path : files_of(folder)) {
    const Result<GgufHeader> header = read_gguf_file(path.string());
    if (!header) {
      complain(format_error(header.error()));
      continue;
    }
    const Value* name = header->metadata.find("general.name");
    const Value* tokens = header->metadata.find("tokenizer.ggml.tokens");
    if (name == nullptr || tokens == nullptr || !header->tensors.empty()) {
      complain(path.filename().string() + " lacks a name or a vocabulary, or has tensors");
      continue;
    }
    std::printf("gguf: %s is %s, %s tokens, %zu keys\n", path.filename().c_str(),
                name->scalar_text().c_str(), write_json(*tokens->find("length"), false).c_str(),
                header->metadata.object().size());
    // Cut anywhere, it must be refused with a place and never crash.
    const std::string whole = *read_file(path.string());
    for (std::size_t cut = 0; cut < whole.size(); cut += 1 + cut / 50) {
      const Result<GgufHeader> part =
          read_gguf(std::string_view(whole).substr(0, cut), cut, "cut.gguf");
      if (part || !has_place(part.error())) complain("cut at byte " + std::to_string(cut));
    }
  }
}

}  // namespace
}  // namespace portolan::io

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: corpora_check FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  using namespace portolan::io;
  check_json(folder / "json");
  check_yaml(folder / "yaml" / "src",
             PORTOLAN_SOURCE_DIR "/tests/corpora/yaml_accepted_although_invalid.txt");
  check_csv(folder / "csv");
  check_gguf(folder / "gguf");
  std::printf("%d problems\n", problems);
  return problems == 0 ? 0 : 1;
}
