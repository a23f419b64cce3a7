// What the faults in force mean for whoever asks.
#include "node/faults/switchboard.h"

#include <thread>

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

// Node 2 of three, at a time that the test tells.
class SwitchboardTest : public testing::Test {
 protected:
  SwitchboardTest() : faults([this] { return now; }, 7) { faults.set_place(2, {1, 2, 3}); }

  Result<FaultInForce> inject(const std::string& line, std::uint64_t id = 0) {
    const Result<fault::Order> order = fault::parse_order(line);
    if (!order) return order.error();
    return faults.inject(id == 0 ? ++last_id : id, order.value(), "the test");
  }

  Time now = 1000 * kSecond;
  Switchboard faults;
  std::uint64_t last_id = 0;
};

TEST_F(SwitchboardTest, AFaultIsOverWithItsLeaseAndToldOnce) {
  ASSERT_TRUE(inject("link-cut node-2->node-1 for=5s"));
  EXPECT_TRUE(faults.is_cut(2, 1, Traffic::kControl));
  EXPECT_TRUE(faults.take_ended().empty());
  now += 5 * kSecond;
  EXPECT_FALSE(faults.is_cut(2, 1, Traffic::kControl)) << "nobody had to look";
  ASSERT_EQ(faults.take_ended().size(), 1u);
  EXPECT_TRUE(faults.take_ended().empty());
}

TEST_F(SwitchboardTest, AFaultOfALinkHitsThatDirectionAndClassOnly) {
  ASSERT_TRUE(inject("link-cut node-2->node-1 class=heartbeat"));
  EXPECT_TRUE(faults.is_cut(2, 1, Traffic::kHeartbeat));
  EXPECT_FALSE(faults.is_cut(2, 1, Traffic::kControl));
  EXPECT_FALSE(faults.is_cut(2, 1, Traffic::kData));
  EXPECT_FALSE(faults.is_cut(1, 2, Traffic::kHeartbeat));
  EXPECT_FALSE(faults.is_cut(2, 3, Traffic::kHeartbeat));
  EXPECT_TRUE(faults.passage(2, 3, Traffic::kHeartbeat).is_clean());
}

TEST_F(SwitchboardTest, WhoIsIsolatedStillTalksToThoseIsolatedWithIt) {
  ASSERT_TRUE(inject("isolate node-2,node-3"));
  EXPECT_TRUE(faults.is_cut(2, 1, Traffic::kData));
  EXPECT_TRUE(faults.is_cut(1, 2, Traffic::kHeartbeat));
  EXPECT_FALSE(faults.is_cut(2, 3, Traffic::kControl));
  EXPECT_FALSE(faults.is_cut(3, 2, Traffic::kControl));
}

TEST_F(SwitchboardTest, FaultsOfOneLinkAddUp) {
  ASSERT_TRUE(inject("link-delay node-2->node-1 min=20ms"));
  ASSERT_TRUE(inject("link-delay node-2->all min=5ms"));
  ASSERT_TRUE(inject("link-rate node-2->node-1 rate=1MiB/s class=all"));
  ASSERT_TRUE(inject("link-rate node-2->node-1 rate=2MiB/s class=all"));
  const Passage passage = faults.passage(2, 1, Traffic::kControl);
  EXPECT_EQ(passage.delay, 25 * kMillisecond);
  EXPECT_EQ(passage.rate, std::uint64_t{1} << 20);
}

TEST_F(SwitchboardTest, AStreamLosesNothingButIsLate) {
  ASSERT_TRUE(inject("link-loss node-2->node-1 share=100%"));
  EXPECT_TRUE(faults.passage(2, 1, Traffic::kHeartbeat).is_lost);
  EXPECT_FALSE(faults.passage(2, 1, Traffic::kControl).is_lost);
  EXPECT_GT(faults.passage(2, 1, Traffic::kControl).delay, 0);
}

TEST_F(SwitchboardTest, AShareHitsAboutThatMany) {
  ASSERT_TRUE(inject("link-loss node-2->node-1 share=20%"));
  int lost = 0;
  for (int i = 0; i < 10'000; ++i) lost += faults.passage(2, 1, Traffic::kHeartbeat).is_lost;
  EXPECT_GT(lost, 1'800);
  EXPECT_LT(lost, 2'200);
}

TEST_F(SwitchboardTest, AResetHappensOnceAndIsNotInForce) {
  ASSERT_TRUE(inject("link-reset node-2->node-1 class=data"));
  EXPECT_EQ(faults.resets(2, 1, Traffic::kData), 1u);
  EXPECT_EQ(faults.resets(2, 1, Traffic::kControl), 0u);
  EXPECT_TRUE(faults.in_force().empty());
}

TEST_F(SwitchboardTest, TheSameResetAgainIsNoOther) {
  ASSERT_TRUE(inject("link-reset node-2->node-1", 4));
  ASSERT_TRUE(inject("link-reset node-2->node-1", 4));
  EXPECT_EQ(faults.resets(2, 1, Traffic::kControl), 1u);
}

TEST_F(SwitchboardTest, AFailingDiskTakesTheBytesItWasAllowed) {
  ASSERT_TRUE(inject("disk-fail node-2 error=ENOSPC after=1000B"));
  EXPECT_FALSE(faults.write_error(600).has_value());
  EXPECT_EQ(faults.write_error(600), DiskError::kNoSpace);
  ASSERT_TRUE(faults.heal(last_id));
  EXPECT_FALSE(faults.write_error(600).has_value());
}

TEST_F(SwitchboardTest, WhoWaitsForAStalledDiskIsFreedByHealing) {
  ASSERT_TRUE(inject("disk-stall node-2 for=1h"));
  std::thread writer([this] { faults.wait_for_disk(false); });
  ASSERT_TRUE(faults.heal(last_id));
  writer.join();
}

TEST_F(SwitchboardTest, NobodyWaitsWhenTheProcessEnds) {
  ASSERT_TRUE(inject("disk-stall node-2 for=1h"));
  std::thread writer([this] { faults.wait_for_disk(true); });
  faults.close();
  writer.join();
  EXPECT_TRUE(faults.in_force().empty());
}

TEST_F(SwitchboardTest, AFaultThatHappensOnceIsUsedUp) {
  ASSERT_TRUE(inject("guest-fail node-2 step=start"));
  EXPECT_FALSE(faults.use_guest_failure("save"));
  EXPECT_TRUE(faults.use_guest_failure("start"));
  EXPECT_FALSE(faults.use_guest_failure("start"));
  ASSERT_TRUE(inject("guest-crash web,db"));
  EXPECT_TRUE(faults.use_guest_crash("db"));
  EXPECT_FALSE(faults.use_guest_crash("db"));
  EXPECT_TRUE(faults.use_guest_crash("web"));
  ASSERT_TRUE(inject("forget-page node-2"));
  EXPECT_TRUE(faults.use_forget_page());
  EXPECT_FALSE(faults.use_forget_page());
}

TEST_F(SwitchboardTest, TheLinkToTheVolumeHasTwoDirections) {
  ASSERT_TRUE(inject("link-hold volume->node-2"));
  EXPECT_TRUE(faults.is_held(fault::kVolumeEnd, 2, Traffic::kControl));
  EXPECT_FALSE(faults.is_held(2, fault::kVolumeEnd, Traffic::kControl));
}

}  // namespace
}  // namespace failsim::node
