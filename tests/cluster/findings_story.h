// A history shown to a checker of invariants, and what it found.
#pragma once

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "cluster/invariants.h"

namespace failsim::invariants {

class FindingsStory : public testing::Test {
 protected:
  // How often the rule was broken.
  std::size_t found(const std::string& label) const {
    std::size_t count = 0;
    for (const Violation& violation : findings_.violations()) count += violation.label == label;
    return count;
  }
  // Whether the rule was put to the test at all.
  bool was_tested(const std::string& label) const {
    return findings_.evaluations().contains(label);
  }
  bool clean() const { return findings_.violations().empty(); }

  Findings findings_;
};

}  // namespace failsim::invariants
