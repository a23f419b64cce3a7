// What is called otherwise by other fault injectors, and what it is here: for people who come with
// a vocabulary of their own, and so that nothing of it is silently missing.
#pragma once

#include <span>
#include <string_view>

namespace failsim::fault {

struct Elsewhere {
  std::string_view group;
  std::string_view called;  // there
  // Orders of this vocabulary, one a line; or verbs of the command line, which begin with
  // "failsim ". Empty: there is nothing like it here.
  std::string_view here;
  std::string_view remark;  // why there is nothing, or what is different; may be empty
};

// In the order of the documentation.
std::span<const Elsewhere> called_elsewhere();

}  // namespace failsim::fault
