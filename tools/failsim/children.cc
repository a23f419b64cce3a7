#include "tools/failsim/children.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/birth.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/readiness.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

std::uint32_t random_instance() {
  std::uint32_t instance = 0;
  if (::getrandom(&instance, sizeof instance, 0) != sizeof instance) {
    fail_errno("The kernel gave no random bytes", "Try again.");
  }
  return instance == 0 ? 1 : instance;
}

}  // namespace

Children::Children(ClusterDirectory directory, ClusterDescription description, bool faults)
    : directory_(std::move(directory)),
      description_(std::move(description)),
      faults_(faults),
      program_(node_executable()) {}

const Child& Children::start(Child child, const std::vector<std::string>& command, int listener) {
  const int network = network_ == nullptr ? -1 : network_->of(child.name).descriptor();
  child.started = std::chrono::steady_clock::now();
  child.pid = spawn(command, child.log, {network, listener});
  // A child that has ended already has no mark; it is reaped in its turn.
  child.mark = mark_of(child.pid).value_or(ProcessMark{child.pid, 0, ""});
  return children_.emplace_back(std::move(child));
}

const Child& Children::start_volume() {
  make_directories(directory_.volume());
  Child child;
  child.name = "volume";
  child.log = directory_.volume_log();
  return start(std::move(child),
               {program_.string(), "volume", "--dir", directory_.volume().string(), "--listen",
                description_.volume_address() + ":" + std::to_string(kVolumePort), "--record-limit",
                std::to_string(description_.record_limit_bytes)});
}

const Child& Children::start_node(std::uint32_t node) {
  Child child;
  child.name = "node-" + std::to_string(node);
  child.node = node;
  child.instance = random_instance();
  child.log = directory_.node_log(node);
  std::vector<std::string> command = {
      program_.string(), "run",
      "--dir",           directory_.node(node).string(),
      "--token-file",    directory_.token_file().string(),
      "--volume",        description_.volume_address() + ":" + std::to_string(kVolumePort),
      "--instance",      std::to_string(child.instance)};
  if (description_.record_limit_bytes > 0) {
    command.insert(command.end(),
                   {"--record", "--record-limit", std::to_string(description_.record_limit_bytes)});
  }
  if (faults_) command.push_back("--faults");
  if (network_ == nullptr) return start(std::move(child), command);
  const Result<FileDescriptor> listener = listen_on(description_.node_address(node), kApiPort);
  if (!listener) fail(listener.error());
  command.insert(command.end(), {"--api-socket", std::to_string(kInheritedListener)});
  return start(std::move(child), command, listener.value().get());
}

bool Children::does_volume_listen() const {
  const std::string address = description_.volume_address();
  bool listens = false;
  const auto look = [&] { listens = accepts_connections(address, kVolumePort); };
  network_ == nullptr ? look() : network_->of("volume").inside(look);
  return listens;
}

std::optional<Children::Ended> Children::reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [&](const Child& child) { return child.pid == pid; });
    if (found == children_.end()) continue;
    Ended ended{std::move(*found), status};
    children_.erase(found);
    return ended;
  }
  return std::nullopt;
}

void Children::send_signal(int signal, bool to_volume) const {
  for (const Child& child : children_) {
    if ((child.node == 0) != to_volume) continue;
    // Our own child that is not reaped yet: its process id cannot have been reused.
    ::kill(child.pid, signal);
    ::kill(child.pid, SIGCONT);  // one that was stopped would not see a SIGTERM
  }
}

bool Children::is_any_alive(bool volume) const {
  return std::any_of(children_.begin(), children_.end(), [&](const Child& child) {
    return (child.node == 0) == volume && is_alive(child.mark);
  });
}

const Child* Children::node(std::uint32_t node) const {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [&](const Child& child) { return child.node == node; });
  return found == children_.end() ? nullptr : &*found;
}

std::optional<pid_t> Children::process_of(const std::string& name) const {
  const auto found = std::find_if(children_.rbegin(), children_.rend(),
                                  [&](const Child& child) { return child.name == name; });
  return found == children_.rend() ? std::nullopt : std::optional(found->pid);
}

std::map<std::uint32_t, std::uint32_t> Children::instances() const {
  std::map<std::uint32_t, std::uint32_t> instances;
  for (const Child& child : children_) {
    if (child.node != 0) instances[child.node] = child.instance;
  }
  return instances;
}

RunningProcesses Children::running() const {
  RunningProcesses running;
  running.supervisor = *mark_of(::getpid());
  for (const Child& child : children_) {
    running.children.push_back({child.name, child.mark, child.instance});
  }
  return running;
}

}  // namespace failsim::cli
