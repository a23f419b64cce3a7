// Who has heard whose heartbeats, as the world sees it: the age of the newest news of each node
// that each other one has.
#pragma once

#include <cstddef>
#include <vector>

#include "cluster/ids.h"
#include "cluster/time.h"
#include "tools/report/fact.h"

namespace failsim::history {

class Hearing {
 public:
  // A process of the node begins: it waits for everybody from now on.
  void started(NodeId node, Time now);
  // It has ended; what it was waiting for longer than `longest`.
  std::vector<history::Unheard> ended(NodeId node, Duration longest, Time now);
  // A heartbeat of `of` reaches the node that was sent at `sent`. Whether it waited, or the news is
  // on its way, for longer than `longest`: then since when.
  bool heard(NodeId node, NodeId of, Time sent, Duration longest, Time now, Time& since);
  // False as long as no heartbeat was told: then who waits proves nothing.
  bool is_known() const { return is_known_; }
  // Those who wait for news of the node for longer than `longest`, and those for whom the leader
  // does.
  std::vector<history::Unheard> waiting(NodeId leader, NodeId of, Duration longest, Time now) const;

 private:
  struct Ear {
    bool listens = false;
    std::vector<Time> newest;  // when the newest heartbeat of each node was sent
  };
  Ear& ear(NodeId node);
  bool is_waiting(NodeId node, NodeId of, Duration longest, Time now) const;

  std::vector<Ear> ears_;  // by node
  bool is_known_ = false;
};

}  // namespace failsim::history
