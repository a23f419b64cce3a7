// How an asynchronous task of a virtual machine ended.
//
// Source: VMTaskResult enumeration (VPCCOMInterfaces.h, Windows Virtual PC; Virtual Server has the
// same values without ShutdownAbort).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace failsim {

enum class VMTaskResult : std::uint8_t {
  kSuccess = 0,
  kCancelled = 1,
  kUnexpectedError = 2,
  kOutOfMemoryError = 3,
  kDiskRelatedError = 4,
  kIncompatibleSavedStateError = 5,
  kTimeOutError = 6,
  kIllegalValueError = 7,
  kThreadCrashError = 8,
  kShutdownAbort = 9
};

inline constexpr std::size_t kVMTaskResultCount = 10;

// The short name, for example "OutOfMemoryError".
std::string_view name(VMTaskResult result);

// The documented constant, for example "vmTaskResult_OutOfMemoryError".
std::string_view documented_name(VMTaskResult result);

// One sentence for a person: what this result says about the task.
std::string_view description(VMTaskResult result);

// The result of this number; nothing unless it is 0..9.
std::optional<VMTaskResult> task_result_of(std::uint32_t number);

// The result with this short or documented name, letter case as documented; otherwise nothing.
std::optional<VMTaskResult> task_result_named(std::string_view text);

}  // namespace failsim
