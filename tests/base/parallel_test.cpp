#include "base/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/check.hpp"

namespace portolan {
namespace {

TEST(ParallelTest, EveryIndexOnceAtAnyThreadCount) {
  for (const unsigned threads : {0u, 1u, 2u, 8u, 100u}) {
    std::vector<int> calls(1000, 0);
    parallel_for(calls.size(), threads, [&](std::size_t i) { calls[i] += static_cast<int>(i); });
    for (std::size_t i = 0; i < calls.size(); ++i) ASSERT_EQ(calls[i], static_cast<int>(i));
  }
  parallel_for(0, 4, [](std::size_t) { FAIL(); });
}

TEST(ParallelTest, TheLowestFailureIsRethrown) {
  for (int round = 0; round < 50; ++round) {
    for (const unsigned threads : {1u, 2u, 8u}) {
      try {
        parallel_for(500, threads, [](std::size_t i) {
          if (i % 7 == 3) throw std::runtime_error(std::to_string(i));
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "3");
      }
    }
  }
}

TEST(CheckTest, ABrokenInvariantNamesItself) {
  EXPECT_NO_THROW(PORTOLAN_CHECK(1 + 1 == 2));
  try {
    PORTOLAN_CHECK(1 + 1 == 3);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("1 + 1 == 3 at parallel_test.cpp:"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace portolan
