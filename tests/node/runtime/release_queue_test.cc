#include "node/runtime/release_queue.h"

#include <gtest/gtest.h>

#include "node/runtime/answers.h"

namespace failsim::node {
namespace {

std::vector<After> reads(std::vector<std::uint64_t> tokens) {
  std::vector<After> after;
  for (const std::uint64_t token : tokens) after.push_back(ReadAllowed{token, 0});
  return after;
}

std::vector<std::uint64_t> tokens_of(const std::vector<After>& released) {
  std::vector<std::uint64_t> tokens;
  for (const After& item : released) tokens.push_back(std::get<ReadAllowed>(item).token);
  return tokens;
}

TEST(ReleaseQueue, NothingIsSaidBeforeItsBatchIsWritten) {
  ReleaseQueue queue;
  queue.add(1, reads({10, 11}));
  queue.add(3, reads({12}));
  EXPECT_TRUE(queue.take(0).empty());
  EXPECT_EQ(tokens_of(queue.take(2)), (std::vector<std::uint64_t>{10, 11}));
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(tokens_of(queue.take(3)), (std::vector<std::uint64_t>{12}));
  EXPECT_TRUE(queue.empty());
}

TEST(ReleaseQueue, AStepWithoutABatchWaitsForTheEarlierOnes) {
  ReleaseQueue queue;
  queue.add(5, reads({1}));
  queue.add(5, reads({2}));  // had nothing of its own to write
  EXPECT_TRUE(queue.take(4).empty());
  EXPECT_EQ(tokens_of(queue.take(5)), (std::vector<std::uint64_t>{1, 2}));
}

TEST(Answers, EachQuestionIsAnsweredOnce) {
  Answers<int> answers;
  std::vector<int> heard;
  answers.await(1, [&](int answer) { heard.push_back(answer); });
  EXPECT_TRUE(answers.awaits(1));
  answers.give(2, 20);
  answers.give(1, 10);
  answers.give(1, 11);
  EXPECT_EQ(heard, std::vector<int>{10});
}

TEST(Answers, AnAnswerMayAskAgain) {
  Answers<int> answers;
  int second = 0;
  answers.await(1, [&](int) { answers.await(1, [&](int answer) { second = answer; }); });
  answers.give(1, 1);
  answers.give(1, 2);
  EXPECT_EQ(second, 2);
}

}  // namespace
}  // namespace failsim::node
