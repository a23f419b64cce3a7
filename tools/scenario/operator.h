// The operator of a scenario in the virtual world: asks as the command line does.
//
// Node after node is asked, the one that answered last first, stopped ones last; "try again" is
// asked again until the time limit of the command line is over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cluster/proto/command.pb.h"
#include "tools/sim/world.h"

namespace failsim::scenario {

class Operator {
 public:
  using Done = std::function<void(const pb::Reply&)>;

  explicit Operator(sim::World& world) : world_(world) {}

  // `done` runs once, at the latest after kTimeLimit: with the outcome, or with the error that the
  // command line would end in (ERROR_NOT_READY, ERROR_CLUSTER_NO_QUORUM, ERROR_TIMEOUT,
  // ERROR_CONNECTION_REFUSED). Requests may overlap; each is a client of its own.
  void ask(pb::Request request, Done done);

  static constexpr Duration kTimeLimit = 30 * kSecond;

 private:
  struct Question;
  void next_round(const std::shared_ptr<Question>& question);
  void try_node(const std::shared_ptr<Question>& question);
  void watch(const std::shared_ptr<Question>& question, std::uint64_t attempt, Time give_up_at);
  void next_node(const std::shared_ptr<Question>& question);
  void answered(const std::shared_ptr<Question>& question, std::uint64_t attempt,
                const pb::Reply& reply);
  void end(const std::shared_ptr<Question>& question, const pb::Reply& reply);
  void end(const std::shared_ptr<Question>& question, Code code);

  sim::World& world_;
  std::uint64_t asked_ = 0;
  NodeId preferred_ = kNoNode;  // who answered last
};

}  // namespace failsim::scenario
