// A scenario that becomes a folder: all of its files are there, or none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

struct FolderContent {
  std::string readme;  // begins with the scenario's sentence
  Scenario scenario;
  std::optional<std::vector<std::string>> events;  // as they are pinned, if they are
};

// Why no scenario can be written there: kAlreadyExists for anything but an empty folder.
std::optional<Error> refuse_folder(const std::string& folder);

// What would be read from such a folder, before there is one. kInvalidData naming what is wrong.
Result<Scenario> read_as_folder(const std::string& folder, const FolderContent& content);

// Creates what is missing of the path, and removes it again if anything cannot be written:
// kAlreadyExists, kWriteFault.
std::optional<Error> write_folder(const std::string& folder, const FolderContent& content);

}  // namespace failsim::scenario
