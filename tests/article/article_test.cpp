// Every golden value and erratum of the reference article, recomputed by the engine
// (docs/errata.md).
#include "app/article.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>


namespace portolan::app {
namespace {

const Context& context() {
  static const Context kContext = [] {
    auto opened = Context::open({});
    if (!opened) throw std::runtime_error(opened.error().message);
    return *std::move(opened);
  }();
  return kContext;
}

const ArticleResult& result() {
  static const ArticleResult kResult = [] {
    auto answer = article(context());
    if (!answer) throw std::runtime_error(answer.error().message);
    return std::move(answer->result);
  }();
  return kResult;
}

TEST(Article, EveryGoldenValueHolds) {
  for (const Golden& golden : result().goldens) {
    EXPECT_TRUE(golden.passes()) << golden.id << " " << golden.what << ": " << golden.computed
                                 << " instead of " << golden.expected;
  }
  EXPECT_EQ(result().failed, 0u);
}

// The requirements that estimate, gpus, offers and validate answer (docs/requirements.md).
TEST(Article, EveryRequirementOfTheArithmeticHasAGolden) {
  std::set<std::string> covered;
  for (const Golden& golden : result().goldens) covered.insert(golden.requirement);
  for (const char* requirement :
       {"R5",  "R6",  "R7",  "R8",  "R9",  "R10", "R11", "R12", "R14", "R15", "R17", "R19", "R20",
        "R21", "R22", "R23", "R26", "R29", "R30", "R32", "R44", "R47", "R48", "R57", "R61"}) {
    EXPECT_TRUE(covered.contains(requirement)) << requirement;
  }
}

TEST(Article, AMovedValueIsSeen) {
  Golden golden = result().goldens.front();
  ASSERT_TRUE(golden.passes());
  golden.computed *= 1 + 2 * golden.tolerance + 1e-6;
  EXPECT_FALSE(golden.passes());
  golden.computed = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(golden.passes());
}

TEST(Article, ThirteenErrataNameGoldensThatExist) {
  ASSERT_EQ(result().errata.size(), 13u);
  for (std::size_t i = 0; i < 13; ++i) {
    const Erratum& erratum = result().errata[i];
    EXPECT_EQ(erratum.id, "E" + std::to_string(i + 1));
    EXPECT_FALSE(erratum.goldens.empty());
    for (const std::string& id : erratum.goldens) {
      EXPECT_TRUE(std::any_of(result().goldens.begin(), result().goldens.end(),
                              [&](const Golden& g) { return g.id == id; }))
          << erratum.id << " names " << id;
    }
  }
}

struct Said {
  std::size_t erratum;
  const char* figure;
};

// What each erratum must say, from requirements.md's table E1–E13.
TEST(Article, ErrataSayTheFiguresOfTheRequirements) {
  for (const Said& said :
       {Said{1, "358.4"}, Said{1, "179.2"}, Said{2, "716.8"}, Said{3, "311.9"}, Said{4, "1.15"},
        Said{4, "18.38"}, Said{5, "2.8 TB"}, Said{6, "0.75"}, Said{7, "FLOP/s"}, Said{8, "175.8"},
        Said{9, "0.00034"}, Said{9, "0.00128"}, Said{10, "equal quality"}, Said{11, "307,514"},
        Said{11, "1,490,978"}, Said{12, "3,504"}, Said{12, "1,051.2"},
        Said{13, "cost per token"}}) {
    EXPECT_NE(result().errata[said.erratum - 1].answer.find(said.figure), std::string::npos)
        << "E" << said.erratum << " lacks " << said.figure << ": "
        << result().errata[said.erratum - 1].answer;
  }
}

}  // namespace
}  // namespace portolan::app
