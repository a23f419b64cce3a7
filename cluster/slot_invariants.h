// What must hold of the migrations that a node takes part in. In the manner of invariants.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/proto/state.pb.h"

namespace failsim::invariants {

// slots: a migration begins only when each of its two nodes takes part in fewer than
// MaximumParallelMigrations others. A limit that is lowered meanwhile ends none. Fed with the
// events of record, each once, in their order; which nodes a job is about its rows say, which come
// when they come.
class Slots {
 public:
  // MaximumParallelMigrations from now on; before that nothing can be judged.
  void limit(std::uint32_t most) { most_ = most; }
  void begins(TaskId job, Findings& findings);
  void ended(TaskId job) { in_flight_.erase(job); }
  // Of any replica.
  void row(const pb::Task& task, Findings& findings);

 private:
  struct Route {
    NodeId source = kNoNode;
    NodeId target = kNoNode;
  };
  struct Beginning {
    TaskId job = 0;
    std::uint32_t most = 0;
    std::set<TaskId> in_flight;  // with the job itself
  };
  void judge_known(Findings& findings);
  bool is_known(const Beginning& beginning) const;
  void judge(const Beginning& beginning, NodeId node, Findings& findings) const;

  std::uint32_t most_ = 0;
  std::set<TaskId> in_flight_;
  std::map<TaskId, Route> routes_;  // of jobs that have begun
  std::deque<Beginning> unjudged_;  // some row is still to come
};

}  // namespace failsim::invariants
