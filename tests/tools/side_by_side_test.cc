#include "tools/failsim/side_by_side.h"

#include <cstdlib>
#include <map>
#include <stdexcept>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kPlenty{60'000};

std::map<std::size_t, ChildEnd> ends_of(std::size_t count, std::chrono::milliseconds timeout,
                                        const std::function<json::object(std::size_t)>& work) {
  std::map<std::size_t, ChildEnd> ends;
  side_by_side(count, 2, timeout, work,
               [&ends](std::size_t number, const ChildEnd& end) { ends[number] = end; });
  return ends;
}

TEST(SideBySide, EachPieceOfWorkGivesItsResult) {
  const auto ends = ends_of(5, kPlenty, [](std::size_t i) {
    return json::object{{"square", i * i}};
  });
  ASSERT_EQ(ends.size(), 5u);
  EXPECT_EQ(number_in(ends.at(4).result.value(), "square"), 16u);
}

TEST(SideBySide, AFailureComesBackWithItsExitCode) {
  const auto ends = ends_of(1, kPlenty, [](std::size_t) -> json::object {
    fail_usage("That makes no sense.", "Do something else.");
  });
  ASSERT_TRUE(ends.at(0).failure.has_value());
  EXPECT_EQ(ends.at(0).failure->error.message, "That makes no sense.");
  EXPECT_EQ(ends.at(0).failure->exit, kExitUsage);
}

TEST(SideBySide, AnExceptionThatNobodyExpectedIsInternal) {
  const auto ends = ends_of(1, kPlenty, [](std::size_t) -> json::object {
    throw std::runtime_error("the table is empty");
  });
  ASSERT_TRUE(ends.at(0).failure.has_value());
  EXPECT_EQ(ends.at(0).failure->exit, kExitInternal);
  EXPECT_NE(ends.at(0).failure->error.message.find("the table is empty"), std::string::npos);
}

TEST(SideBySide, AProcessThatDiesSaysHowAndLeavesTheOthersAlone) {
  const auto ends = ends_of(2, kPlenty, [](std::size_t i) -> json::object {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (i == 0) std::abort();
    return {{"fine", true}};
  });
  EXPECT_FALSE(ends.at(0).result.has_value());
  EXPECT_FALSE(ends.at(0).timed_out);
  EXPECT_NE(ends.at(0).how.find("6"), std::string::npos) << ends.at(0).how;
  EXPECT_TRUE(ends.at(1).result.has_value());
}

TEST(SideBySide, WorkThatDoesNotEndIsEnded) {
  const auto ends = ends_of(1, std::chrono::milliseconds(50), [](std::size_t) -> json::object {
    while (true) ::pause();
  });
  EXPECT_TRUE(ends.at(0).timed_out);
  EXPECT_FALSE(ends.at(0).result.has_value());
}

}  // namespace
}  // namespace failsim::cli
