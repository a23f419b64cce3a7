// The network and the event queue: what the rest of the virtual world stands on.

#include "tools/sim/network.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace failsim::sim {
namespace {

class NetworkStory : public testing::Test {
 protected:
  void send(int number) {
    network_.send_stream(1, 2,
                         Parcel{Traffic::kControl, [this, number] { arrived_.push_back(number); },
                                [this, number] { lost_.push_back(number); }, 1000});
  }
  void beat(int number) {
    auto message = std::make_shared<pb::PeerMessage>();
    message->mutable_heartbeat()->set_sequence(static_cast<std::uint64_t>(number));
    network_.send_datagram(
        1, 2,
        Parcel{
            Traffic::kHeartbeat, [this, number] { arrived_.push_back(number); }, {}, 0, message});
  }
  RuleId add(LinkRule::Does does, std::uint32_t per_mille = 0, std::optional<Traffic> only = {}) {
    LinkRule rule;
    rule.does = does;
    rule.only = only;
    rule.per_mille = per_mille;
    rule.delay_max = kSecond;
    rule.bytes_per_second = 10'000;
    return network_.add(1, 2, rule);
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
  network_.send_stream(2, 1, Parcel{Traffic::kControl, [&] { came_back = true; }});
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
  for (int i = 0; i < 200; ++i) beat(i);
  pass(kSecond);
  std::vector<int> sorted = arrived_;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NE(sorted, arrived_) << "some overtook others";
  EXPECT_NE(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end()) << "some came twice";
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  EXPECT_LT(sorted.size(), 200u) << "some were lost";
}

TEST_F(NetworkStory, AWholeNetworkLosesNothing) {
  LinkQuality rough;
  rough.loss_per_mille = 1000;
  network_.set_quality(rough);
  beat(1);
  network_.lose_nothing();
  beat(2);
  pass(kSecond);
  EXPECT_EQ(arrived_, std::vector<int>{2});
}

TEST_F(NetworkStory, TwoCutsOfOneLinkAreHealedOneByOne) {
  const RuleId first = add(LinkRule::Does::kCut);
  const RuleId second = add(LinkRule::Does::kCut);
  network_.remove(first);
  network_.remove(first);
  EXPECT_TRUE(network_.is_cut(1, 2));
  send(1);
  network_.remove(second);
  EXPECT_FALSE(network_.has_cuts());
  send(2);
  pass(kSecond);
  EXPECT_EQ(arrived_, std::vector<int>{2});
}

TEST_F(NetworkStory, ACutOfOneClassLeavesTheOthers) {
  add(LinkRule::Does::kCut, 0, Traffic::kHeartbeat);
  beat(1);
  send(2);
  pass(kSecond);
  EXPECT_EQ(arrived_, std::vector<int>{2});
}

TEST_F(NetworkStory, WhatIsHeldArrivesInOrderAfterwards) {
  const RuleId hold = add(LinkRule::Does::kHold);
  for (int i = 0; i < 10; ++i) send(i);
  pass(10 * kSecond);
  EXPECT_TRUE(arrived_.empty());
  network_.remove(hold);
  send(10);
  pass(kSecond);
  ASSERT_EQ(arrived_.size(), 11u);
  EXPECT_TRUE(std::is_sorted(arrived_.begin(), arrived_.end()));
}

TEST_F(NetworkStory, AHeldConnectionThatIsResetLosesWhatItHolds) {
  add(LinkRule::Does::kHold);
  send(1);
  network_.reset(1, 2);
  pass(kSecond);
  EXPECT_EQ(lost_, std::vector<int>{1});
}

TEST_F(NetworkStory, AFlippedBitIsCaughtAndBreaksTheStream) {
  const RuleId corrupt = add(LinkRule::Does::kCorrupt, 1000);
  for (int i = 0; i < 100; ++i) beat(i);
  send(1);
  send(2);
  pass(kSecond);
  EXPECT_TRUE(arrived_.empty());
  EXPECT_EQ(lost_, (std::vector<int>{1, 2}));
  EXPECT_EQ(network_.corrupted(), 102u);
  network_.remove(corrupt);
  send(3);
  pass(kSecond);
  EXPECT_EQ(arrived_, std::vector<int>{3});
}

TEST_F(NetworkStory, ARateSpreadsMessagesOverTime) {
  add(LinkRule::Does::kRate);
  for (int i = 0; i < 30; ++i) send(i);  // of 1000 bytes, at 10'000 a second
  pass(kSecond + 50 * kMillisecond);
  EXPECT_EQ(arrived_.size(), 10u);
  pass(2 * kSecond);
  EXPECT_EQ(arrived_.size(), 30u);
}

TEST_F(NetworkStory, LaterHeartbeatsOvertakeReorderedOnes) {
  add(LinkRule::Does::kReorder, 300);
  for (int i = 0; i < 50; ++i) beat(i);
  pass(2 * kSecond);
  EXPECT_EQ(arrived_.size(), 50u);
  EXPECT_FALSE(std::is_sorted(arrived_.begin(), arrived_.end()));
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
