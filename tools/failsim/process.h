// Processes named so that a recycled process id is never mistaken for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "tools/failsim/json.h"

namespace failsim::cli {

// A process id is reused; together with the start time and the boot of the machine it is not.
struct ProcessMark {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // after boot, field 22 of /proc/PID/stat
  std::string boot_id;

  bool operator==(const ProcessMark&) const = default;
};

json::object to_json(const ProcessMark& mark);
ProcessMark mark_from_json(const json::object& object);

// The mark of a process that exists and is not a zombie.
std::optional<ProcessMark> mark_of(pid_t pid);
bool is_alive(const ProcessMark& mark);
// It exists and does nothing: SIGSTOP.
bool is_stopped(const ProcessMark& mark);

// Sends the signal to that very process; false if it is gone.
bool send_signal(const ProcessMark& mark, int signal);
// Returns when the process has ended (it may still wait to be reaped); false after `limit`.
bool wait_until_gone(const ProcessMark& mark, std::chrono::milliseconds limit);

}  // namespace failsim::cli
