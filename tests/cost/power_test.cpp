#include "cost/power.hpp"

#include <gtest/gtest.h>

#include "cost/profile.hpp"
#include "cost/step.hpp"
#include "market/catalogue.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

/// A surface with one value everywhere.
Curve flat(std::string accelerator, PowerClass power_class, double share, double idle) {
  Curve c;
  c.key = {.accelerator = std::move(accelerator),
           .backend = "vllm",
           .version = "1",
           .op = std::string(kPowerOp),
           .dtype = "bf16",
           .kv_dtype = "",
           .variant = std::string(power_class_name(power_class))};
  c.roofline.memory = idle;
  c.grid.step = 0.01F;
  c.grid.cells = {static_cast<std::int8_t>(std::lround(share * 100))};
  return c;
}

PowerModel model_of(const hardware::Accelerator& accelerator, const Profile& profile) {
  static const auto catalogue = market::Catalogue::embedded().value();
  return PowerModel(make_machine(parts::node(accelerator, 1),
                                 {.profile = &profile, .accelerators = &catalogue->accelerators()})
                        .value());
}

TEST(Power, WithoutMeasurementsTheLawOfTheDatasheet) {
  const PowerModel power = model_of(parts::h100(), Profile());
  EXPECT_EQ(power.tier(), Tier::kDatasheet);
  EXPECT_NEAR(power.share(PowerClass::kGemm, model::Compute::kBf16, 1e-3, 0, 0), 0.18, 1e-12);
  EXPECT_NEAR(power.share(PowerClass::kGemm, model::Compute::kBf16, 1e-3, 0.5, 0), 0.59, 1e-12);
  EXPECT_NEAR(power.share(PowerClass::kGemm, model::Compute::kBf16, 1e-3, 0, 1), 0.754, 1e-12);
  EXPECT_NEAR(power.share(PowerClass::kGemm, model::Compute::kBf16, 1e-3, 2, 0), 1.0, 1e-12);
}

TEST(Power, OwnSurfacesThenClassesAlikeThenDonorsBetweenTheirFloors) {
  Profile profile;
  profile.add(flat("h200-sxm-141gb", PowerClass::kGemm, 0.60, 0.20));
  profile.add(flat("h200-sxm-141gb", PowerClass::kDecodeAttention, 0.40, 0.20));
  const auto share = [](const PowerModel& power, PowerClass power_class) {
    return power.share(power_class, model::Compute::kBf16, 1e-4, 0.1, 0.1);
  };
  const PowerModel own = model_of(parts::h200(), profile);
  EXPECT_EQ(own.tier(), Tier::kMeasured);
  EXPECT_NEAR(own.idle(), 0.20, 1e-6);
  EXPECT_NEAR(share(own, PowerClass::kGemm), 0.60, 1e-6);
  EXPECT_NEAR(share(own, PowerClass::kDecodeMla), 0.40, 1e-6);
  EXPECT_NEAR(share(own, PowerClass::kMoe), 0.60, 1e-6);
  // The nearest relative: the same part between its own floor (0.18 where unknown) and the limit.
  const PowerModel other = model_of(parts::h100(), profile);
  EXPECT_EQ(other.tier(), Tier::kTransferred);
  EXPECT_NEAR(share(other, PowerClass::kGemm), 0.18 + 0.82 * (0.60 - 0.20) / 0.80, 1e-6);
  // No relative: another maker's part.
  EXPECT_EQ(model_of(parts::mi300x(), profile).tier(), Tier::kDatasheet);
}

TEST(Power, ShippedSurfacesStayBetweenIdleAndTheLimit) {
  for (const hardware::Accelerator* a :
       {&parts::h200(), &parts::b200(), &parts::h100(), &parts::l40s(), &parts::a100()}) {
    const PowerModel power = model_of(*a, shipped_profile());
    EXPECT_NE(power.tier(), Tier::kDatasheet) << a->id;
    for (std::size_t c = 0; c < kPowerClasses; ++c) {
      for (const double seconds : {1e-6, 1e-4, 1e-2}) {
        for (const double use : {1e-3, 0.1, 0.6, 1.0}) {
          const double s = power.share(static_cast<PowerClass>(c), model::Compute::kBf16, seconds,
                                       use, 0.5 * use);
          EXPECT_GE(s, power.idle());
          EXPECT_LE(s, 1.0);
        }
      }
    }
    // Sustained dense work runs at the limit, a short idle-like kernel far below (section 12).
    EXPECT_GT(power.share(PowerClass::kGemm, model::Compute::kBf16, 0.02, 0.7, 0.2), 0.75);
    EXPECT_LT(power.share(PowerClass::kGemm, model::Compute::kBf16, 5e-6, 0.01, 0.05), 0.6);
  }
  EXPECT_EQ(model_of(parts::b200(), shipped_profile()).tier(), Tier::kMeasured);
}

}  // namespace
}  // namespace portolan::cost
