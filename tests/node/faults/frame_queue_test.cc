// Frames under way, while sending takes time.
#include "node/faults/frame_queue.h"

#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace failsim::node {
namespace {

TEST(FrameQueueTest, AFrameThatBecomesDueWhileAnotherIsSentGoesOutToo) {
  boost::asio::io_context io;
  Time now = 0;
  Switchboard faults([&] { return now; }, 1);
  faults.set_place(1, {1, 2});
  std::vector<std::string> sent;
  FrameQueue::Config config;
  config.from = 1;
  config.to = 2;
  config.send = [&](std::string frame) {
    sent.push_back(std::move(frame));
    now += kMillisecond;
  };
  FrameQueue queue(io, faults, std::move(config));

  const auto order = fault::parse_order("link-delay node-1->node-2 min=5ms max=5ms");
  ASSERT_TRUE(faults.inject(1, order.value(), "the test"));
  queue.push("a");  // due at 5 ms
  now += kMillisecond;
  queue.push("b");  // due at 6 ms

  now = 5 * kMillisecond;
  io.run();
  EXPECT_EQ(sent, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(queue.is_empty());
}

}  // namespace
}  // namespace failsim::node
