#include "tools/failsim/errors.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/failsim/json.h"

namespace failsim::cli {

void fail(Code code, std::string message, std::string next) {
  throw Failure{{code, std::move(message), std::move(next)}, exit_code(code)};
}

void fail(const Error& error) {
  throw Failure{error, exit_code(error.code)};
}

void fail_usage(std::string message, std::string next) {
  throw Failure{{Code::kInvalidParameter, std::move(message), std::move(next)}, kExitUsage};
}

void fail_errno(const std::string& what, std::string next) {
  const int reason = errno;
  if (reason == ENAMETOOLONG) next = "Give a shorter name.";
  const Code code = reason == EACCES || reason == EPERM ? Code::kAccessDenied : Code::kWriteFault;
  fail(code, what + ": " + std::strerror(reason) + ".", std::move(next));
}

Failure unexpected(const std::string& what) {
  return {{Code::kOperationAborted, "The command stopped for a reason of its own: " + what + ".",
           "Please report it, with the command line and what it printed."},
          kExitInternal};
}

boost::json::object to_json(const Error& error) {
  return {{"code", static_cast<std::uint32_t>(error.code)},
          {"name", code_name(error.code)},
          {"message", error.message},
          {"next", error.next}};
}

Error error_from_json(const boost::json::object& object) {
  return {static_cast<Code>(number_in(object, "code")), text_in(object, "message"),
          text_in(object, "next")};
}

}  // namespace failsim::cli
