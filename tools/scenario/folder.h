// Scenarios on disk: NAME/{README.md,scenario.yaml,events.expected}, or a lone YAML file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

inline constexpr char kReadmeFile[] = "README.md";
inline constexpr char kScenarioFile[] = "scenario.yaml";
inline constexpr char kEventsFile[] = "events.expected";

// The scenario files under these paths, each a scenario's folder, a tree of them or a file, in the
// order of their names. kNotFound when a path holds none.
Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths);

// A scenario file, read and linted; `problems` are lines "file:line:column: sentence. next", and
// then there is no scenario. A scenario.yaml has the name of its folder, whose README has to begin
// with a sentence; any other file has its own name and needs nothing beside it.
struct Loaded {
  std::optional<Scenario> scenario;
  std::vector<std::string> problems;
};
Loaded load(const std::string& file);
// The same of a file with this text and this README beside it, whether or not there is one yet.
Loaded read_scenario(const std::string& file, const std::string& yaml, const std::string& readme);

// Whether events.expected beside it belongs to this file: only a scenario.yaml has a folder to
// itself.
bool pins_events(const std::string& file);
// Compares with events.expected beside the file, if its events are pinned; a difference is a
// violation "events". Returns a note if there is nothing yet to compare with.
std::optional<std::string> check_events(const std::string& file, Outcome& outcome);
// Writes it. kWriteFault if that fails.
Result<bool> rewrite_events(const std::string& file, const Outcome& outcome);

}  // namespace failsim::scenario
