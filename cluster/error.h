// Errors a user may see: one number, one name, one sentence, and what to do next.
//
// Expected failures are values of this type; broken invariants assert. The numbers are those of the
// Win32 error list where Windows has one (learn.microsoft.com, "System Error Codes"), so that a
// client written against a real cluster recognises them. Every number is declared once, in
// error.cc, with its symbolic name and the exit code the command line gives for it.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace failsim {

enum class Code : std::uint32_t {
  kOk = 0,
  kAccessDenied = 5,
  kInvalidData = 13,  // a value out of range or malformed
  kNotReady = 21,     // election under way: try again
  kWriteFault = 29,
  kInvalidParameter = 87,
  kInsufficientBuffer = 122,
  kAlreadyExists = 183,
  kOperationAborted = 995,
  kIoPending = 997,
  kNoSystemResources = 1450,  // not enough memory on the node
  kTimeout = 1460,
  kNotFound = 1168,
  kConnectionRefused = 1225,  // no node of the cluster answers
  kResourceNotFound = 5007,
  kGroupNotFound = 5013,
  kInvalidState = 5023,
  kNodeNotAvailable = 5036,
  kNodeNotFound = 5042,
  kNodeDown = 5050,
  kNoPossibleOwner = 5016,
  kPropertyUnchangeable = 5089,
  kGroupMoving = 5908,
  kNoQuorum = 5925,
  kClusterBusy = 170,            // the bounded queue of proposals is full, or E_BUSY of a migration
  kVmNotRunning = 0xA0040206,    // VM_E_VM_NOT_RUNNING
  kVmRunning = 0xA0040500,       // VM_E_VM_RUNNING
  kVmPaused = 0xA0040507,        // VM_E_VM_PAUSED
  kVmNoSavedState = 0xA0040501,  // VM_E_VM_NO_SAVED_STATE
};

// The symbolic name, for example "ERROR_INVALID_STATE"; "ERROR_<number>" for one not in the table.
std::string code_name(Code code);
// Every symbolic name of the table.
std::vector<std::string_view> code_names();

// The exit status of the command line for an operation that ended in this error.
int exit_code(Code code);

struct Error {
  Code code = Code::kOk;
  std::string message;  // what, where, why: one sentence
  std::string next;     // what to do next; may be empty
};

// A value or an Error. `take` and `error` assert that the result holds what is asked for.
template <typename T>
class Result {
 public:
  Result(T value) : content_(std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : content_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return std::holds_alternative<T>(content_); }
  explicit operator bool() const { return ok(); }

  const T& value() const {
    assert(ok());
    return std::get<T>(content_);
  }
  T take() {
    assert(ok());
    return std::move(std::get<T>(content_));
  }
  const Error& error() const {
    assert(!ok());
    return std::get<Error>(content_);
  }

 private:
  std::variant<T, Error> content_;
};

}  // namespace failsim
