// What operators do, performed in the virtual world: requests to the cluster, and what the launcher
// does for `node kill`, `node start` and `node stop`.
#pragma once

#include "tools/scenario/action.h"
#include "tools/scenario/operator.h"
#include "tools/scenario/view.h"
#include "tools/sim/world.h"

namespace failsim::scenario {

class VirtualActions {
 public:
  VirtualActions(sim::World& world, const View& view, Operator& asked)
      : world_(world), view_(view), operator_(asked) {}

  // Calls back once, now or within kLongest, with the answer that the command line would get.
  void start(const Action& action, const Operator::Done& done);

  static constexpr Duration kLongest = Operator::kTimeLimit + kSecond;

 private:
  void start_node_action(const Action& action, const Operator::Done& done);
  void control(const Action& action, const pb::Request& request, const Operator::Done& done);
  void request_state(const pb::Request& request, const Operator::Done& done);
  void wait_for_state(const pb::Request::RequestStateChange& change, Time give_up_at,
                      const Operator::Done& done);
  void answer_malformed_interval(const Action& action, const Operator::Done& done);
  Operator::Done within(Duration period, TaskId job, const Operator::Done& done);
  void wait_for_end(NodeId node, Time give_up_at, const Operator::Done& done);

  sim::World& world_;
  const View& view_;
  Operator& operator_;
};

}  // namespace failsim::scenario
