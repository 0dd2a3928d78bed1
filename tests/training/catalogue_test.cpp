// Every model of the catalogue can be laid out for training, and its layers hold the parameters the
// model counts.
#include <gtest/gtest.h>

#include <cmath>

#include "base/files.hpp"
#include "model/count.hpp"
#include "model/library.hpp"
#include "model/operators.hpp"
#include "tests/training/parts.hpp"

namespace portolan::training {
namespace {

TEST(Catalogue, EveryModelTrains) {
  const auto text = read_file(std::string(PORTOLAN_SOURCE_DIR) + "/data/models.jsonl");
  ASSERT_TRUE(text);
  const auto library = model::Library::open(*text);
  ASSERT_TRUE(library);
  std::size_t trained = 0;
  for (const std::string_view id : library->ids()) {
    const auto found = library->named(id);
    ASSERT_TRUE(found) << id;
    const model::Architecture& architecture = found->architecture;
    const auto trainer = Trainer::compile(architecture, parts::machine(), parts::job(4096, 1024));
    if (architecture.coverage == model::Coverage::kParameterCount) {
      EXPECT_FALSE(trainer) << id;
      continue;
    }
    ASSERT_TRUE(trainer) << id << ": " << trainer.error().message;
    ++trained;
    const auto run = trainer->evaluate({.dp = 8, .zero = 0}, 1);
    ASSERT_TRUE(run) << id;
    EXPECT_TRUE(std::isfinite(run->step.raw()) && run->step.raw() > 0) << id;
    EXPECT_TRUE(run->mfu > 0 && run->mfu < 0.9) << id << " MFU " << run->mfu;
    const model::ParameterCount count = model::count_parameters(architecture);
    const double held = run->memory.weights.raw() / 2,
                 expected = static_cast<double>(count.total + count.mtp);
    EXPECT_NEAR(held / expected, 1, 2e-3) << id << " holds " << held << " of " << expected;
    // A tower stays frozen: it has weights and no gradients.
    EXPECT_LE(run->memory.gradients, run->memory.weights) << id;
    // The model FLOP of the run are those of the operator list (multi-token prediction and encoders
    // come on top).
    const double flop = run->mfu * run->step.raw() * 8 * 989e12 / run->batch_tokens;
    const double listed = model::training_flop_per_token(architecture, 4096).raw();
    EXPECT_GT(flop / listed, 0.999) << id;
    if (architecture.mtp_layers.empty() && architecture.encoders.empty()) {
      EXPECT_NEAR(flop / listed, 1, 1e-3) << id;
    }
  }
  EXPECT_GE(trained, 150u);
}

}  // namespace
}  // namespace portolan::training
