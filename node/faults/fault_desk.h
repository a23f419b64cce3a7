// The faults of this node as its interface sees them: ordered, listed, healed, and ended when their
// leases are over; each beginning and end is logged and told to the cluster as an event.
//
// The event is a request like any other: it waits for a quorum as long as the process lives, and
// the fault waits for nothing. Everything happens on the loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/proto/command.pb.h"
#include "node/faults/switchboard.h"
#include "storage/observations.h"

namespace failsim::node {

class FaultDesk {
 public:
  struct Outside {
    std::function<void(pb::Request, std::function<void(pb::Reply)>)> ask;
    std::function<void(Duration, std::function<void()>)> call_after;
    std::function<void()> changed;           // a fault has begun or ended
    ObservationLog* observations = nullptr;  // null: nobody watches
  };

  FaultDesk(NodeId self, Incarnation incarnation, Switchboard& switchboard, Outside outside);

  // `id` 0: the desk chooses one. See Switchboard::inject.
  Result<FaultInForce> inject(const std::string& order_line, std::uint64_t id,
                              const std::string& by);
  std::vector<FaultInForce> in_force() const { return switchboard_.in_force(); }
  // kNotFound if no such fault is in force here.
  Result<FaultInForce> heal(std::uint64_t id);
  std::vector<FaultInForce> heal_all();

 private:
  bool is_in_force(std::uint64_t id) const;
  std::uint64_t own_id() const;
  void look();
  void note(pb::Request::NoteFault::What what, const FaultInForce& fault);
  void observe(pb::Request::NoteFault::What what, const FaultInForce& fault) const;
  void tell_next();

  const NodeId self_;
  const std::string client_;
  Switchboard& switchboard_;
  const Outside outside_;
  std::uint64_t sequence_ = 0;
  std::deque<pb::Request> untold_;
  bool is_telling_ = false;
  bool is_looking_ = false;
};

}  // namespace failsim::node
