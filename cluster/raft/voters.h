// Who votes, and what a quorum of them has reached.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"

namespace failsim::raft {

class Voters {
 public:
  explicit Voters(const pb::RaftConfiguration& configuration) {
    for (const pb::Voter& voter : configuration.voters()) {
      assert(voter.node() != kNoNode);
      stores_[voter.node()] = voter.store_id();
    }
  }

  // A voter is (node, store id): a node whose store was formatted anew is not one.
  bool contains(NodeId node, StoreId store) const {
    const auto found = stores_.find(node);
    return found != stores_.end() && found->second == store;
  }

  // By node, in its order.
  const std::map<NodeId, StoreId>& stores() const { return stores_; }
  std::size_t quorum() const { return stores_.size() / 2 + 1; }

  // The highest value that a quorum has reached, given one value for each voter.
  template <typename Value>
  Value reached_by_quorum(std::vector<Value> values) const {
    assert(values.size() == stores_.size());
    std::sort(values.begin(), values.end(), std::greater<>());
    return values[quorum() - 1];
  }

 private:
  std::map<NodeId, StoreId> stores_;
};

}  // namespace failsim::raft
