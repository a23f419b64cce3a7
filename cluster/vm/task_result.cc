#include "cluster/vm/task_result.h"

#include <array>
#include <cassert>

namespace failsim {
namespace {

constexpr std::string_view kPrefix = "vmTaskResult_";

struct Row {
  VMTaskResult result;
  std::string_view documented_name;
  std::string_view description;
};

constexpr std::array<Row, kVMTaskResultCount> kRows = {{
    {VMTaskResult::kSuccess, "vmTaskResult_Success", "The task did what it was asked to do."},
    {VMTaskResult::kCancelled, "vmTaskResult_Cancelled",
     "The task was canceled before it was done."},
    {VMTaskResult::kUnexpectedError, "vmTaskResult_UnexpectedError",
     "The task failed for a reason that has no result of its own."},
    {VMTaskResult::kOutOfMemoryError, "vmTaskResult_OutOfMemoryError",
     "The node has too little free memory for the task."},
    {VMTaskResult::kDiskRelatedError, "vmTaskResult_DiskRelatedError",
     "The task could not write to its disk; check that there is enough free space."},
    {VMTaskResult::kIncompatibleSavedStateError, "vmTaskResult_IncompatibleSavedStateError",
     "The saved state does not fit this virtual machine, so it cannot be restored."},
    {VMTaskResult::kTimeOutError, "vmTaskResult_TimeOutError",
     "The task did not end within its time limit."},
    {VMTaskResult::kIllegalValueError, "vmTaskResult_IllegalValueError",
     "The task came upon a setting whose value is not legal."},
    {VMTaskResult::kThreadCrashError, "vmTaskResult_ThreadCrashError",
     "What was performing the task crashed."},
    {VMTaskResult::kShutdownAbort, "vmTaskResult_ShutdownAbort",
     "The shutdown that was asked for was called off."},
}};

constexpr bool rows_are_numbered() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].result) != i) return false;
  }
  return true;
}
static_assert(rows_are_numbered());

const Row& row_of(VMTaskResult result) {
  assert(static_cast<std::size_t>(result) < kRows.size());
  return kRows[static_cast<std::size_t>(result)];
}

}  // namespace

std::string_view name(VMTaskResult result) {
  return documented_name(result).substr(kPrefix.size());
}

std::string_view documented_name(VMTaskResult result) {
  return row_of(result).documented_name;
}

std::string_view description(VMTaskResult result) {
  return row_of(result).description;
}

std::optional<VMTaskResult> task_result_of(std::uint32_t number) {
  if (number >= kRows.size()) return std::nullopt;
  return static_cast<VMTaskResult>(number);
}

std::optional<VMTaskResult> task_result_named(std::string_view text) {
  for (const Row& row : kRows) {
    if (text == row.documented_name || text == name(row.result)) return row.result;
  }
  return std::nullopt;
}

}  // namespace failsim
