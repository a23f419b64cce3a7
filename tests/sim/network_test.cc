// The network and the event queue: what the rest of the virtual world stands on.

#include "tools/sim/network.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace failsim::sim {
namespace {

class NetworkStory : public testing::Test {
 protected:
  void send(int number) {
    network_.send_stream(
        1, 2, [this, number] { arrived_.push_back(number); },
        [this, number] { lost_.push_back(number); });
  }
  void pass(Duration duration) {
    const Time end = queue_.now() + duration;
    while (queue_.run_next(end)) {
    }
  }

  EventQueue queue_;
  Network network_{queue_, 7};
  std::vector<int> arrived_;
  std::vector<int> lost_;
};

TEST_F(NetworkStory, AStreamKeepsItsOrder) {
  LinkQuality rough;
  rough.delay_max = 100 * kMillisecond;
  rough.loss_per_mille = 300;
  network_.set_quality(rough);
  for (int i = 0; i < 50; ++i) send(i);
  pass(10 * kSecond);
  ASSERT_EQ(arrived_.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(arrived_[static_cast<std::size_t>(i)], i);
}

TEST_F(NetworkStory, ACutTakesWhatIsUnderWayAndWhatIsSentMeanwhile) {
  send(1);
  network_.cut(1, 2);
  send(2);
  pass(kSecond);
  network_.heal(1, 2);
  send(3);
  pass(kSecond);
  EXPECT_EQ(arrived_, std::vector<int>{3});
  EXPECT_EQ(lost_, (std::vector<int>{1, 2}));
}

TEST_F(NetworkStory, ACutIsOneWay) {
  network_.cut(1, 2);
  bool came_back = false;
  network_.send_stream(2, 1, [&] { came_back = true; });
  pass(kSecond);
  EXPECT_TRUE(came_back);
}

TEST_F(NetworkStory, DatagramsAreLostDoubledAndOvertaken) {
  LinkQuality rough;
  rough.delay_min = 0;
  rough.delay_max = 50 * kMillisecond;
  rough.loss_per_mille = 200;
  rough.duplicate_per_mille = 200;
  network_.set_quality(rough);
  for (int i = 0; i < 200; ++i) {
    network_.send_datagram(1, 2, [this, i] { arrived_.push_back(i); });
  }
  pass(kSecond);
  std::vector<int> sorted = arrived_;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NE(sorted, arrived_) << "some overtook others";
  EXPECT_NE(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end()) << "some came twice";
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  EXPECT_LT(sorted.size(), 200u) << "some were lost";
}

TEST(EventQueue, EqualTimesRunInTheOrderTheyWereAskedFor) {
  EventQueue queue;
  std::vector<int> order;
  queue.at(5, [&] { order.push_back(1); });
  queue.at(3, [&] {
    order.push_back(2);
    queue.at(5, [&] { order.push_back(4); });
  });
  queue.at(5, [&] { order.push_back(3); });
  while (queue.run_next(10)) {
  }
  EXPECT_EQ(order, (std::vector<int>{2, 1, 3, 4}));
  EXPECT_EQ(queue.now(), 10);
}

}  // namespace
}  // namespace failsim::sim
