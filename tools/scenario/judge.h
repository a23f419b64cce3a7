// What both runners say of a step that did not go as the scenario asks: the same file, the same
// verdict, the same words.
#pragma once

#include <optional>
#include <string>

#include "cluster/error.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// A violation without its place.
struct Complaint {
  std::string label;
  std::string text;
};

// Nothing if the answer to the action is as asked. `now`: the time of the run, as text.
std::optional<Complaint> judge(const Do& done, Code code, const std::string& message,
                               const std::string& now);
Complaint too_late(const Expect& expect, const std::string& now, const Look& look);
Complaint broken(const Hold& hold, const std::string& now, const Look& look);
Complaint never_came(const Condition& when, Duration within, const std::string& now,
                     const Look& look);

}  // namespace failsim::scenario
