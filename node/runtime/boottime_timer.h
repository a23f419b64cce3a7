// A timer on CLOCK_BOOTTIME, the clock deadlines are judged by: after the host slept it fires at
// once, where a timer on CLOCK_MONOTONIC would go on waiting.
#pragma once

#include <cstdint>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "cluster/time.h"

namespace failsim::node {

class BoottimeTimer {
 public:
  // `fire` is called at or after the time last given to arm().
  BoottimeTimer(boost::asio::io_context& io, std::function<void()> fire);

  // Replaces the former time; kNever disarms.
  void arm(Time at);

 private:
  void wait();

  boost::asio::posix::stream_descriptor descriptor_;
  std::function<void()> fire_;
  Time armed_at_ = kNever;
  std::uint64_t expirations_ = 0;
};

}  // namespace failsim::node
