// Frames of one peer that are under way for longer than they should be.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cluster/time.h"
#include "node/faults/switchboard.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {

class FrameQueue {
 public:
  struct Config {
    NodeId from = kNoNode;
    NodeId to = kNoNode;
    Traffic traffic = Traffic::kControl;  // heartbeats may overtake each other, control may not
    std::function<void(std::string frame)> send;
  };

  FrameQueue(boost::asio::io_context& io, Switchboard& switchboard, Config config);

  // Sends the frame as the faults in force want it: at once, later, twice, spoilt or never.
  void push(std::string frame);
  // Sends what may go now, and sees to the rest.
  void pump();
  void clear();
  bool is_empty() const { return waiting_.empty(); }

 private:
  void arm();

  Switchboard& switchboard_;
  const Config config_;
  boost::asio::steady_timer timer_;
  std::multimap<Time, std::string> waiting_;  // by the time at which they arrive
  std::size_t waiting_bytes_ = 0;
  Time latest_ = 0;
  TokenBucket bucket_{0};
  std::uint64_t rate_ = 0;
};

}  // namespace failsim::node
