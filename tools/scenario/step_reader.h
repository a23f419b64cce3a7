// The steps and reactions of a scenario's YAML.
#pragma once

#include <vector>

#include "tools/scenario/scenario.h"
#include "tools/scenario/yaml_node.h"

namespace failsim::scenario {

// What is wrong goes to the problems; a step that could not be read is left out. An undefined node
// holds no steps.
std::vector<Step> read_steps(const YAML::Node& node, Problems& problems);
std::vector<Reaction> read_reactions(const YAML::Node& node, Problems& problems);

}  // namespace failsim::scenario
