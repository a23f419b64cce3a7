// How a verb ends badly: an Error and the exit status that goes with it, thrown up to run().
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "cluster/error.h"

namespace failsim::cli {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitDiverged = 4;    // a replay that went another way
inline constexpr int kExitCanceled = 20;   // a migration was canceled
inline constexpr int kExitOnSource = 21;   // it failed and the VM is on the source
inline constexpr int kExitElsewhere = 22;  // it failed and the VM was restarted elsewhere
inline constexpr int kExitUsage = 64;
inline constexpr int kExitNotReachable = 69;
inline constexpr int kExitDamaged = 70;   // a recording that cannot be replayed
inline constexpr int kExitInternal = 70;  // what should not have happened here
inline constexpr int kExitTryAgain = 75;
inline constexpr int kExitTimeout = 124;
inline constexpr int kExitInterrupted = 130;

struct Failure {
  Error error;
  int exit = kExitFailed;
};

// Throws; the exit status is the one of the code's row in cluster/error.cc.
[[noreturn]] void fail(Code code, std::string message, std::string next);
[[noreturn]] void fail(const Error& error);
// Throws: what was typed makes no sense, whatever the cluster's state is (exit 64).
[[noreturn]] void fail_usage(std::string message, std::string next);
// Throws when errno tells why `what` could not be done.
[[noreturn]] void fail_errno(const std::string& what, std::string next);

// What an exception that nobody expected comes to (exit 70).
Failure unexpected(const std::string& what);

// {code, name, message, next}, as the node's interface shows it.
boost::json::object to_json(const Error& error);
Error error_from_json(const boost::json::object& object);

}  // namespace failsim::cli
