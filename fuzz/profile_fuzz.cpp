// A profile: refused with a place, or written and read again to the same bytes, with curves that
// give finite times.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "cost/call_gemm.hpp"
#include "cost/profile.hpp"

using namespace portolan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = cost::Profile::parse(text, "f");
  if (!profile) {
    fuzz::check_refusal(profile.error(), false);
    return 0;
  }
  cost::Chip chip;
  chip.peak.fill(1e15);
  chip.bandwidth = 3e12;
  const cost::Call call = cost::gemm_call(chip, *cost::gemm_type("bfloat16"), 37, 4096, 1024);
  for (const cost::Curve& c : profile->curves())
    fuzz::require(c.seconds(call) >= call.ideal(), "a curve is faster than physics");
  // Numbers are rounded when written, so the second writing is the fixed point.
  const std::string written = profile->write();
  const auto again = cost::Profile::parse(written, "f");
  if (again) fuzz::require(again->write() == written, "read again it differs: " + written);
  return 0;
}
