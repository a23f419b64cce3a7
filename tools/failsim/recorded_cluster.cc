#include "tools/failsim/recorded_cluster.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>
#include <map>
#include <optional>

#include <string.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

constexpr std::array kSignalsOfBugs = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

std::uint64_t start_of(const Recording& recording) {
  return recording.config().incarnation >> 32;
}

handover::Process process_of(const Recording& recording) {
  return {recording.config().self, recording.config().incarnation};
}

bool is_end_of(const pb::Observation::ProcessEnded& ended, const handover::Process& process) {
  return ended.node() == process.node &&
         ended.instance() == static_cast<std::uint32_t>(process.incarnation);
}

Time last_step_of(const Recording& recording) {
  if (recording.steps() == 0) return recording.started_at();
  const Recording::Step last = recording.step(recording.steps());
  return last.now - last.clock_ahead;
}

std::vector<Recording> read_recordings(const ClusterDirectory& directory) {
  std::vector<Recording> recordings;
  for (const fs::path& path : files_below(directory.path(), kRecordingExtension)) {
    // Killed between making the file and writing to it: it took no step.
    if (fs::file_size(path) == 0) continue;
    Result<Recording> recording = Recording::read(path.string());
    if (!recording) fail(recording.error());
    recordings.push_back(recording.take());
  }
  std::sort(recordings.begin(), recordings.end(), [](const Recording& one, const Recording& other) {
    return process_of(one) < process_of(other);
  });
  return recordings;
}

std::vector<Observed> read_observed(const ClusterDirectory& directory) {
  std::vector<Observed> observed;
  for (const fs::path& path : files_below(directory.path(), kObservationsExtension)) {
    Result<std::vector<pb::Observation>> read = read_observations(path.string());
    if (!read) fail(read.error());
    handover::Process by;
    for (pb::Observation& observation : read.take()) {
      if (observation.has_began()) {
        by = {observation.began().node(), observation.began().incarnation()};
      }
      const Time since = observation.fault_ended().since_ns();
      const Time at = since != 0 ? since : observation.at_ns();
      observed.push_back({at, by, std::move(observation)});
    }
  }
  std::stable_sort(observed.begin(), observed.end(),
                   [](const Observed& one, const Observed& other) { return one.at < other.at; });
  return observed;
}

// Processes of a node that were reaped and left no recording: they ended before their first step.
std::size_t ends_without_recording(const RecordedCluster& cluster, NodeId node) {
  return static_cast<std::size_t>(
      std::count_if(cluster.observed.begin(), cluster.observed.end(), [&](const Observed& seen) {
        if (!seen.what.has_process_ended() || seen.what.process_ended().node() != node)
          return false;
        return std::none_of(cluster.recordings.begin(), cluster.recordings.end(),
                            [&](const Recording& recording) {
                              return is_end_of(seen.what.process_ended(), process_of(recording));
                            });
      }));
}

// What happened before the first step that is known could have been anything.
void require_whole(const RecordedCluster& cluster) {
  for (NodeId node = 1; node <= cluster.description.nodes; ++node) {
    std::uint64_t recorded = 0;
    std::uint64_t newest = 0;
    Time ended = std::numeric_limits<Time>::min();
    for (const Recording& recording : cluster.recordings) {
      if (recording.config().self != node) continue;
      ++recorded;
      newest = start_of(recording);
      if (recording.started_at() < ended) {
        fail(Code::kInvalidState,
             "The machine was started anew while " + node_name(node) +
                 " was recorded, and its clock with it: the recordings cannot be put in one order.",
             "Judge a cluster that was created since.");
      }
      ended = last_step_of(recording);
    }
    if (newest - recorded <= ends_without_recording(cluster, node)) continue;
    fail(Code::kInvalidState,
         "Of " + std::to_string(newest) + " starts of " + node_name(node) + " only " +
             std::to_string(recorded) +
             " were recorded: what happened meanwhile is not known, so nothing can be judged.",
         "Record a cluster from its birth: failsim up --record in a new directory.");
  }
}

void know_until(RecordedCluster& cluster, Time at, const std::string& why) {
  if (at >= cluster.known_until) return;
  cluster.known_until = at;
  cluster.known_until_why = why;
}

// A recording that stopped, and one of a process that goes on, know nothing of what follows.
void find_end_of_knowledge(RecordedCluster& cluster) {
  cluster.known_until = std::numeric_limits<Time>::max();
  for (std::size_t i = 0; i < cluster.recordings.size(); ++i) {
    const Recording& recording = cluster.recordings[i];
    const handover::Process process = process_of(recording);
    const std::string name = node_name(process.node);
    if (!recording.end().empty()) {
      know_until(cluster, last_step_of(recording),
                 "The recording of " + name + " was stopped: " + recording.end() + ".");
    }
    const bool is_newest = i + 1 == cluster.recordings.size() ||
                           cluster.recordings[i + 1].config().self != process.node;
    const bool has_ended =
        std::any_of(cluster.observed.begin(), cluster.observed.end(), [&](const Observed& seen) {
          return seen.what.has_process_ended() && is_end_of(seen.what.process_ended(), process);
        });
    if (is_newest && !has_ended) {
      know_until(cluster, last_step_of(recording), "The process of " + name + " goes on.");
    }
  }
  for (const Observed& seen : cluster.observed) {
    if (!seen.what.has_ended()) continue;
    know_until(
        cluster, seen.at,
        "The observations of " +
            (seen.by.node == kNoNode ? "the volume or the launcher" : node_name(seen.by.node)) +
            " were stopped: " + seen.what.ended().reason() + ".");
  }
}

}  // namespace

std::string RecordedCluster::crash_of(const handover::Process& process) const {
  for (const Observed& seen : observed) {
    if (!seen.what.has_process_ended() || !is_end_of(seen.what.process_ended(), process)) continue;
    const int signal = static_cast<int>(seen.what.process_ended().signal());
    const bool is_bug =
        std::find(kSignalsOfBugs.begin(), kSignalsOfBugs.end(), signal) != kSignalsOfBugs.end();
    return is_bug ? ::strsignal(signal) : "";
  }
  return "";
}

RecordedCluster read_recorded_cluster(const ClusterDirectory& directory) {
  RecordedCluster cluster;
  const std::optional<ClusterDescription> description = directory.description();
  if (!description) {
    fail(Code::kNotFound, "There is no cluster in " + directory.path().string() + ".",
         "Name the directory of a cluster that was started with: failsim up --record");
  }
  cluster.description = *description;
  cluster.recordings = read_recordings(directory);
  cluster.observed = read_observed(directory);
  if (cluster.recordings.empty()) {
    fail(Code::kNotFound, "The cluster in " + directory.path().string() + " was not recorded.",
         "A cluster is recorded with: failsim up --record");
  }
  require_whole(cluster);
  cluster.began_at = std::numeric_limits<Time>::max();
  for (const Recording& recording : cluster.recordings) {
    cluster.began_at = std::min(cluster.began_at, recording.started_at());
  }
  if (!cluster.observed.empty()) {
    cluster.began_at = std::min(cluster.began_at, cluster.observed.front().at);
  }
  find_end_of_knowledge(cluster);
  return cluster;
}

}  // namespace failsim::cli
