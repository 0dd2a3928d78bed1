// Peak memory of every reader stays within its stated multiple of the input, whatever the input.
// Measured by counting what operator new hands out and the C libraries allocate beside it.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "gguf_writer.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

// The sanitizers keep their own operator new, which is worth more there than the measurement.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PORTOLAN_MEASURES_MEMORY false
#else
#define PORTOLAN_MEASURES_MEMORY true
#endif

namespace {
std::atomic<std::size_t> live{0}, peak{0};

[[maybe_unused]] void* allocate(std::size_t size) {
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  const std::size_t now = live += malloc_usable_size(block);
  std::size_t highest = peak;
  while (now > highest && !peak.compare_exchange_weak(highest, now)) {
  }
  return block;
}
[[maybe_unused]] void release(void* block) noexcept {
  if (block != nullptr) live -= malloc_usable_size(block);
  std::free(block);
}
}  // namespace

#if PORTOLAN_MEASURES_MEMORY
void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
#endif

namespace portolan::io {
namespace {

constexpr std::size_t kSize = 2u << 20;

// The highest number of bytes alive at once while `read` runs, the input included.
template <class Read>
std::size_t peak_of(const std::string& input, Read read) {
  const std::size_t before = live;
  peak = before;
  read(input);
  return peak - before + input.size();
}

std::string repeated(std::string_view piece, std::size_t size = kSize) {
  std::string text;
  while (text.size() < size) text += piece;
  return text;
}

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!PORTOLAN_MEASURES_MEMORY) GTEST_SKIP() << "not measured under sanitizers";
  }
};

// Dense in every way there is: many small values, keys, containers, strings, numbers as text.
std::vector<std::string> dense_json() {
  std::string keys = "{";
  for (int i = 0; keys.size() < kSize; ++i) keys += '"' + std::to_string(i) + "\":0,";
  keys.back() = '}';
  std::vector<std::string> texts{repeated("["), keys};
  for (const char* element : {"0,", "[],", "[0],", "{\"\":0},", "\"\",", "\"abcdefghijklmnop\",",
                              "1.10,", "1,2,3,", "[[[[[[[[[[0]]]]]]]]]],"}) {
    texts.push_back('[' + repeated(element) + "0]");
  }
  std::string& long_string = texts.emplace_back(kSize, 'x');
  long_string.front() = long_string.back() = '"';
  return texts;
}

void expect_within(std::size_t measured, std::size_t input, std::size_t factor,
                   const std::string& what) {
  EXPECT_LE(measured, factor * input + (32u << 20)) << what << " of " << input << " bytes";
}

TEST_F(MemoryTest, Json) {
  for (const std::string& text : dense_json()) {
    const std::size_t bytes = peak_of(text, [](const std::string& input) {
      (void)parse_json(input, "x", DuplicateKeys::kRefuse);
    });
    expect_within(bytes, text.size(), 4, "json " + text.substr(0, 12));
  }
}

TEST_F(MemoryTest, Yaml) {
  std::vector<std::string> texts = dense_json();
  texts.push_back(repeated("- a\n"));
  texts.push_back(repeated("- - - - a\n"));
  texts.push_back(repeated("- {a: b}\n"));
  texts.push_back("a: &a [" + repeated("x,", 1u << 20) + "]\nb: [" + repeated("*a,", 100) + "]\n");
  texts.push_back(repeated("- &a a\n"));
  texts.push_back(repeated("a\n"));
  for (const std::string& text : texts) {
    const std::size_t bytes =
        peak_of(text, [](const std::string& input) { (void)parse_yaml(input, "x"); });
    expect_within(bytes, text.size(), 4, "yaml " + text.substr(0, 12));
  }
}

TEST_F(MemoryTest, Csv) {
  // A cell of one byte is a string of 32: the multiple of a table in memory is 25.
  for (const std::string& text :
       {repeated("a,b,c\n"), repeated("a\n"), "a,b\n" + repeated("1,\n"), "a\n" + repeated("x\n"),
        "a\n" + repeated("\"\"\n"), "a,b,c,d\n" + repeated(",,,\n"),
        "a\n" + repeated("abcdefghijklmnopqrst\n")}) {
    const std::size_t bytes =
        peak_of(text, [](const std::string& input) { (void)parse_csv(input, "x"); });
    expect_within(bytes, text.size(), 25, "csv " + text.substr(0, 12));
  }
}

TEST_F(MemoryTest, Gguf) {
  GgufWriter keys;
  keys.header(0, 60'000);
  for (int i = 0; i < 60'000; ++i) keys.string(std::to_string(i)).u32(0).number<std::uint8_t>(1);
  GgufWriter arrays;
  arrays.header(0, 4'000);
  for (int i = 0; i < 4'000; ++i) {
    arrays.string(std::to_string(i)).u32(9).u32(0).u64(1024).raw(std::string(1024, 'x'));
  }
  GgufWriter tensors;
  tensors.header(150'000, 0);
  for (int i = 0; i < 150'000; ++i) tensors.tensor(std::to_string(i), {}, 24, 32u * i);
  GgufWriter claims;
  claims.header(1'000'000, 65'536).raw(std::string(kSize, '\0'));
  for (const GgufWriter* file : {&keys, &arrays, &tensors, &claims}) {
    const std::string& bytes = file->bytes();
    const std::size_t measured = peak_of(bytes, [](const std::string& input) {
      (void)read_gguf(input, input.size() + (1u << 30), "x");
    });
    expect_within(measured, bytes.size(), 4, "gguf");
  }
}

TEST_F(MemoryTest, Safetensors) {
  std::string json = "{";
  int tensors = 0;
  for (; json.size() < kSize; ++tensors) {
    json += '"' + std::to_string(tensors) + "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[" +
            std::to_string(tensors) + ',' + std::to_string(tensors + 1) + "]},";
  }
  json.back() = '}';
  std::string file;
  for (unsigned i = 0; i < 8; ++i) file += static_cast<char>(json.size() >> (8 * i) & 0xFF);
  file += json;
  const std::size_t data = static_cast<std::size_t>(tensors);
  const std::size_t measured = peak_of(file, [&](const std::string& input) {
    const Result<SafetensorsHeader> header = read_safetensors(input, input.size() + data, "x");
    EXPECT_TRUE(header);
    EXPECT_EQ(header ? header->tensors.size() : 0, data);
  });
  expect_within(measured, file.size(), 4, "safetensors");
}

}  // namespace
}  // namespace portolan::io
