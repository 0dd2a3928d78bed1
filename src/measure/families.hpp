// The families of kernels, one file each; private to this room.
#pragma once

#include "measure/kernels.hpp"

namespace portolan::measure {

/// Parts of a name into a site number; FNV-1a.
std::uint64_t site_of(std::initializer_list<double> parts);
/// The member of every point's `call.at`, for choosing knots.
std::vector<float> coordinates(std::span<const KernelPoint> points, std::size_t axis);
/// Those of `wanted` (ascending) that the points surround on this axis, with one more at each end
/// of what is measured; one knot where all points agree.
std::vector<float> knots_between(std::span<const KernelPoint> points, std::size_t axis,
                                 std::initializer_list<float> wanted);

extern const Family kGemmFamily;
extern const Family kFindScaleFamily;
extern const Family kApplyScaleFamily;
extern const Family kHeadProductFamily;
extern const Family kPassFamily, kSamplerFamily;
extern const Family kMoeFamily;
extern const Family kNcclFamily, kOneCclFamily, kCustomAllReduceFamily, kExchangeFamily;
extern const Family kContextAttentionFamily, kDecodeAttentionFamily, kEncoderAttentionFamily,
    kMixedAttentionFamily;
extern const Family kContextMlaFamily, kDecodeMlaFamily, kContextMlaModuleFamily,
    kDecodeMlaModuleFamily;
extern const Family kGatedDeltaFamily, kMamba2Family;

}  // namespace portolan::measure
