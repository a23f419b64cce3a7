#include "cluster/state/object_name.h"

#include <algorithm>
#include <iterator>

namespace failsim {
namespace {

// The words a verb may stand for where a VM's name may stand too.
constexpr std::string_view kReserved[] = {
    "all",  "cancel", "cluster",  "create", "delete", "down",   "events", "fault",
    "get",  "group",  "help",     "job",    "kill",   "list",   "logs",   "migrate",
    "node", "pause",  "property", "ps",     "reset",  "resume", "save",   "scenario",
    "set",  "show",   "simulate", "start",  "status", "stop",   "task",   "turn-off",
    "up",   "vm",     "wait",     "watch"};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
}

Error refused(std::string message) {
  return {Code::kInvalidParameter, std::move(message),
          "Choose a name of 1 to 64 letters, digits, '-', '_' or '.' that begins with a letter or "
          "digit and is not a verb."};
}

}  // namespace

std::optional<Error> vm_name_refused(std::string_view name) {
  if (name.empty()) return refused("A VM needs a name.");
  if (name.size() > kVmNameMax) {
    return refused("A VM name of " + std::to_string(name.size()) + " characters is too long.");
  }
  if (!is_alphanumeric(name.front()) || !std::all_of(name.begin(), name.end(), is_name_character)) {
    return refused("A VM cannot have a name with such characters.");
  }
  if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) {
    return refused("A VM cannot be called '" + std::string(name) + "': that is a verb.");
  }
  return std::nullopt;
}

Error no_such_vm(const std::string& name) {
  return {Code::kGroupNotFound, "There is no VM called '" + name.substr(0, 80) + "'.",
          "See 'failsim vm list'."};
}

}  // namespace failsim
