#include "cluster/vm/task_result.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace failsim {
namespace {

// VMTaskResult, as the document lists it.
const std::string kDocumented[] = {"Success",          "Cancelled",
                                   "UnexpectedError",  "OutOfMemoryError",
                                   "DiskRelatedError", "IncompatibleSavedStateError",
                                   "TimeOutError",     "IllegalValueError",
                                   "ThreadCrashError", "ShutdownAbort"};

TEST(VMTaskResult, EveryDocumentedValueHasItsNumberAndBothNames) {
  ASSERT_EQ(std::size(kDocumented), kVMTaskResultCount);
  for (std::uint32_t number = 0; number < kVMTaskResultCount; ++number) {
    const std::optional<VMTaskResult> result = task_result_of(number);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(static_cast<std::uint32_t>(*result), number);
    EXPECT_EQ(name(*result), kDocumented[number]);
    EXPECT_EQ(documented_name(*result), "vmTaskResult_" + kDocumented[number]);
    EXPECT_EQ(task_result_named(kDocumented[number]), result);
    EXPECT_EQ(task_result_named("vmTaskResult_" + kDocumented[number]), result);
  }
  EXPECT_EQ(VMTaskResult::kSuccess, task_result_of(0));
  EXPECT_EQ(VMTaskResult::kShutdownAbort, task_result_of(9));
}

TEST(VMTaskResult, NoOtherNumberOrNameIsAResult) {
  EXPECT_EQ(task_result_of(10), std::nullopt);
  EXPECT_EQ(task_result_of(0xFFFFFFFF), std::nullopt);
  EXPECT_EQ(task_result_named("Canceled"), std::nullopt);
  EXPECT_EQ(task_result_named(""), std::nullopt);
}

TEST(VMTaskResult, EveryResultIsExplainedInASentenceOfItsOwn) {
  std::set<std::string_view> sentences;
  for (std::uint32_t number = 0; number < kVMTaskResultCount; ++number) {
    const std::string_view sentence = description(*task_result_of(number));
    ASSERT_FALSE(sentence.empty());
    EXPECT_EQ(sentence.back(), '.');
    EXPECT_TRUE(sentences.insert(sentence).second) << sentence;
  }
}

}  // namespace
}  // namespace failsim
