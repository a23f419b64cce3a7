// Scenarios in folders: the corpus that is run first, and what was found and made small.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "tools/explore/minimise.h"
#include "tools/explore/report.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

struct Corpus {
  std::vector<scenario::Scenario> scenarios;  // of the folders with a scenario.yaml, by name
  std::vector<std::uint64_t> seeds;           // of the file `seeds`: one a line, # begins a comment
};

// kNotFound if there is no such folder, kInvalidData naming the file that is not understood.
Result<Corpus> load_corpus(const std::string& folder);

// Writes a scenario into a new folder as `failsim scenario run` would read it, and says what comes
// of it: it is run first, and its events are pinned if it passes. If that ends in a failed
// assertion of the core, it is kept to be looked at. Of a process with one thread. kAlreadyExists,
// kInvalidData, kWriteFault.
Result<scenario::Outcome> write_tried(const std::string& folder, const scenario::Scenario& scenario,
                                      const std::string& readme);
// The folder of a minimised failure below `parent`: its label and a hash of its content, so that
// the same find is saved once. Returns its path. kWriteFault.
Result<std::string> save_failure(const std::string& parent, const Minimised& smallest,
                                 const Failure& failure);

}  // namespace failsim::explore
