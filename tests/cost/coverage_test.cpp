// Every accelerator of the embedded tables answers for every model shape, or says what is unknown
// about it.
#include <gtest/gtest.h>

#include <cmath>

#include "cost/memory.hpp"
#include "cost/profile.hpp"
#include "cost/step.hpp"
#include "market/catalogue.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

TEST(Coverage, CurvesOfARelativeGiveTimesToEveryAccelerator) {
  const auto catalogue = market::Catalogue::embedded().value();
  for (const hardware::Accelerator& a : catalogue->accelerators().all()) {
    const auto machine =
        make_machine(parts::node(a, 8), {.profile = &shipped_profile(),
                                         .accelerators = &catalogue->accelerators(),
                                         .backend = "vllm",
                                         .version = {}});
    if (!machine) continue;
    for (const model::Architecture& architecture : {parts::llama_8b(), parts::qwen3_30b_a3b()}) {
      const auto step = StepModel::compile(architecture, *machine, {.tp = 1}, default_engine());
      ASSERT_TRUE(step) << a.id << ": " << step.error().message;
      const double decode =
          step->time({.decode_requests = 8, .decode_context = 1000, .sampled = 8}).total.raw();
      EXPECT_TRUE(std::isfinite(decode) && decode > 0) << a.id;
    }
  }
}

TEST(Coverage, EveryAcceleratorHasATimeOrAReason) {
  const auto catalogue = market::Catalogue::embedded().value();
  std::size_t answered = 0;
  for (const hardware::Accelerator& a : catalogue->accelerators().all()) {
    const auto machine = make_machine(parts::node(a, 8));
    if (!machine) {
      EXPECT_NE(machine.error().message.find(a.id), std::string::npos);
      EXPECT_FALSE(a.planned) << a.id << ": " << machine.error().message;
      continue;
    }
    ++answered;
    for (const model::Architecture& architecture :
         {parts::llama_8b(), parts::mixtral_8x7b(), parts::gpt_oss_20b(), parts::qwen3_30b_a3b()}) {
      for (const int tp : {1, 2, 4}) {
        const auto step = StepModel::compile(architecture, *machine, {.tp = tp}, default_engine());
        ASSERT_TRUE(step) << a.id << ": " << step.error().message;
        double before = 0;
        for (const double requests : {1.0, 16.0, 256.0}) {
          const double t =
              step->time({.decode_requests = requests, .decode_context = 1000, .sampled = requests})
                  .total.raw();
          EXPECT_TRUE(std::isfinite(t)) << a.id;
          EXPECT_GT(t, before) << a.id;
          before = t;
        }
        const MemoryLayout layout = memory_layout(architecture, *machine, {.tp = tp}, {});
        EXPECT_TRUE(std::isfinite(layout.fixed().raw()) && layout.weights.raw() > 0) << a.id;
      }
    }
  }
  EXPECT_GT(answered, 60u);
}

}  // namespace
}  // namespace portolan::cost
