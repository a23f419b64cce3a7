#include "tools/failsim/launcher.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/units.h"
#include "tools/failsim/cluster_network.h"
#include "tools/failsim/control.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/output.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/supervisor.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kDownLimit{15'000};
constexpr std::chrono::milliseconds kKillLimit{5'000};

// Held by whoever runs the cluster of a directory; a fork shares it.
class DirectoryLock {
 public:
  explicit DirectoryLock(const ClusterDirectory& directory) {
    make_directories(directory.path());
    descriptor_ = ::open(directory.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
      fail_errno("Opening " + directory.lock_file().string() + " failed",
                 "Choose a directory that you may write.");
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(descriptor_);
    fail(Code::kAlreadyExists, "The cluster in " + directory.path().string() + " runs already.",
         "Use it, stop it with `failsim down`, or choose another directory with --dir.");
  }
  ~DirectoryLock() { ::close(descriptor_); }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

void refuse_contradiction(const LaunchOptions& options, const ClusterDescription& found) {
  const std::string there = "The cluster in " + options.directory.path().string();
  const std::string next = "Leave the option out, or choose another directory with --dir.";
  if (options.name_given && options.birth.name != found.name) {
    fail_usage(there + " is named " + found.name + ", not " + options.birth.name + ".", next);
  }
  if (options.nodes_given && options.birth.nodes != found.nodes) {
    fail_usage(there + " has " + counted(found.nodes, "node") + ", not " +
                   std::to_string(options.birth.nodes) + ".",
               next);
  }
  if (options.node_memory_given && options.birth.node_memory_bytes != found.node_memory_bytes) {
    fail_usage(there + " has nodes of " + show_size(found.node_memory_bytes) + " memory.", next);
  }
  if (!options.birth.properties.empty()) {
    fail_usage(there + " exists already, and --set is for its birth.",
               "Start it without --set, then use: failsim property set cluster NAME VALUE");
  }
}

// Children of a supervisor that was killed: the kernel has told them to die, this waits for it.
bool kill_leftovers(const ClusterDirectory& directory) {
  const std::optional<RunningProcesses> running = directory.processes();
  if (!running) return false;
  bool any = false;
  for (const RunningChild& child : running->children) {
    any |= send_signal(child.process, SIGKILL);
  }
  for (const RunningChild& child : running->children) {
    if (wait_until_gone(child.process, kKillLimit)) continue;
    fail(Code::kTimeout,
         child.name + " (process " + std::to_string(child.process.pid) + ") does not end.",
         "See what holds it with: ps -o stat,wchan " + std::to_string(child.process.pid));
  }
  remove_file(directory.processes_file());
  remove_file(directory.endpoints_file());
  return any;
}

// The cluster remembers whether it is recorded: the next `up` goes on with it.
ClusterDescription with_recording(const LaunchOptions& options, ClusterDescription description) {
  const std::uint64_t wanted = options.record_limit_bytes.value_or(description.record_limit_bytes);
  if (description.record_limit_bytes == wanted) return description;
  description.record_limit_bytes = wanted;
  options.directory.write_description(description);
  return description;
}

ClusterDescription prepare(const LaunchOptions& options) {
  const std::optional<ClusterDescription> found = options.directory.description();
  if (!found) return with_recording(options, create_cluster(options.directory, options.birth));
  for (std::uint32_t node = 1; node <= found->nodes; ++node) {
    check_node_directory(options.directory, node);
  }
  kill_leftovers(options.directory);
  if (const std::optional<std::string> taken = port_in_use(*found)) {
    fail(Code::kNodeNotAvailable,
         "The cluster in " + options.directory.path().string() + " cannot start: " + *taken +
             " is in use by another process.",
         "End that process; `failsim ps` shows the clusters that run.");
  }
  return with_recording(options, *found);
}

// Before a directory is made or a lock is taken.
void check(const LaunchOptions& options) {
  const std::optional<ClusterDescription> found = options.directory.description();
  if (found) {
    refuse_contradiction(options, *found);
  } else {
    check_birth(options.directory, options.birth);
  }
  if (!options.netns) return;
  if (const auto error = ClusterNetwork::try_out()) fail(*error);
}

void send_report(int channel, const json::object& report) {
  const std::string line = json::serialize(report) + "\n";
  // Nobody reads it when the caller was interrupted; the cluster goes on all the same.
  if (::write(channel, line.data(), line.size()) < 0 && errno != EPIPE) ::_exit(kExitFailed);
  ::close(channel);
}

void detach_streams(const ClusterDirectory& directory) {
  const int input = ::open("/dev/null", O_RDONLY);
  const int log = ::open(directory.supervisor_log().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (input < 0 || log < 0) fail_errno("Opening the supervisor's log failed", "Check the disk.");
  ::dup2(input, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close(input);
  ::close(log);
  if (::chdir("/") != 0) fail_errno("Leaving the current directory failed", "Try again.");
}

// The life of the supervisor's process; ends it.
[[noreturn]] void run_supervisor(const LaunchOptions& options,
                                 const ClusterDescription& description, int channel) {
  ::signal(SIGPIPE, SIG_IGN);
  bool reported = false;
  int status = 0;
  try {
    detach_streams(options.directory);
    SupervisorOptions supervisor{options.directory, description};
    supervisor.faults = options.faults;
    supervisor.netns = options.netns;
    supervisor.on_ready = [&](const json::object& endpoints) {
      reported = true;
      send_report(channel, {{"ready", endpoints}});
    };
    status = supervise(std::move(supervisor));
  } catch (const Failure& failure) {
    status = failure.exit;
    print_error(failure.error, false);
    if (!reported) {
      send_report(channel, {{"error", to_json(failure.error)}, {"exit", failure.exit}});
    }
  } catch (const std::exception& error) {
    status = kExitFailed;
    std::cerr << "failsim: the supervisor stopped: " << error.what() << "\n";
  }
  std::cerr << std::flush;
  ::_exit(status);
}

// Forks the supervisor; returns in the caller alone, with the end of the pipe that it reports on.
int fork_supervisor(const LaunchOptions& options, const ClusterDescription& description,
                    Life life) {
  int channel[2];
  if (::pipe2(channel, O_CLOEXEC) != 0) fail_errno("Opening a pipe failed", "Try again.");
  std::cout << std::flush;
  const pid_t caller = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail_errno("Starting the supervisor failed", "Check the process limit.");
  if (child > 0) {
    ::close(channel[1]);
    if (life == Life::kUntilDown) ::waitpid(child, nullptr, 0);
    return channel[0];
  }
  ::close(channel[0]);
  ::setsid();
  if (life == Life::kUntilDown) {
    // A second fork: not a session leader, and adopted by init.
    if (::fork() != 0) ::_exit(0);
  } else {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != caller) ::_exit(kExitFailed);
  }
  run_supervisor(options, description, channel[1]);
}

json::object receive_report(int channel, const ClusterDirectory& directory) {
  std::string text;
  char buffer[4096];
  while (text.find('\n') == std::string::npos) {
    const ssize_t got = ::read(channel, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(channel);
  const json::object report = parse_object(text).value_or(json::object{});
  if (report.contains("ready")) return object_in(report, "ready");
  if (report.contains("error")) {
    throw Failure{error_from_json(object_in(report, "error")),
                  static_cast<int>(number_in(report, "exit"))};
  }
  fail(
      Code::kNodeNotAvailable,
      "The supervisor ended before the cluster was ready: " + last_line(directory.supervisor_log()),
      "Its log is " + directory.supervisor_log().string() + ".");
}

}  // namespace

json::object launch_in_background(const LaunchOptions& options, Life life) {
  check(options);
  int channel = -1;
  {
    const DirectoryLock lock(options.directory);
    const ClusterDescription description = prepare(options);
    channel = fork_supervisor(options, description, life);
  }
  set_interrupt_note("The cluster goes on starting; stop it with: failsim down --dir " +
                     options.directory.path().string() + "\n");
  json::object endpoints = receive_report(channel, options.directory);
  set_interrupt_note("");
  return endpoints;
}

int launch_in_foreground(const LaunchOptions& options, bool follow_logs,
                         const std::function<void(const json::object&)>& on_ready) {
  check(options);
  const DirectoryLock lock(options.directory);
  SupervisorOptions supervisor{options.directory, prepare(options)};
  supervisor.faults = options.faults;
  supervisor.netns = options.netns;
  supervisor.follow_logs = follow_logs;
  supervisor.on_ready = on_ready;
  return supervise(std::move(supervisor));
}

bool take_down(const ClusterDirectory& directory) {
  const std::optional<ClusterDescription> description = directory.description();
  const std::optional<RunningProcesses> running = directory.processes();
  bool any = false;
  if (running && is_alive(running->supervisor)) {
    any = true;
    try {
      command_supervisor(directory, {{"command", "down"}});
    } catch (const Failure&) {
      // It hangs or is ending: its end below says which.
      send_signal(running->supervisor, SIGTERM);
    }
    if (!wait_until_gone(running->supervisor, kDownLimit)) {
      send_signal(running->supervisor, SIGKILL);
      wait_until_gone(running->supervisor, kKillLimit);
    }
  }
  any |= kill_leftovers(directory);
  Registry(state_directory()).forget(directory.path());
  return any && description.has_value();
}

}  // namespace failsim::cli
