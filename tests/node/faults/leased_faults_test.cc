// How long a fault is in force, and what becomes of its number.
#include "node/faults/leased_faults.h"

#include <string>

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

// On node 2, at a time that the test tells.
class LeasedFaultsTest : public testing::Test {
 protected:
  Result<FaultInForce> inject(const std::string& line, std::uint64_t id) {
    const Result<fault::Order> order = fault::parse_order(line);
    if (!order) return order.error();
    return faults.inject(id, order.value(), "the test", 2, Reach());
  }

  Time now = 1000 * kSecond;
  LeasedFaults faults{[this] { return now; }};
};

TEST_F(LeasedFaultsTest, AFaultIsOverWithItsLeaseAndToldOnce) {
  ASSERT_TRUE(inject("slow-stop node-2 by=1s for=5s", 1));
  EXPECT_NE(faults.find("slow-stop"), nullptr);
  EXPECT_TRUE(faults.take_ended().empty());
  now += 5 * kSecond;
  EXPECT_EQ(faults.find("slow-stop"), nullptr) << "nobody had to look";
  EXPECT_TRUE(faults.in_force().empty());
  ASSERT_EQ(faults.take_ended().size(), 1u);
  EXPECT_TRUE(faults.take_ended().empty());
}

TEST_F(LeasedFaultsTest, TheSameOrderAgainBeginsANewLease) {
  ASSERT_TRUE(inject("slow-stop node-2 by=1s for=3s", 4));
  now += 2 * kSecond;
  ASSERT_TRUE(inject("slow-stop node-2 by=1s for=4s", 4));
  now += 3 * kSecond;
  ASSERT_EQ(faults.in_force().size(), 1u);
  EXPECT_EQ(faults.in_force().front().until, now + kSecond);
}

TEST_F(LeasedFaultsTest, ANumberIsThatOfOneFault) {
  ASSERT_TRUE(inject("slow-stop node-2 by=1s", 4));
  EXPECT_EQ(inject("timer-late node-2 by=5ms", 4).error().code, Code::kInvalidState);
  EXPECT_EQ(faults.in_force().size(), 1u);
  EXPECT_EQ(faults.highest_id(), 4u);
}

TEST_F(LeasedFaultsTest, AHealedFaultIsNotRenewed) {
  ASSERT_TRUE(inject("slow-stop node-2 by=1s", 4));
  ASSERT_TRUE(faults.heal(4));
  EXPECT_FALSE(faults.heal(4));
  EXPECT_EQ(inject("slow-stop node-2 by=1s", 4).error().code, Code::kOperationAborted);
  EXPECT_TRUE(faults.in_force().empty());
  EXPECT_TRUE(faults.take_ended().empty()) << "it did not end by itself";
}

TEST_F(LeasedFaultsTest, WhatIsUsedUpHasEndedBeforeItsLease) {
  ASSERT_TRUE(inject("guest-fail node-2 step=start", 1));
  faults.find("guest-fail")->is_used_up = true;
  EXPECT_EQ(faults.find("guest-fail"), nullptr);
  EXPECT_EQ(faults.take_ended().size(), 1u);
}

TEST_F(LeasedFaultsTest, NothingIsInForceOnceItIsClosed) {
  ASSERT_TRUE(inject("slow-stop node-2 by=1s", 1));
  faults.close();
  ASSERT_TRUE(inject("slow-stop node-2 by=1s", 2));
  EXPECT_TRUE(faults.in_force().empty());
}

}  // namespace
}  // namespace failsim::node
