// What happened in a run, and how often: what a campaign asks before it trusts that nothing failed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim::history {

// An owner changed by an entry that was gone from the log when the step that committed it ended.
inline constexpr const char* kCompactedAtOnce = "owner changed by an entry compacted at once";

class Coverage {
 public:
  void happened(const std::string& what) { ++counts_[what]; }
  // An event of record, told once.
  void event(const pb::EventRecord& event);
  void fact(const failsim::Fact& fact);
  // As the observer of guests is told.
  void guest_executes(NodeId node, const std::string& vm, Time now, Time until);
  void guest_stops(NodeId node, const std::string& vm) { executes_until_.erase({node, vm}); }

  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void migration_state(const pb::EventRecord& event);
  void owner(const pb::EventRecord& event);

  std::map<std::string, std::uint64_t> counts_;
  std::map<std::pair<NodeId, std::string>, Time> executes_until_;
};

}  // namespace failsim::history
