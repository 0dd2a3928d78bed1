#include "cost/profile.hpp"

extern "C" const unsigned char kernel_profile_begin[], kernel_profile_end[];

namespace portolan::cost {

const Profile& shipped_profile() {
  static const Profile profile =
      Profile::unpack({reinterpret_cast<const char*>(kernel_profile_begin),
                       static_cast<std::size_t>(kernel_profile_end - kernel_profile_begin)});
  return profile;
}

}  // namespace portolan::cost
