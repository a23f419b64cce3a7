// Bringing a cluster up and taking it down.
#pragma once

#include <functional>
#include <optional>

#include "tools/failsim/birth.h"
#include "tools/failsim/directory.h"

namespace failsim::cli {

struct LaunchOptions {
  ClusterDirectory directory;
  BirthOptions birth;  // used if the directory holds no cluster yet
  // What was asked for in so many words: it has to agree with a cluster that exists.
  bool name_given = false;
  bool nodes_given = false;
  bool node_memory_given = false;
  // Whether the nodes are recorded from now on, and how much (0 = not at all); nothing = as before.
  std::optional<std::uint64_t> record_limit_bytes = std::nullopt;
  bool faults = false;  // faults may be injected into it
  bool netns = false;   // each process in a network namespace of its own; for root
};

// How long a cluster in the background lives.
enum class Life {
  kUntilDown,       // a daemon: until `failsim down`
  kUntilCallerEnds  // or until the calling process has ended
};

// Creates the cluster if there is none, starts it and returns the content of endpoints.json when it
// is ready. A Failure if it runs already or does not come up; then nothing is left running.
json::object launch_in_background(const LaunchOptions& options, Life life);

// The same in the calling process, with the nodes' log lines on standard output; returns the exit
// status when the cluster is down.
int launch_in_foreground(const LaunchOptions& options, bool follow_logs,
                         const std::function<void(const json::object&)>& on_ready);

// Stops every process of the cluster, with or without its supervisor. False if nothing ran.
bool take_down(const ClusterDirectory& directory);

}  // namespace failsim::cli
