// The new lines of a growing file, each as it becomes complete.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/failsim/files.h"

namespace failsim::cli {

class LogFollower {
 public:
  // Begins after what the file holds now; it need not exist yet.
  explicit LogFollower(fs::path path);

  std::vector<std::string> new_lines();

 private:
  fs::path path_;
  std::uint64_t offset_ = 0;
  std::string partial_;
};

}  // namespace failsim::cli
