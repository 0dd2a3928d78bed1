// A folder of one test's own: ctest runs the tests of a fixture side by side, in processes of their
// own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace portolan::model {

class OwnFolder : public testing::Test {
 protected:
  OwnFolder() {
    std::string name = testing::TempDir() + "portolan_model_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the test");
    folder_ = name;
  }
  ~OwnFolder() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

}  // namespace portolan::model
