// What only the parent of the processes sees, written down for who judges the cluster afterwards
// (storage/observations.h): how its children ended, and the faults it performed itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "storage/observations.h"
#include "tools/failsim/children.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

class LauncherNotes {
 public:
  // A new file in the cluster's directory, which does not grow beyond the limit. A Failure if it
  // cannot be created.
  LauncherNotes(const fs::path& directory, std::uint64_t limit_bytes);

  // A node's process was reaped with this status of waitpid.
  void node_ended(const Child& child, int status);
  // {what, fault, order}, as ProcessFaults notes it.
  void fault(const json::object& note);

 private:
  std::unique_ptr<ObservationLog> log_;
};

}  // namespace failsim::cli
