#include "measure/table.hpp"

#include "base/files.hpp"
#include "io/compression.hpp"

namespace portolan::measure {
namespace {

constexpr std::string_view kTraining =
    "model,gpu,gpus,seq_len,global_batch,step_time_s\nm,H100,8,4096,64,1.5\n";

std::string scratch(const std::string& name) { return ::testing::TempDir() + "/" + name; }

TEST(Table, reads_plain_and_compressed_files_alike) {
  const std::string zst = scratch("table_test.csv.zst");
  ASSERT_TRUE(write_file(zst, io::zstd_compress(kTraining, 3), true));
  const std::string plain = scratch("table_test.csv");
  ASSERT_TRUE(write_file(plain, kTraining, true));
  const auto a = Table::open(plain), b = Table::open(zst);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->csv().rows, b->csv().rows);
  EXPECT_EQ(TableRow(*b, 0).text("gpu"), "H100");
}

TEST(Table, refuses_what_is_cut_or_empty) {
  const std::string packed = io::zstd_compress(std::string(100'000, 'a') + "\n1\n", 3);
  const std::string cut = scratch("table_test_cut.zst");
  ASSERT_TRUE(write_file(cut, packed.substr(0, packed.size() / 2), true));
  const auto damaged = Table::open(cut);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(exit_code(damaged.error().code), 4) << format_error(damaged.error());

  for (const char* text : {"", "\n \n", "a,b\n"}) {
    const auto table = Table::parse(text, "mine.csv");
    ASSERT_FALSE(table) << text;
    EXPECT_EQ(exit_code(table.error().code), 4);
    EXPECT_NE(table.error().message.find("mine.csv"), std::string::npos);
  }
  EXPECT_EQ(Table::open(scratch("no_such_file.csv")).error().code, ErrorCode::kNotFound);
}

TEST(Table, is_recognised_by_its_header) {
  const auto kind = [](const std::string& header) {
    std::string row;
    for (const char c : header) row += c == ',' ? "," : "";
    return kind_of(Table::parse(header + "\n1" + row + "\n", "t.csv").value());
  };
  EXPECT_EQ(kind("system,backend,op,latency_ms,m,n,k").value(), TableKind::kKernels);
  EXPECT_EQ(kind("model,gpu,gpu_count,engine,input_len,output_len,ttft_ms_mean").value(),
            TableKind::kServing);
  EXPECT_EQ(kind("id,model,system,backend,isl,osl,concurrency").value(), TableKind::kInferencex);
  EXPECT_EQ(kind("model,gpu,gpus,seq_len,global_batch,step_time_s").value(), TableKind::kTraining);
  EXPECT_EQ(kind("model,gpu,gpus,seq_len,mem_per_gpu,unit").value(), TableKind::kTrainingMemory);
}

TEST(Table, names_the_columns_a_wrong_file_lacks) {
  const Table table = Table::parse(kTraining, "steps.csv").value();
  EXPECT_TRUE(kind_for(table, "training"));
  const auto wrong = kind_for(table, "kernels");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(wrong.error().message.find("system, op, latency_ms"), std::string::npos)
      << wrong.error().message;
  EXPECT_NE(wrong.error().why.find("step_time_s"), std::string::npos) << wrong.error().why;
  EXPECT_EQ(kind_for(table, "kernel").error().code, ErrorCode::kUsage);
  EXPECT_NE(kind_for(table, "kernel").error().hint.find("kernels"), std::string::npos);
}

TEST(Table, cells_that_are_no_numbers_are_unknown) {
  const Table table = Table::parse("a,b,c\n 2.5 ,inf,x\n", "t.csv").value();
  const TableRow row(table, 0);
  EXPECT_EQ(row.number("a"), 2.5);
  EXPECT_FALSE(row.number("b"));
  EXPECT_FALSE(row.number("c"));
  EXPECT_FALSE(row.number("not_there"));
  EXPECT_EQ(row.whole_or("a", 0), 3);
  EXPECT_EQ(row.place(), "t.csv:2");
}

}  // namespace
}  // namespace portolan::measure
