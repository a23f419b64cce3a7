// What a report is made of, and the forms it is written in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/invariants.h"
#include "tools/report/history.h"
#include "tools/report/timeline.h"

namespace failsim::history {

struct Account {
  RunIdentity run;
  std::string options;   // one JSON object: everything that made the run what it is
  std::string scenario;  // its file; empty if there was none
  std::vector<invariants::Violation> violations;
  std::map<std::string, std::uint64_t> evaluations;
  Timeline timeline;  // closed
};

// One test case a rule: failed, or skipped when it was never put to the test.
std::string junit_of(const Account& account);

// For ui.perfetto.dev and chrome://tracing: a process a node, a thread a VM, faults and migrations
// as slices, messages as flows.
std::string trace_of(const Account& account);

// The page: one HTML file that needs nothing else, and no network.
std::string page_of(const Account& account);

}  // namespace failsim::history
