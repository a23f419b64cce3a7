#include "tools/failsim/process_faults.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <sys/resource.h>
#include <sys/wait.h>

#include "cluster/fault/value.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

constexpr std::array<std::string_view, 12> kOfLauncher = {
    "no-descriptors", "kill",      "terminate", "freeze",    "crash-loop", "volume-stall",
    "volume-restart", "disk-fail", "disk-tear", "disk-flip", "disk-swap",  "failpoint"};
constexpr std::chrono::milliseconds kLook{20};  // for a victim that is on its way out
constexpr int kExitStorageFailed = 74;

bool starts_again(std::string_view kind) {
  return kind == "kill" || kind == "terminate" || kind == "crash-loop";
}

bool kills(std::string_view kind) {
  return kind == "kill" || kind == "crash-loop" || kind == "volume-restart";
}

// The node may find that it cannot go on, and ends.
bool may_end_node(std::string_view kind) {
  return kind == "disk-fail" || kind == "no-descriptors";
}

bool damages_store(std::string_view kind) {
  return kind == "disk-tear" || kind == "disk-flip" || kind == "disk-swap";
}

bool is_silent_end(const fault::Order& order) {
  return fault::find_parameter(*order.kind, "evidence") != nullptr && order.value("evidence") == 1;
}

// Returns when it has ended; it is still to be reaped.
void kill_now(pid_t process) {
  siginfo_t ignored;
  if (::kill(process, SIGKILL) != 0) return;
  ::waitid(P_PID, static_cast<id_t>(process), &ignored, WEXITED | WNOWAIT);
}

bool stops(std::string_view kind) {
  return kind == "freeze" || kind == "volume-stall";
}

// Returns when it stands still, so that nobody waits for its answer any more; or when it has ended.
void stop(pid_t process) {
  siginfo_t ignored;
  if (::kill(process, SIGSTOP) != 0) return;
  ::waitid(P_PID, static_cast<id_t>(process), &ignored, WSTOPPED | WEXITED | WNOWAIT);
}

// What it has open stays open.
void let_open(pid_t process, bool is_allowed) {
  rlimit own = {};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) return;
  if (!is_allowed) own.rlim_cur = 0;
  ::prlimit(process, RLIMIT_NOFILE, &own, nullptr);
}

ProcessFaults::Clock::duration clock_duration(Duration duration) {
  return std::chrono::duration_cast<ProcessFaults::Clock::duration>(
      std::chrono::nanoseconds(duration));
}

}  // namespace

bool is_fault_of_launcher(std::string_view kind) {
  return std::find(kOfLauncher.begin(), kOfLauncher.end(), kind) != kOfLauncher.end();
}

bool is_fault_of_nodes(std::string_view kind) {
  return !is_fault_of_launcher(kind) || kind == "disk-fail";
}

std::optional<Error> terms_refused_by_processes(const fault::Order& order) {
  for (const fault::Term& term : order.terms) {
    if (term.action != fault::Term::Action::kPowerOff) continue;
    return Error{Code::kInvalidState,
                 "A process cannot lose its power at a point: what it has written the kernel has "
                 "already taken.",
                 "Use kill, or the virtual world: failsim simulate."};
  }
  return std::nullopt;
}

json::object ProcessFaults::inject(std::uint64_t id, const std::string& order_line,
                                   const std::string& by) {
  const Result<fault::Order> parsed = fault::parse_order(order_line);
  if (!parsed) fail(parsed.error());
  const fault::Order& order = parsed.value();
  if (!is_fault_of_launcher(order.kind->name) && !performs_on_packets(order.kind->name)) {
    fail(Code::kInvalidState,
         "The launcher does not perform the fault " + std::string(order.kind->name) + ".",
         "Use failsim and failsim-node of the same version.");
  }
  if (const auto refused = terms_refused_by_processes(order)) fail(*refused);
  Duration lease = order.lease;
  if (order.kind->name == "volume-stall" && order.value("stall") != 0) {
    lease = std::min(lease, order.value("stall"));
  }
  const auto until = outside_.now() + clock_duration(lease);
  if (healed_.contains(id)) {
    fail(Code::kOperationAborted, "The fault " + std::to_string(id) + " was healed.",
         "Inject it again if it is still wanted.");
  }
  for (Fault& known : faults_) {
    if (known.id != id || known.has_ended) continue;
    known.until = until;
    return shown(known);
  }
  Fault fault;
  fault.id = id;
  fault.order = order;
  fault.by = by;
  fault.until = until;
  fault.victims = victims_of(order);
  perform(fault);
  const json::object answer = shown(fault);
  add(std::move(fault));
  return answer;
}

void ProcessFaults::add(Fault fault) {
  last_id_ = std::max(last_id_, fault.id);
  note(fault, "injected");
  if (fault.order.kind->name != "volume-restart") faults_.push_back(std::move(fault));
}

std::vector<ProcessFaults::Victim> ProcessFaults::victims_of(const fault::Order& order) const {
  if (order.kind->place == fault::Place::kPoint) return {};  // whoever passes it
  std::vector<std::string> children = order.on.from.names;
  if (order.on.from.role == fault::Members::Role::kVolume) children = {"volume"};
  if (order.kind->place == fault::Place::kVolume) children = {"volume"};
  std::vector<Victim> victims;
  for (const std::string& child : children) {
    const std::optional<pid_t> process = outside_.process(child);
    if (!process) {
      fail(Code::kNodeDown,
           child + " is not running, so " + std::string(order.kind->name) + " cannot hit it.",
           "See what runs with: failsim node list");
    }
    victims.push_back({child, *process});
  }
  return victims;
}

void ProcessFaults::perform(Fault& fault) {
  const std::string_view kind = fault.order.kind->name;
  if (damages_store(kind)) return damage_stores(fault);
  if (performs_on_packets(kind)) {
    if (const auto error = outside_.packets->begin(fault.id, fault.order)) fail(*error);
  }
  if (kind == "failpoint") {
    if (const auto error = outside_.board->arm(fault.id, fault.order)) fail(*error);
  }
  for (const Victim& victim : fault.victims) {
    // Our own child that is not reaped yet: its process id cannot have been reused.
    if (may_end_node(kind)) failing_.insert(victim.process);
    if (kind == "no-descriptors") let_open(victim.process, false);
    if (is_silent_end(fault.order)) silent_.insert(victim.process);
    if (kills(kind)) ::kill(victim.process, SIGKILL);
    if (kind == "terminate") ::kill(victim.process, SIGTERM);
    if (stops(kind)) stop(victim.process);
  }
  if (kind == "crash-loop") {
    fault.next_turn = outside_.now() + clock_duration(fault.order.value("every") / 2);
  }
}

// The files change while no process has them; what is started then has to notice.
void ProcessFaults::damage_stores(Fault& fault) {
  const std::string_view kind = fault.order.kind->name;
  std::vector<std::filesystem::path> stores;
  for (const Victim& victim : fault.victims) stores.push_back(outside_.store(victim.child));
  if (kind == "disk-swap" && stores.size() < 2) {
    fail(Code::kInvalidParameter,
         "The fault disk-swap needs two nodes: a store has no other place to go.",
         "Name them, as in: disk-swap node-1,node-2");
  }
  for (const Victim& victim : fault.victims) {
    if (is_silent_end(fault.order)) silent_.insert(victim.process);
    if (kind != "disk-tear") restarting_.insert(victim.process);
    kill_now(victim.process);
  }
  if (kind == "disk-swap") return rotate_stores(stores);
  for (const std::filesystem::path& store : stores) {
    if (kind == "disk-tear") {
      tear_log(store);
    } else {
      const auto part = fault.order.value("part") == 0 ? StorePart::kLog : StorePart::kTable;
      fault.flipped.push_back(flip_bit(store, part));
    }
  }
}

bool ProcessFaults::undo(const Fault& fault) {
  const std::string_view kind = fault.order.kind->name;
  if (damages_store(kind)) return mend_stores(fault);
  if (kind == "failpoint") outside_.board->disarm(fault.id);
  bool is_undone = outside_.packets == nullptr || !outside_.packets->end(fault.id);
  for (const Victim& victim : fault.victims) {
    const std::optional<pid_t> process = outside_.process(victim.child);
    if (stops(kind) && process == victim.process) ::kill(victim.process, SIGCONT);
    if (kind == "no-descriptors" && process == victim.process) let_open(*process, true);
    if (may_end_node(kind) && !process) outside_.start(victim.child);
    if (!starts_again(kind)) continue;
    if (process == victim.process) {
      is_undone = false;
    } else if (!process) {
      outside_.start(victim.child);
    }
  }
  return is_undone;
}

// What runs on a store that is not whole has no say any more.
bool ProcessFaults::mend_stores(const Fault& fault) {
  const bool is_torn = fault.order.kind->name == "disk-tear";
  std::vector<std::filesystem::path> stores;
  for (const Victim& victim : fault.victims) {
    restarting_.erase(victim.process);
    const std::optional<pid_t> process = outside_.process(victim.child);
    if (process && !is_torn) kill_now(*process);
    stores.push_back(outside_.store(victim.child));
  }
  std::reverse(stores.begin(), stores.end());
  if (fault.order.kind->name == "disk-swap") rotate_stores(stores);
  for (const FlippedBit& bit : fault.flipped) flip_back(bit);
  for (const Victim& victim : fault.victims) {
    const std::optional<pid_t> process = outside_.process(victim.child);
    if (!is_torn || !process || process == victim.process) outside_.start(victim.child);
  }
  return true;
}

// A crash-loop kills what runs and starts what does not.
void ProcessFaults::take_turn(Fault& fault) {
  if (!fault.next_turn || *fault.next_turn > outside_.now()) return;
  fault.next_turn = outside_.now() + clock_duration(fault.order.value("every") / 2);
  for (Victim& victim : fault.victims) {
    const std::optional<pid_t> process = outside_.process(victim.child);
    if (process && process != victim.process) {
      victim.process = *process;
      if (is_silent_end(fault.order)) silent_.insert(*process);
      ::kill(*process, SIGKILL);
    } else if (!process) {
      outside_.start(victim.child);
    }
  }
}

json::array ProcessFaults::list() const {
  json::array rows;
  for (const Fault& fault : faults_) {
    if (!fault.has_ended) rows.push_back(shown(fault));
  }
  return rows;
}

json::array ProcessFaults::heal(std::optional<std::uint64_t> id) {
  json::array healed;
  for (Fault& fault : faults_) {
    if (fault.has_ended || (id && *id != fault.id)) continue;
    healed.push_back(shown(fault));
    healed_.insert(fault.id);
    finish(fault, "healed");
  }
  remove_undone();
  return healed;
}

// A node that stopped itself at a point: from here on a freeze like any other.
void ProcessFaults::take_notes() {
  const auto is_point = [](const Fault& fault) { return fault.order.kind->name == "failpoint"; };
  if (std::none_of(faults_.begin(), faults_.end(), is_point)) return;
  for (NodeId node = 1; node <= FailpointBoard::kNodesMax; ++node) {
    const FailpointBoard::Victim victim =
        outside_.board->take_note(node, FailpointBoard::End::kStopped);
    if (victim.end == FailpointBoard::End::kNone) continue;
    const std::string child = node_name(node);
    const std::optional<pid_t> process = outside_.process(child);
    if (!process || static_cast<std::uint64_t>(*process) != victim.process) continue;
    const std::string line = "freeze " + child + " for=" +
                             fault::exact_duration(std::max(victim.duration, kMillisecond));
    inject(next_id(), line, "failpoint");
  }
}

// A node that killed itself at a point: likewise. It is dead already.
void ProcessFaults::node_killed_itself(const std::string& child, Duration lease) {
  const std::string line = "kill " + child + " evidence=silent for=" + fault::exact_duration(lease);
  const fault::Order order = fault::parse_order(line).value();
  add({next_id(), order, "failpoint", outside_.now() + clock_duration(lease), {{child, 0}}});
}

void ProcessFaults::end_due() {
  take_notes();
  for (Fault& fault : faults_) {
    if (!fault.has_ended && fault.until <= outside_.now()) finish(fault, "expired");
    if (!fault.has_ended) take_turn(fault);
  }
  remove_undone();
}

void ProcessFaults::finish(Fault& fault, const char* what) {
  fault.has_ended = true;
  note(fault, what);
}

void ProcessFaults::remove_undone() {
  std::erase_if(faults_, [this](const Fault& fault) { return fault.has_ended && undo(fault); });
}

std::optional<ProcessFaults::Clock::time_point> ProcessFaults::next_look() const {
  std::optional<Clock::time_point> at;
  for (const Fault& fault : faults_) {
    // A process that stops itself at a point does not tell its parent.
    const bool is_soon = fault.has_ended || fault.order.kind->name == "failpoint";
    Clock::time_point look = is_soon ? outside_.now() + kLook : fault.until;
    if (!fault.has_ended && fault.next_turn) look = std::min(look, *fault.next_turn);
    if (!at || look < *at) at = look;
  }
  return at;
}

bool ProcessFaults::child_ended(const std::string& child, pid_t process, int exit_status) {
  const bool was_failing = failing_.erase(process) > 0 && exit_status == kExitStorageFailed;
  const bool is_failing_still =
      std::any_of(faults_.begin(), faults_.end(), [&](const Fault& fault) {
        return may_end_node(fault.order.kind->name) && !fault.has_ended &&
               std::any_of(fault.victims.begin(), fault.victims.end(),
                           [&](const Victim& victim) { return victim.process == process; });
      });
  if (restarting_.erase(process) > 0) outside_.start(child);
  // It ended after its lease, which may be later than that of the fault.
  if (was_failing && !is_failing_still) outside_.start(child);
  if (outside_.board != nullptr && child.starts_with("node-")) {
    const auto node = static_cast<NodeId>(std::stoul(child.substr(5)));
    const FailpointBoard::Victim victim =
        outside_.board->take_note(node, FailpointBoard::End::kKilled);
    if (victim.process == static_cast<std::uint64_t>(process)) {
      node_killed_itself(child, victim.duration);
      return true;
    }
  }
  return silent_.erase(process) > 0;
}

void ProcessFaults::note(const Fault& fault, const char* what) {
  outside_.note({{"what", what},
                 {"fault", fault.id},
                 {"order", fault::to_text(fault.order)},
                 {"by", fault.by}});
}

json::object ProcessFaults::shown(const Fault& fault) const {
  const auto rest = std::max(Clock::duration::zero(), fault.until - outside_.now());
  const std::string_view undo = fault.order.kind->undo;
  json::object row = {
      {"id", fault.id},
      {"node", "launcher"},
      {"order", fault::to_text(fault.order)},
      {"kind", json::string(fault.order.kind->name.data(), fault.order.kind->name.size())},
      {"by", fault.by},
      {"undo", json::string(undo.data(), undo.size())},
      {"remaining_ms", std::chrono::duration_cast<std::chrono::milliseconds>(rest).count()}};
  if (fault.order.kind->name == "failpoint") {
    const FailpointBoard::Counts counts = outside_.board->counts(fault.id);
    row["hits"] = counts.hits;
    row["performed"] = counts.performed;
  }
  return row;
}

}  // namespace failsim::cli
