#include "tools/failsim/retelling.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace failsim::cli {
namespace {

constexpr Time kNothing = std::numeric_limits<Time>::max();

}  // namespace

Retelling::Retelling(const RecordedCluster& cluster, std::vector<SeenFact> seen,
                     history::Sink* sink)
    : cluster_(cluster),
      seen_(std::move(seen)),
      checker_([this] { return now_; }, sink),
      guests_(checker_),
      faults_(checker_, [&cluster] {
        std::vector<NodeId> nodes;
        for (NodeId node = 1; node <= cluster.description.nodes; ++node) {
          nodes.push_back(node);
        }
        return nodes;
      }()) {
  for (const Recording& recording : cluster_.recordings) to_start_.push_back(&recording);
  std::stable_sort(to_start_.begin(), to_start_.end(),
                   [](const Recording* one, const Recording* other) {
                     return one->started_at() < other->started_at();
                   });
  for (const Recording* recording : to_start_) {
    const handover::Process process{recording->config().self, recording->config().incarnation};
    processes_.emplace_back(*recording, cluster_.began_at, !cluster_.crash_of(process).empty());
  }
  for (const Observed& observed : cluster_.observed) {
    if (observed.what.has_fault_began()) {
      faults_.expect(observed.by, observed.what.fault_began());
    }
    if (observed.what.has_guest_stops()) {
      last_quanta_.push_back({observed.what.guest_stops().last_quantum_ns(), &observed});
    }
  }
  std::stable_sort(
      last_quanta_.begin(), last_quanta_.end(),
      [](const LastQuantum& one, const LastQuantum& other) { return one.at < other.at; });
  form();
}

void Retelling::form() {
  history::ClusterFormed formed;
  for (NodeId node = 1; node <= cluster_.description.nodes; ++node) {
    formed.nodes.push_back(node);
    formed.memory.push_back(cluster_.description.node_memory_bytes);
  }
  checker_.tell(formed);
}

void Retelling::tell_until(Time until) {
  while (!is_over_ && tell_next(std::min(until, cluster_.known_until))) {
  }
  for (; next_seen_ < seen_.size() && seen_[next_seen_].at <= until; ++next_seen_) {
    now_ = std::max(now_, on_run_clock(seen_[next_seen_].at));
    checker_.tell(seen_[next_seen_].fact);
  }
}

// The earliest of what is left, whoever tells it.
bool Retelling::tell_next(Time until) {
  Time earliest = kNothing;
  std::function<void()> tell_it;
  const auto offer = [&](Time at, auto action) {
    if (at >= earliest) return;
    earliest = at;
    tell_it = action;
  };
  if (next_observed_ < cluster_.observed.size()) {
    offer(cluster_.observed[next_observed_].at,
          [this] { tell(cluster_.observed[next_observed_++]); });
  }
  if (next_quantum_ < last_quanta_.size()) {
    offer(last_quanta_[next_quantum_].at, [this] {
      const Observed& stopped = *last_quanta_[next_quantum_++].stopped;
      guests_.ran_last(stopped.by, stopped.what.guest_stops().vm(), now_);
    });
  }
  if (next_start_ < processes_.size()) {
    offer(to_start_[next_start_]->started_at(), [this] { start(processes_[next_start_++]); });
  }
  for (RecordedProcess& process : processes_) {
    if (!process.is_running() || !process.next_at()) continue;
    offer(*process.next_at(), [this, &process] { step(process); });
  }
  if (next_seen_ < seen_.size()) {
    offer(seen_[next_seen_].at, [this] { checker_.tell(seen_[next_seen_++].fact); });
  }
  if (earliest == kNothing || earliest > until) return false;
  now_ = std::max(now_, on_run_clock(earliest));
  tell_it();
  return true;
}

void Retelling::tell(const Observed& observed) {
  const pb::Observation& what = observed.what;
  if (what.has_volume_wrote()) {
    guests_.volume_wrote(what.volume_wrote());
  } else if (what.has_process_ended()) {
    process_ended(what.process_ended());
  } else if (what.has_fault_began()) {
    faults_.began(observed.by, what.fault_began());
    if (what.fault_began().order().starts_with("link-corrupt ")) mail_.damage_begins();
  } else if (what.has_fault_ended()) {
    faults_.ended(observed.by, what.fault_ended().id());
  } else {
    guests_.happened(observed.by, what);
  }
}

// ---- processes ----------------------------------------------------------------------------------

RecordedProcess* Retelling::running(NodeId node) {
  for (RecordedProcess& process : processes_) {
    if (process.is_running() && process.process().node == node) return &process;
  }
  return nullptr;
}

void Retelling::start(RecordedProcess& process) {
  // Nobody has seen it end, and a node has one process at a time: the lock of its store says so.
  if (RecordedProcess* former = running(process.process().node)) end(*former);
  process.start(checker_, mail_);
  faults_.process_started(process.process().node);
}

void Retelling::step(RecordedProcess& process) {
  const std::optional<std::string> diverged = process.step(checker_, guests_, mail_);
  if (!diverged) return;
  checker_.expect("replay", false, *diverged);
  is_over_ = true;
}

void Retelling::end(RecordedProcess& process) {
  process.end(checker_, guests_);
  faults_.process_ended(process.process());
}

void Retelling::process_ended(const pb::Observation::ProcessEnded& ended) {
  RecordedProcess* process = running(ended.node());
  if (process == nullptr) return;
  if (static_cast<std::uint32_t>(process->process().incarnation) != ended.instance()) return;
  const std::string crash = cluster_.crash_of(process->process());
  const handover::Process crashed = process->process();
  end(*process);
  if (crash.empty()) return;
  checker_.expect("crash", false,
                  "the process of " + node_name(crashed.node) + " ended by itself: " + crash);
}

// ---- at rest ------------------------------------------------------------------------------------

void Retelling::tell_rest() {
  if (is_over_) return;
  const Member* newest = nullptr;
  for (const RecordedProcess& process : processes_) {
    if (!process.is_running() || process.member().is_failed()) continue;
    const Member& member = process.member();
    checker_.compare_state(member);
    const bool is_newer =
        newest == nullptr || member.log().commit_index() > newest->log().commit_index();
    if (is_newer) newest = &member;
  }
  if (newest == nullptr) return;
  for (const RecordedProcess& process : processes_) {
    if (!process.is_running()) continue;
    checker_.check_leaks(guests_.holdings(process.process()), newest->state());
  }
  checker_.check_handover_traces(newest->state());
}

}  // namespace failsim::cli
