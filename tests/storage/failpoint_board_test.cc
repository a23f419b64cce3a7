// Named points that several processes share.
#include "storage/failpoint_board.h"

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace failsim {
namespace {

class FailpointBoardTest : public testing::Test {
 protected:
  FailpointBoardTest() {
    launcher = FailpointBoard::create(directory.path()).take();
    one = FailpointBoard::open(directory.path()).take();
    two = FailpointBoard::open(directory.path()).take();
  }
  void arm(std::uint64_t id, const std::string& point, const std::string& terms) {
    const auto order = fault::parse_order("failpoint " + point + " terms=" + terms + " for=9s");
    ASSERT_TRUE(order.ok()) << order.error().message;
    ASSERT_FALSE(launcher->arm(id, order.value()));
  }
  // What happens to a process that passes the point; nothing: "".
  std::string pass(FailpointBoard& process, const std::string& point) {
    std::string happened;
    for (const auto& drawn : process.pass(*fault::find_point(point),
                                          [this](std::uint64_t n) { return dice++ * 100 % n; })) {
      happened += fault::to_text(std::vector{drawn.term}) + " ";
      EXPECT_EQ(drawn.lease, 9 * kSecond);
    }
    return happened;
  }

  const TemporaryDirectory directory;
  std::uint64_t dice = 0;
  std::unique_ptr<FailpointBoard> launcher;
  std::unique_ptr<FailpointBoard> one;
  std::unique_ptr<FailpointBoard> two;
};

TEST_F(FailpointBoardTest, ATermThatAppliesOnceAppliesToOneProcess) {
  arm(7, "owner.flip", "1*kill");
  EXPECT_EQ(pass(*two, "blackout.begin"), "");
  EXPECT_EQ(pass(*one, "owner.flip"), "1*kill ");
  EXPECT_EQ(pass(*two, "owner.flip"), "");
  one = FailpointBoard::open(directory.path()).take();  // it comes back
  EXPECT_EQ(pass(*one, "owner.flip"), "");
  EXPECT_EQ(launcher->counts(7).hits, 3u);
  EXPECT_EQ(launcher->counts(7).performed, 1u);
}

TEST_F(FailpointBoardTest, AChainGoesOnWithTheNextTerm) {
  arm(1, "round.1.end", "2*off->1*cut(3s)->delay(10ms)");
  EXPECT_EQ(pass(*one, "round.1.end"), "2*off ");
  EXPECT_EQ(pass(*two, "round.1.end"), "2*off ");
  EXPECT_EQ(pass(*one, "round.1.end"), "1*cut(3s) ");
  EXPECT_EQ(pass(*one, "round.1.end"), "delay(10ms) ");
}

TEST_F(FailpointBoardTest, ChancesAreDrawn) {
  arm(1, "owner.flip", "20%kill");  // dice: 0, 100, 200, ... of 1000
  EXPECT_EQ(pass(*one, "owner.flip"), "20%kill ");
  EXPECT_EQ(pass(*one, "owner.flip"), "20%kill ");
  EXPECT_EQ(pass(*one, "owner.flip"), "");
}

TEST_F(FailpointBoardTest, WhatIsDisarmedDoesNothingAndOthersDo) {
  arm(1, "owner.flip", "kill");
  arm(2, "owner.flip", "freeze(1s)");
  EXPECT_EQ(pass(*one, "owner.flip"), "kill freeze(1s) ");
  launcher->disarm(1);
  EXPECT_EQ(pass(*two, "owner.flip"), "freeze(1s) ");
  launcher = FailpointBoard::create(directory.path()).take();
  EXPECT_EQ(pass(*FailpointBoard::open(directory.path()).value(), "owner.flip"), "");
}

TEST_F(FailpointBoardTest, ItHasAnEnd) {
  for (std::uint64_t id = 1; id <= 1024; ++id) arm(id, "owner.flip", "off");
  const auto order = fault::parse_order("failpoint owner.flip terms=off");
  EXPECT_EQ(launcher->arm(1025, order.value())->code, Code::kClusterBusy);
  EXPECT_FALSE(launcher->arm(1024, order.value())) << "it is armed already";
}

TEST_F(FailpointBoardTest, ANoteIsFoundOnce) {
  using End = FailpointBoard::End;
  one->leave_note(3, {End::kKilled, 4711, 9 * kSecond});
  EXPECT_EQ(launcher->take_note(3, End::kStopped).end, End::kNone);
  const FailpointBoard::Victim victim = launcher->take_note(3, End::kKilled);
  EXPECT_EQ(victim.end, End::kKilled);
  EXPECT_EQ(victim.process, 4711u);
  EXPECT_EQ(victim.duration, 9 * kSecond);
  EXPECT_EQ(launcher->take_note(3, End::kKilled).end, End::kNone);
}

}  // namespace
}  // namespace failsim
