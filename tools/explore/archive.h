// Scenarios in folders: the corpus that is run first, and what was found and made small.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "tools/explore/minimise.h"
#include "tools/explore/report.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

struct Corpus {
  std::vector<scenario::Scenario> scenarios;  // of the folders with a scenario.yaml, by name
  std::vector<std::uint64_t> seeds;           // of the file `seeds`: one a line, # begins a comment
};

// kNotFound if there is no such folder, kInvalidData naming the file that is not understood.
Result<Corpus> load_corpus(const std::string& folder);

// Writes FOLDER/README.md and FOLDER/scenario.yaml, creating what is missing of the path; returns
// the folder. kWriteFault.
Result<std::string> write_scenario(const std::string& folder, const scenario::Scenario& scenario,
                                   const std::string& readme);
// The folder of a minimised failure below `parent`: its label and a hash of its content, so that
// the same find is saved once. Returns its path.
Result<std::string> save_failure(const std::string& parent, const Minimised& smallest,
                                 const Failure& failure);

}  // namespace failsim::explore
