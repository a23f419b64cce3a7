#include "cluster/slot_invariants.h"

#include <algorithm>
#include <string>

namespace failsim::invariants {

void Slots::begins(TaskId job, Findings& findings) {
  in_flight_.insert(job);
  if (most_ == 0) return;
  unjudged_.push_back({job, most_, in_flight_});
  judge_known(findings);
}

void Slots::row(const pb::Task& task, Findings& findings) {
  // The source of one that waits may still change.
  if (!task.has_job() || task.job().attempt() == 0) return;
  routes_[task.id()] = {task.job().source(), task.job().target()};
  judge_known(findings);
}

void Slots::judge_known(Findings& findings) {
  for (; !unjudged_.empty() && is_known(unjudged_.front()); unjudged_.pop_front()) {
    const Beginning& beginning = unjudged_.front();
    findings.evaluated("slots");
    const Route& route = routes_.at(beginning.job);
    judge(beginning, route.source, findings);
    judge(beginning, route.target, findings);
  }
}

bool Slots::is_known(const Beginning& beginning) const {
  return std::all_of(beginning.in_flight.begin(), beginning.in_flight.end(),
                     [this](TaskId job) { return routes_.contains(job); });
}

void Slots::judge(const Beginning& beginning, NodeId node, Findings& findings) const {
  const auto taken =
      std::count_if(beginning.in_flight.begin(), beginning.in_flight.end(), [&](TaskId job) {
        const Route& route = routes_.at(job);
        return route.source == node || route.target == node;
      });
  if (taken <= beginning.most) return;
  findings.add("slots", "job " + std::to_string(beginning.job) + " begins, and " + node_name(node) +
                            " takes part in " + std::to_string(taken) +
                            " migrations, where MaximumParallelMigrations is " +
                            std::to_string(beginning.most));
}

}  // namespace failsim::invariants
