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
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/observations.h"
#include "tools/failsim/birth.h"
#include "tools/failsim/control.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/evidence.h"
#include "tools/failsim/fault_teller.h"
#include "tools/failsim/log_follower.h"
#include "tools/failsim/process_faults.h"
#include "tools/failsim/readiness.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kReadyLimit{60'000};
constexpr milliseconds kStopLimit{5'000};   // then SIGKILL
constexpr milliseconds kQuickDeath{1'000};  // of a volume that will not do better next time
constexpr int kQuickDeathsAllowed = 5;
constexpr milliseconds kLogPause{100};

std::uint32_t random_instance() {
  std::uint32_t instance = 0;
  if (::getrandom(&instance, sizeof instance, 0) != sizeof instance) {
    fail_errno("The kernel gave no random bytes", "Try again.");
  }
  return instance == 0 ? 1 : instance;
}

struct Child {
  std::string name;
  std::uint32_t node = 0;  // 0 = the volume
  pid_t pid = 0;
  ProcessMark mark;
  std::uint32_t instance = 0;
  fs::path log;
  steady_clock::time_point started;
};

class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int run();

 private:
  enum class Stage { kRunning, kStoppingNodes, kStoppingVolume };

  void open();
  void start_all();
  void start_child(Child child, std::vector<std::string> command);
  void start_volume();
  void start_node(std::uint32_t node);
  void watch_readiness();

  void turn();
  void take_signals();
  void take_readiness();
  void take_command();
  json::object obey(const json::object& command);
  json::object obey_about_node(const std::string& verb, const json::object& command);
  void open_faults();
  json::object obey_about_faults(const std::string& verb, const json::object& command);
  void reap();
  void ended(const Child& child, int status);

  void stop(int signal);
  void advance_stop();
  void signal_children(bool volume, int signal);
  bool any_alive(bool volume) const;
  int poll_timeout() const;

  void publish();
  void open_observations();
  void observe_end(const Child& child, int status);
  void observe_fault(const json::object& note);
  void follow_logs();
  void close_down();
  void say(const std::string& text) const;

  SupervisorOptions options_;
  std::string token_;
  fs::path program_;
  int signals_ = -1;
  int listener_ = -1;
  int ready_event_ = -1;
  std::vector<Child> children_;
  std::map<std::uint32_t, std::jthread> evidence_;  // by the dead node
  std::vector<std::jthread> retired_;               // threads asked to stop, joined at the end
  std::jthread readiness_;
  std::optional<Error> not_ready_;  // written by the readiness thread before it signals
  bool ready_ = false;
  std::optional<Failure> failure_;
  Stage stage_ = Stage::kRunning;
  bool interrupted_ = false;
  steady_clock::time_point stop_deadline_;
  int quick_deaths_ = 0;
  std::vector<std::pair<std::string, LogFollower>> logs_;
  std::unique_ptr<ObservationLog> observations_;  // null: not recorded
  std::optional<FaultTeller> teller_;             // these only with --faults
  std::unique_ptr<FailpointBoard> board_;
  std::optional<ProcessFaults> faults_;
};

Supervisor::Supervisor(SupervisorOptions options)
    : options_(std::move(options)),
      token_(options_.directory.token()),
      program_(node_executable()) {}

Supervisor::~Supervisor() {
  for (const int descriptor : {signals_, listener_, ready_event_}) {
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
  while (!(stage_ == Stage::kStoppingVolume && children_.empty())) {
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
  ready_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals_ < 0 || ready_event_ < 0) fail_errno("Starting the supervisor failed", "Try again.");
  remove_file(options_.directory.endpoints_file());
  listener_ = listen_for_commands(options_.directory.path());
  publish();
  Registry(state_directory())
      .note({options_.description.name, options_.directory.path(), options_.description.nodes,
             *mark_of(::getpid())});
  if (options_.description.record_limit_bytes > 0) open_observations();
  if (options_.faults) open_faults();
  if (!options_.follow_logs) return;
  for (std::uint32_t node = 1; node <= options_.description.nodes; ++node) {
    logs_.emplace_back("node-" + std::to_string(node),
                       LogFollower(options_.directory.node_log(node)));
  }
}

void Supervisor::start_all() {
  start_volume();
  const auto deadline = steady_clock::now() + kStopLimit;
  const std::string address = options_.description.volume_address();
  while (!accepts_connections(address, kVolumePort) && steady_clock::now() < deadline &&
         any_alive(true)) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  for (std::uint32_t node = 1; node <= options_.description.nodes; ++node) start_node(node);
  watch_readiness();
}

void Supervisor::start_child(Child child, std::vector<std::string> command) {
  child.started = steady_clock::now();
  child.pid = spawn(command, child.log);
  // A child that has ended already has no mark; it is reaped in its turn.
  child.mark = mark_of(child.pid).value_or(ProcessMark{child.pid, 0, ""});
  say(child.name + " runs as process " + std::to_string(child.pid));
  children_.push_back(std::move(child));
  publish();
}

void Supervisor::start_volume() {
  make_directories(options_.directory.volume());
  Child child;
  child.name = "volume";
  child.log = options_.directory.volume_log();
  start_child(
      std::move(child),
      {program_.string(), "volume", "--dir", options_.directory.volume().string(), "--listen",
       options_.description.volume_address() + ":" + std::to_string(kVolumePort), "--record-limit",
       std::to_string(options_.description.record_limit_bytes)});
}

void Supervisor::start_node(std::uint32_t node) {
  const auto evidence = evidence_.find(node);
  if (evidence != evidence_.end()) {
    // Its next incarnation is all the evidence that is needed now.
    evidence->second.request_stop();
    retired_.push_back(std::move(evidence->second));
    evidence_.erase(evidence);
  }
  Child child;
  child.name = "node-" + std::to_string(node);
  child.node = node;
  child.instance = random_instance();
  child.log = options_.directory.node_log(node);
  std::vector<std::string> command = {
      program_.string(), "run",
      "--dir",           options_.directory.node(node).string(),
      "--token-file",    options_.directory.token_file().string(),
      "--volume",        options_.description.volume_address() + ":" + std::to_string(kVolumePort),
      "--instance",      std::to_string(child.instance)};
  if (options_.description.record_limit_bytes > 0) {
    command.insert(command.end(), {"--record", "--record-limit",
                                   std::to_string(options_.description.record_limit_bytes)});
  }
  if (options_.faults) command.push_back("--faults");
  start_child(std::move(child), std::move(command));
}

void Supervisor::watch_readiness() {
  std::map<std::uint32_t, std::uint32_t> instances;
  for (const Child& child : children_) {
    if (child.node != 0) instances[child.node] = child.instance;
  }
  readiness_ = std::jthread([this, instances](const std::stop_token& stop) {
    not_ready_ = wait_until_ready(options_.description, token_, instances, kReadyLimit, stop);
    const std::uint64_t one = 1;
    if (::write(ready_event_, &one, sizeof one) != sizeof one) std::abort();
  });
}

void Supervisor::turn() {
  pollfd waiting[] = {{signals_, POLLIN, 0}, {listener_, POLLIN, 0}, {ready_event_, POLLIN, 0}};
  if (::poll(waiting, 3, poll_timeout()) < 0) return;  // EINTR
  if (waiting[0].revents != 0) take_signals();
  reap();
  if (waiting[1].revents != 0) take_command();
  if (waiting[2].revents != 0) take_readiness();
  if (faults_ && stage_ == Stage::kRunning) faults_->end_due();
  follow_logs();
  advance_stop();
}

int Supervisor::poll_timeout() const {
  if (stage_ == Stage::kRunning) {
    const int pause = options_.follow_logs ? static_cast<int>(kLogPause.count()) : -1;
    const auto look = faults_ ? faults_->next_look() : std::nullopt;
    if (!look) return pause;
    const auto rest = std::chrono::ceil<milliseconds>(*look - steady_clock::now()).count();
    const int until_look = static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1'000));
    return pause < 0 ? until_look : std::min(pause, until_look);
  }
  const auto left =
      std::chrono::duration_cast<milliseconds>(stop_deadline_ - steady_clock::now()).count();
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
    if (stage_ == Stage::kRunning) stop(SIGTERM);
  }
}

void Supervisor::take_readiness() {
  std::uint64_t count = 0;
  if (::read(ready_event_, &count, sizeof count) != sizeof count) return;
  if (stage_ != Stage::kRunning) return;
  if (not_ready_) {
    failure_ = Failure{*not_ready_, kExitTimeout};
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
  if (stage_ != Stage::kRunning) {
    fail(Code::kInvalidState, "The cluster is being taken down, so " + name + " is not started.",
         "Start the cluster again with: failsim up");
  }
  for (const Child& child : children_) {
    if (child.node == *node) {
      fail(Code::kInvalidState,
           name + " runs already, as process " + std::to_string(child.pid) + ".",
           "See it with: failsim node show " + name);
    }
  }
  start_node(*node);
  return {};
}

void Supervisor::open_faults() {
  teller_.emplace(options_.description, token_);
  ProcessFaults::Outside outside;
  outside.process = [this](const std::string& name) -> std::optional<pid_t> {
    for (const Child& child : children_) {
      if (child.name == name && is_alive(child.mark)) return child.pid;
    }
    return std::nullopt;
  };
  outside.start = [this](const std::string& name) {
    if (stage_ == Stage::kRunning) start_node(*options_.description.node_named(name));
  };
  outside.store = [this](const std::string& name) {
    return options_.directory.node(*options_.description.node_named(name)) / "db";
  };
  outside.note = [this](const json::object& note) {
    if (observations_) observe_fault(note);
    say("fault " + std::to_string(number_in(note, "fault")) + " " + text_in(note, "what") + ": " +
        text_in(note, "order"));
    teller_->tell(note);
  };
  outside.now = steady_clock::now;
  Result<std::unique_ptr<FailpointBoard>> board =
      FailpointBoard::create(options_.directory.path().string());
  if (!board) fail(board.error());
  board_ = board.take();
  outside.board = board_.get();
  faults_.emplace(std::move(outside));
}

json::object Supervisor::obey_about_faults(const std::string& verb, const json::object& command) {
  if (!faults_) {
    fail(Code::kInvalidState,
         "Cluster " + options_.description.name +
             " was started without --faults, so no fault can be injected.",
         "Start it with: failsim up --faults");
  }
  if (stage_ != Stage::kRunning) {
    fail(Code::kInvalidState, "The cluster is being taken down.", "");
  }
  const std::uint64_t id = number_in(command, "id");
  if (verb == "fault-id") return {{"id", faults_->next_id()}};
  if (verb == "fault-list") return {{"faults", faults_->list()}};
  if (verb == "fault-heal") {
    return {{"faults", faults_->heal(id == 0 ? std::nullopt : std::optional(id))}};
  }
  return faults_->inject(id, text_in(command, "order"), text_in(command, "by"));
}

void Supervisor::reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [&](const Child& child) { return child.pid == pid; });
    if (found == children_.end()) continue;
    const Child child = std::move(*found);
    children_.erase(found);
    ended(child, status);
    publish();
  }
}

void Supervisor::ended(const Child& child, int status) {
  say(child.name + " (process " + std::to_string(child.pid) + ") " + describe_end(status));
  if (observations_ && child.node != 0) observe_end(child, status);
  if (stage_ != Stage::kRunning) return;
  const bool is_silent =
      faults_ &&
      faults_->child_ended(child.name, child.pid, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  if (!ready_) {
    const std::string last = last_line(child.log);
    failure_ = Failure{{Code::kNodeNotAvailable,
                        child.name + " " + describe_end(status) + " while the cluster started" +
                            (last.empty() ? "." : ": " + last),
                        "Its log is " + child.log.string() + "."},
                       kExitFailed};
    stop(SIGKILL);
  } else if (child.node != 0) {
    if (is_silent) return;
    evidence_[child.node] =
        report_evidence(options_.description, token_, child.node, child.instance);
  } else {
    const bool quick = steady_clock::now() - child.started < kQuickDeath;
    quick_deaths_ = quick ? quick_deaths_ + 1 : 0;
    if (quick_deaths_ < kQuickDeathsAllowed) {
      start_volume();
    } else {
      say("the volume keeps ending, so it is not started again: " + last_line(child.log));
    }
  }
}

void Supervisor::stop(int signal) {
  if (stage_ == Stage::kRunning) stage_ = Stage::kStoppingNodes;
  if (faults_) faults_->heal(std::nullopt);  // who is stopped by one would not notice
  stop_deadline_ = steady_clock::now() + kStopLimit;
  readiness_.request_stop();
  for (auto& [node, thread] : evidence_) thread.request_stop();
  signal_children(false, signal);
  if (signal == SIGKILL || stage_ == Stage::kStoppingVolume) signal_children(true, signal);
  advance_stop();
}

// The volume is the last to go: nodes that leave may still write.
void Supervisor::advance_stop() {
  if (stage_ == Stage::kRunning) return;
  if (stage_ == Stage::kStoppingNodes && !any_alive(false)) {
    stage_ = Stage::kStoppingVolume;
    stop_deadline_ = steady_clock::now() + kStopLimit;
    signal_children(true, SIGTERM);
  }
  if (steady_clock::now() < stop_deadline_) return;
  signal_children(stage_ == Stage::kStoppingVolume, SIGKILL);
  stop_deadline_ = steady_clock::now() + kStopLimit;
}

void Supervisor::signal_children(bool volume, int signal) {
  for (const Child& child : children_) {
    if ((child.node == 0) != volume) continue;
    // Our own child that is not reaped yet: its process id cannot have been reused.
    ::kill(child.pid, signal);
    ::kill(child.pid, SIGCONT);  // one that was stopped would not see a SIGTERM
  }
}

bool Supervisor::any_alive(bool volume) const {
  return std::any_of(children_.begin(), children_.end(), [&](const Child& child) {
    return (child.node == 0) == volume && is_alive(child.mark);
  });
}

// What others may know of us: who runs, and where the cluster answers.
void Supervisor::publish() {
  RunningProcesses running;
  running.supervisor = *mark_of(::getpid());
  for (const Child& child : children_) {
    running.children.push_back({child.name, child.mark, child.instance});
  }
  options_.directory.write_processes(running);
  if (!ready_ || stage_ != Stage::kRunning) return;
  const json::object endpoints = endpoints_of(options_.directory, options_.description, running);
  replace_file(options_.directory.endpoints_file(), json::serialize(endpoints) + "\n");
}

// What only the parent of the processes sees, for who judges the cluster afterwards.
void Supervisor::open_observations() {
  const auto number = static_cast<std::uint64_t>(observation_clock());
  auto created =
      ObservationLog::create((options_.directory.path() / observations_name(number)).string(),
                             options_.description.record_limit_bytes, kNoNode, 0);
  if (!created) fail(created.error());
  observations_ = created.take();
}

void Supervisor::observe_end(const Child& child, int status) {
  pb::Observation observation;
  auto& ended = *observation.mutable_process_ended();
  ended.set_node(child.node);
  ended.set_instance(child.instance);
  if (WIFSIGNALED(status)) ended.set_signal(static_cast<std::uint32_t>(WTERMSIG(status)));
  observations_->note(std::move(observation));
}

void Supervisor::observe_fault(const json::object& note) {
  pb::Observation observation;
  if (text_in(note, "what") == "injected") {
    observation.mutable_fault_began()->set_id(number_in(note, "fault"));
    observation.mutable_fault_began()->set_order(text_in(note, "order"));
  } else {
    observation.mutable_fault_ended()->set_id(number_in(note, "fault"));
  }
  observations_->note(std::move(observation));
}

void Supervisor::follow_logs() {
  for (auto& [name, log] : logs_) {
    for (const std::string& line : log.new_lines()) std::cout << name << " | " << line << "\n";
  }
  if (!logs_.empty()) std::cout << std::flush;
}

void Supervisor::close_down() {
  readiness_.request_stop();
  if (teller_) teller_->request_stop();
  retired_.clear();
  evidence_.clear();
  if (readiness_.joinable()) readiness_.join();
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
