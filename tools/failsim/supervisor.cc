#include "tools/failsim/supervisor.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <thread>

#include <boost/json/serialize.hpp>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/birth.h"
#include "tools/failsim/children.h"
#include "tools/failsim/cluster_network.h"
#include "tools/failsim/control.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/evidence.h"
#include "tools/failsim/fault_commands.h"
#include "tools/failsim/launcher_notes.h"
#include "tools/failsim/log_follower.h"
#include "tools/failsim/readiness_watch.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/shutdown.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kEndLimit{5'000};     // of who is asked to end; then SIGKILL
constexpr milliseconds kVolumeLimit{5'000};  // until a volume that was started listens
constexpr milliseconds kQuickDeath{1'000};   // of a volume that will not do better next time
constexpr int kQuickDeathsAllowed = 5;
constexpr milliseconds kLogPause{100};

class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int run();

 private:
  void open();
  void open_network();
  void open_faults();
  void start_all();
  void start_volume() { started(children_.start_volume()); }
  void start_node(std::uint32_t node);
  void started(const Child& child);

  void turn();
  void take_signals();
  void take_readiness();
  void take_command();
  json::object obey(const json::object& command);
  json::object obey_about_node(const std::string& verb, const json::object& command);
  json::object obey_about_faults(const std::string& verb, const json::object& command);
  void reap();
  void ended(const Child& child, int status);
  void volume_ended(const Child& volume);

  void stop(int signal);
  int poll_timeout() const;

  void publish();
  void follow_logs();
  void close_down();
  void say(const std::string& text) const;

  SupervisorOptions options_;
  std::string token_;
  int signals_ = -1;
  int listener_ = -1;
  Children children_;
  EvidenceReports evidence_;
  ReadinessWatch readiness_;
  bool ready_ = false;
  std::optional<Failure> failure_;
  Shutdown shutdown_;
  bool interrupted_ = false;
  int quick_deaths_ = 0;
  std::vector<std::pair<std::string, LogFollower>> logs_;
  std::optional<LauncherNotes> notes_;     // only of a cluster that is recorded
  std::optional<ClusterNetwork> network_;  // these two only with --netns
  std::optional<PacketFaults> packets_;
  std::optional<FaultCommands> faults_;  // only with --faults
};

Supervisor::Supervisor(SupervisorOptions options)
    : options_(std::move(options)),
      token_(options_.directory.token()),
      children_(options_.directory, options_.description, options_.faults),
      evidence_(options_.description, token_),
      shutdown_(children_, kEndLimit) {}

Supervisor::~Supervisor() {
  for (const int descriptor : {signals_, listener_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

int Supervisor::run() {
  try {
    open();
    start_all();
  } catch (const Failure& failure) {
    failure_ = failure;
    stop(SIGKILL);
  }
  while (!shutdown_.is_over()) {
    try {
      turn();
    } catch (const Failure& failure) {
      // A full disk, say, is no reason to take a running cluster down.
      say(failure.error.message);
    }
  }
  close_down();
  if (failure_) throw *failure_;
  return interrupted_ ? kExitInterrupted : 0;
}

void Supervisor::open() {
  sigset_t caught;
  sigemptyset(&caught);
  for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&caught, signal);
  // Blocked before any thread exists, so that no thread ever takes one.
  ::sigprocmask(SIG_BLOCK, &caught, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) fail_errno("Starting the supervisor failed", "Try again.");
  remove_file(options_.directory.endpoints_file());
  listener_ = listen_for_commands(options_.directory.path());
  publish();
  Registry(state_directory())
      .note({options_.description.name, options_.directory.path(), options_.description.nodes,
             *mark_of(::getpid())});
  if (options_.description.record_limit_bytes > 0) {
    notes_.emplace(options_.directory.path(), options_.description.record_limit_bytes);
  }
  if (options_.netns) open_network();
  if (options_.faults) open_faults();
  if (!options_.follow_logs) return;
  for (std::uint32_t node = 1; node <= options_.description.nodes; ++node) {
    logs_.emplace_back("node-" + std::to_string(node),
                       LogFollower(options_.directory.node_log(node)));
  }
}

void Supervisor::open_network() {
  Result<ClusterNetwork> network = ClusterNetwork::build(options_.description);
  if (!network) fail(network.error());
  network_ = network.take();
  children_.move_to(*network_);
  packets_.emplace(options_.description.nodes, network_->skills(),
                   [this](PacketTreatments treatments) {
                     auto error = network_->treat(std::move(treatments));
                     if (error) say(error->message);
                     return error;
                   });
  say(std::string("each process has a network of its own; this kernel has ") +
      (network_->skills().netem ? "netem"
                                : "no netem, so the node processes delay, reorder and corrupt"));
}

void Supervisor::open_faults() {
  ProcessFaults::Outside outside;
  outside.process = [this](const std::string& name) { return children_.process_of(name); };
  outside.start = [this](const std::string& name) {
    if (!shutdown_.has_begun()) start_node(*options_.description.node_named(name));
  };
  outside.store = [this](const std::string& name) {
    return options_.directory.node(*options_.description.node_named(name)) / "db";
  };
  outside.note = [this](const json::object& note) {
    if (notes_) notes_->fault(note);
    say("fault " + std::to_string(number_in(note, "fault")) + " " + text_in(note, "what") + ": " +
        text_in(note, "order"));
  };
  outside.now = steady_clock::now;
  outside.packets = packets_ ? &*packets_ : nullptr;
  faults_.emplace(options_.directory, options_.description, token_, std::move(outside));
}

void Supervisor::start_all() {
  start_volume();
  const auto deadline = steady_clock::now() + kVolumeLimit;
  while (!children_.does_volume_listen() && steady_clock::now() < deadline &&
         children_.is_volume_alive()) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  for (std::uint32_t node = 1; node <= options_.description.nodes; ++node) start_node(node);
  readiness_.start(options_.description, token_, children_.instances());
}

void Supervisor::start_node(std::uint32_t node) {
  evidence_.withdraw(node);
  started(children_.start_node(node));
}

void Supervisor::started(const Child& child) {
  say(child.name + " runs as process " + std::to_string(child.pid));
  publish();
}

void Supervisor::turn() {
  pollfd waiting[] = {
      {signals_, POLLIN, 0}, {listener_, POLLIN, 0}, {readiness_.descriptor(), POLLIN, 0}};
  if (::poll(waiting, 3, poll_timeout()) < 0) return;  // EINTR
  if (waiting[0].revents != 0) take_signals();
  reap();
  if (waiting[1].revents != 0) take_command();
  if (waiting[2].revents != 0) take_readiness();
  if (faults_ && !shutdown_.has_begun()) faults_->faults().end_due();
  follow_logs();
  shutdown_.advance();
}

int Supervisor::poll_timeout() const {
  if (!shutdown_.has_begun()) {
    const int pause = options_.follow_logs ? static_cast<int>(kLogPause.count()) : -1;
    const auto look = faults_ ? faults_->faults().next_look() : std::nullopt;
    if (!look) return pause;
    const auto rest = std::chrono::ceil<milliseconds>(*look - steady_clock::now()).count();
    const int until_look = static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1'000));
    return pause < 0 ? until_look : std::min(pause, until_look);
  }
  const auto left = shutdown_.time_left().count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLogPause.count()));
}

void Supervisor::take_signals() {
  signalfd_siginfo info;
  while (::read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    if (info.ssi_signo == SIGINT && interrupted_) {
      stop(SIGKILL);
      continue;
    }
    if (info.ssi_signo == SIGINT) {
      interrupted_ = true;
      say("stopping; another Control-C kills");
    }
    if (!shutdown_.has_begun()) stop(SIGTERM);
  }
}

void Supervisor::take_readiness() {
  if (!readiness_.take_end() || shutdown_.has_begun()) return;
  if (readiness_.missing()) {
    failure_ = Failure{*readiness_.missing(), kExitTimeout};
    stop(SIGKILL);
    return;
  }
  ready_ = true;
  publish();
  say("the cluster is ready");
  if (options_.on_ready) {
    const std::optional<RunningProcesses> running = options_.directory.processes();
    options_.on_ready(endpoints_of(options_.directory, options_.description,
                                   running.value_or(RunningProcesses{})));
  }
}

void Supervisor::take_command() {
  int connection = -1;
  const std::optional<json::object> command = accept_command(listener_, connection);
  if (connection < 0) return;
  json::object answer;
  try {
    answer = obey(command.value_or(json::object{}));
  } catch (const Failure& failure) {
    answer = {{"error", to_json(failure.error)}};
  }
  answer_command(connection, answer);
}

json::object Supervisor::obey(const json::object& command) {
  const std::string verb = text_in(command, "command");
  if (verb == "down") {
    stop(SIGTERM);
    return {};
  }
  if (verb.rfind("fault", 0) == 0) return obey_about_faults(verb, command);
  return obey_about_node(verb, command);
}

json::object Supervisor::obey_about_node(const std::string& verb, const json::object& command) {
  const std::string name = text_in(command, "node");
  const std::optional<std::uint32_t> node = options_.description.node_named(name);
  if (verb != "start" || !node) {
    fail(Code::kInvalidParameter, "The supervisor does not know that command.",
         "Use failsim and failsim-node of the same version.");
  }
  if (shutdown_.has_begun()) {
    fail(Code::kInvalidState, "The cluster is being taken down, so " + name + " is not started.",
         "Start the cluster again with: failsim up");
  }
  if (const Child* child = children_.node(*node)) {
    fail(Code::kInvalidState,
         name + " runs already, as process " + std::to_string(child->pid) + ".",
         "See it with: failsim node show " + name);
  }
  start_node(*node);
  return {};
}

json::object Supervisor::obey_about_faults(const std::string& verb, const json::object& command) {
  if (!faults_) {
    fail(Code::kInvalidState,
         "Cluster " + options_.description.name +
             " was started without --faults, so no fault can be injected.",
         "Start it with: failsim up --faults");
  }
  if (shutdown_.has_begun()) {
    fail(Code::kInvalidState, "The cluster is being taken down.", "");
  }
  return faults_->obey(verb, command);
}

void Supervisor::reap() {
  while (const std::optional<Children::Ended> child = children_.reap()) {
    ended(child->child, child->status);
    publish();
  }
}

void Supervisor::ended(const Child& child, int status) {
  say(child.name + " (process " + std::to_string(child.pid) + ") " + describe_end(status));
  if (notes_ && child.node != 0) notes_->node_ended(child, status);
  if (shutdown_.has_begun()) return;
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const bool is_silent =
      faults_ && faults_->faults().child_ended(child.name, child.pid, exit_status);
  if (!ready_) {
    const std::string last = last_line(child.log);
    failure_ = Failure{{Code::kNodeNotAvailable,
                        child.name + " " + describe_end(status) + " while the cluster started" +
                            (last.empty() ? "." : ": " + last),
                        "Its log is " + child.log.string() + "."},
                       kExitFailed};
    stop(SIGKILL);
  } else if (child.node == 0) {
    volume_ended(child);
  } else if (!is_silent) {
    evidence_.report(child.node, child.instance);
  }
}

void Supervisor::volume_ended(const Child& volume) {
  const bool quick = steady_clock::now() - volume.started < kQuickDeath;
  quick_deaths_ = quick ? quick_deaths_ + 1 : 0;
  if (quick_deaths_ < kQuickDeathsAllowed) {
    start_volume();
  } else {
    say("the volume keeps ending, so it is not started again: " + last_line(volume.log));
  }
}

void Supervisor::stop(int signal) {
  shutdown_.begin();  // first: a node that was killed by a fault is not started again now
  if (faults_) faults_->faults().heal(std::nullopt);  // who is stopped by one would not notice
  readiness_.request_stop();
  evidence_.request_stop();
  shutdown_.ask(signal);
}

// What others may know of us: who runs, and where the cluster answers.
void Supervisor::publish() {
  const RunningProcesses running = children_.running();
  options_.directory.write_processes(running);
  if (!ready_ || shutdown_.has_begun()) return;
  const json::object endpoints = endpoints_of(options_.directory, options_.description, running);
  replace_file(options_.directory.endpoints_file(), json::serialize(endpoints) + "\n");
}

void Supervisor::follow_logs() {
  for (auto& [name, log] : logs_) {
    for (const std::string& line : log.new_lines()) std::cout << name << " | " << line << "\n";
  }
  if (!logs_.empty()) std::cout << std::flush;
}

void Supervisor::close_down() {
  readiness_.request_stop();
  if (faults_) faults_->request_stop();
  evidence_.stop();
  readiness_.join();
  follow_logs();
  remove_file(options_.directory.endpoints_file());
  remove_file(options_.directory.processes_file());
  remove_file(options_.directory.path() / "control.sock");
  Registry(state_directory()).forget(options_.directory.path());
  say("all processes have ended");
}

void Supervisor::say(const std::string& text) const {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::cerr << stamp << " supervisor: " << text << "\n" << std::flush;
}

}  // namespace

int supervise(SupervisorOptions options) {
  return Supervisor(std::move(options)).run();
}

}  // namespace failsim::cli
