#include "node/api/waiters.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

class WaitersTest : public testing::Test {
 protected:
  void wait(Duration limit) {
    waiters_.wait(
        limit,
        [this](bool is_last) -> std::optional<HttpResponse> {
          if (!is_ready_ && !is_last) return std::nullopt;
          return HttpResponse{200, is_ready_ ? "ready" : "late"};
        },
        [this](HttpResponse answer) { answers_.push_back(answer.body); });
  }

  bool is_ready_ = false;
  std::vector<std::string> answers_;
  std::vector<std::function<void()>> timers_;
  Waiters waiters_{[this](Duration, std::function<void()> call) { timers_.push_back(call); }};
};

TEST_F(WaitersTest, WhatIsReadyIsAnsweredAtOnce) {
  is_ready_ = true;
  wait(kSecond);
  EXPECT_EQ(answers_, std::vector<std::string>{"ready"});
  EXPECT_TRUE(timers_.empty());
}

TEST_F(WaitersTest, NobodyWaitsWithoutALimit) {
  wait(0);
  EXPECT_EQ(answers_, std::vector<std::string>{"late"});
}

TEST_F(WaitersTest, AChangeAnswersOnceAndTheLimitNoMore) {
  wait(kSecond);
  waiters_.check();
  EXPECT_TRUE(answers_.empty());
  is_ready_ = true;
  waiters_.check();
  waiters_.check();
  timers_.front()();
  EXPECT_EQ(answers_, std::vector<std::string>{"ready"});
}

TEST_F(WaitersTest, TheLimitAnswersOnce) {
  wait(kSecond);
  timers_.front()();
  is_ready_ = true;
  waiters_.check();
  EXPECT_EQ(answers_, std::vector<std::string>{"late"});
}

}  // namespace
}  // namespace failsim::node
