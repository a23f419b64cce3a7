#include "tools/failsim/process.h"

#include <cerrno>
#include <csignal>
#include <sstream>
#include <string>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/failsim/errors.h"
#include "tools/failsim/files.h"

namespace failsim::cli {
namespace {

// The calls of <sys/pidfd.h> go by their numbers: the header of glibc 2.36 is not usable from C++.

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// A descriptor of exactly the marked process; -1 if it is gone.
class ProcessHandle {
 public:
  explicit ProcessHandle(const ProcessMark& mark) {
    if (mark.pid <= 0) return;
    descriptor_ = static_cast<int>(::syscall(SYS_pidfd_open, mark.pid, 0));
    // Compared after the open: from here on the descriptor cannot mean another process.
    if (descriptor_ >= 0 && mark_of(mark.pid) != mark) close();
  }
  ~ProcessHandle() { close(); }
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;

  int get() const { return descriptor_; }

 private:
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  int descriptor_ = -1;
};

}  // namespace

json::object to_json(const ProcessMark& mark) {
  return {{"pid", mark.pid}, {"start_ticks", mark.start_ticks}, {"boot_id", mark.boot_id}};
}

ProcessMark mark_from_json(const json::object& object) {
  return {static_cast<pid_t>(number_in(object, "pid")), number_in(object, "start_ticks"),
          text_in(object, "boot_id")};
}

namespace {

// What /proc tells of a process that exists.
struct ProcessStat {
  std::string state;  // "R", "S", "T", "Z", ...
  std::uint64_t start_ticks = 0;
};

std::optional<ProcessStat> stat_of(pid_t pid) {
  std::optional<std::string> stat;
  try {
    stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  } catch (const Failure&) {
    return std::nullopt;  // it ended between open and read (ESRCH)
  }
  if (!stat) return std::nullopt;
  // The second field, the name in parentheses, may hold anything; the third is the state.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat->substr(name_end + 1));
  ProcessStat read;
  fields >> read.state;
  std::string field;
  for (int number = 4; number <= 22; ++number) fields >> field;
  if (!fields) return std::nullopt;
  read.start_ticks = std::stoull(field);
  return read;
}

}  // namespace

std::optional<ProcessMark> mark_of(pid_t pid) {
  const std::optional<ProcessStat> stat = stat_of(pid);
  if (!stat || stat->state == "Z" || stat->state == "X") return std::nullopt;
  return ProcessMark{pid, stat->start_ticks, boot_id()};
}

bool is_stopped(const ProcessMark& mark) {
  if (!is_alive(mark)) return false;
  const std::optional<ProcessStat> stat = stat_of(mark.pid);
  return stat && stat->state == "T";
}

bool is_alive(const ProcessMark& mark) {
  return mark.pid > 0 && mark_of(mark.pid) == mark;
}

bool send_signal(const ProcessMark& mark, int signal) {
  const ProcessHandle process(mark);
  if (process.get() < 0) return false;
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  fail_errno("Signalling process " + std::to_string(mark.pid) + " failed",
             "Use the account that started the cluster.");
}

bool wait_until_gone(const ProcessMark& mark, std::chrono::milliseconds limit) {
  const ProcessHandle process(mark);
  if (process.get() < 0) return true;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waiting{process.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, left.count() < 0 ? 0 : static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) fail_errno("Waiting for a process failed", "Try again.");
  }
}

}  // namespace failsim::cli
