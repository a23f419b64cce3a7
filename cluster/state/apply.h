// Applying a committed command: deterministic, total, and the only way the state changes.
//
// Every replica applies the same commands in the same order and has the same state. A command that
// was decided on something that is no longer so is a recorded no-op. Apply knows no time but the
// one stamped on the command.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "cluster/proto/command.pb.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// What applying touched: whoever acts on the state looks at these and no further.
struct Applied {
  std::set<std::string> vms;
  bool nodes = false;
  bool cluster_properties = false;
  std::vector<std::uint64_t> events;
  bool refused_by_guard = false;   // the no-op of a command that came too late
  std::optional<pb::Reply> reply;  // of a client's request
};

inline constexpr std::size_t kEventsKept = 10'000;
inline constexpr std::size_t kTasksKept = 2'000;         // ended ones beyond it go, oldest first
inline constexpr Duration kJobsKeptFor = 300 * kSecond;  // at least, after their end: the documents
inline constexpr std::size_t kRepliesKept = 4'096;

// How long a phase may last when the client set no limit of its own.
inline constexpr Duration kSetupLimit = 30 * kSecond;
inline constexpr Duration kMoveLimit = 10 * kSecond;
// How long a job that is terminated waits for its source to come to rest.
inline constexpr Duration kShutdownLimit = 1 * kSecond;

Applied apply(ClusterState& state, const pb::Command& command, Index index, Mistakes mistakes = {});

}  // namespace failsim
