// What a world shows of its log, told as steps of the hand-over.
//
// The steps are those that were applied, as the events of record tell them, first replica first.
// What an event does not say (which process, decided on which epoch) is looked up among the
// commands that were committed: a change of owner that no command has asked for has no step that
// allows it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/migration/handover_trace.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "tools/report/fact.h"

namespace failsim::history {

class HandoverFeed {
 public:
  using Tell = std::function<void(const history::Fact&)>;

  // `trace` outlives the feed and follows what is told at once.
  HandoverFeed(const invariants::HandoverTrace& trace, Tell tell)
      : trace_(trace), tell_(std::move(tell)) {}

  // An entry, each once or repeated by other replicas. True if nobody has told it before and it may
  // change an owner.
  bool committed(const pb::LogEntry& entry);
  // An event of record, each once, in order; `state` is that of a replica that applied it just now.
  void happened(const pb::EventRecord& event, const ClusterState& state);

 private:
  struct Assigned {
    handover::Process to;
    bool owner_lives = false;  // its guest failed
  };

  void created(const std::string& vm, const ClusterState& state);
  void migration_moved(const pb::EventRecord& event, const ClusterState& state);
  void owner_changed(const pb::EventRecord& event, const ClusterState& state);
  bool pages_follow(const std::string& vm) const;
  handover::Action completion(const std::string& vm, const handover::Process& to) const;
  handover::Action failover(const std::string& vm, const handover::Process& to) const;

  const invariants::HandoverTrace& trace_;
  Tell tell_;
  Index committed_ = 0;
  std::map<std::pair<std::string, Epoch>, std::vector<Assigned>>
      failovers_;  // by what they rest on
  std::map<std::pair<std::string, TaskId>, std::vector<Incarnation>> completions_;
};

}  // namespace failsim::history
