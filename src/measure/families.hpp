// The families of kernels, one file each; private to this room.
#pragma once

#include "measure/kernels.hpp"

namespace portolan::measure {

/// Parts of a name into a site number; FNV-1a.
std::uint64_t site_of(std::initializer_list<double> parts);
/// The member of every point's `call.at`, for choosing knots.
std::vector<float> coordinates(std::span<const KernelPoint> points, std::size_t axis);

extern const Family kGemmFamily;

}  // namespace portolan::measure
