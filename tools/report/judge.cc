#include "tools/report/judge.h"

#include <algorithm>
#include <array>

#include "cluster/membership/lease.h"

namespace failsim::history {
namespace {

constexpr std::array kRules = {
    Rule{"raft", "One leader a term; logs that match; what is committed stays"},
    Rule{"S1", "At most one node executes a VM"},
    Rule{"S2", "Without a quorum no guest executes for longer than a lease"},
    Rule{"S3", "Epochs of a VM only rise, and each has one owner"},
    Rule{"S4", "MigrationState moves along its documented edges"},
    Rule{"S5", "A failure and a cancellation stay until reset or the next start"},
    Rule{"S6", "One migration a VM, and it is there exactly while MigrationState says so"},
    Rule{"S7", "What was acknowledged to a client is kept"},
    Rule{"S8", "A store that is opened again holds what was synced"},
    Rule{"S9", "Replicas at the same entry have the same state"},
    Rule{"S10", "The memory at the resume is the memory at the pause"},
    Rule{"S11", "The counter of a guest has no gap, no fork and no repetition"},
    Rule{"S12", "One process writes an epoch, and epochs at the volume only rise"},
    Rule{"S13", "A canceled or failed migration leaves the VM with its source"},
    Rule{"S14", "Nothing is left of a migration that has ended"},
    Rule{"S15", "What a node holds fits its memory"},
    Rule{"S16", "The state of a VM at rest is what its guest is wanted to be"},
    Rule{"S17", "A VM is given only to a node that is Up"},
    Rule{"S19", "A node is called silent only when a quorum has not heard it in time"},
    Rule{"S20", "Jobs end once, progress never falls, a request has one outcome"},
    Rule{"S21", "A frame that was damaged on the way is thrown away"},
    Rule{"S22", "Events of record have no gap, are the same everywhere and tell what the rows say"},
    Rule{"S23", "No process ends by itself, unless its disk fails"},
    Rule{"slots", "A node takes part in no more migrations than MaximumParallelMigrations allows"},
    Rule{"handover", "An ownership changes only by steps that are declared and allowed"},
    Rule{"L1", "After the faults: one leader, every node Up"},
    Rule{"L2", "After the faults: every VM that should run does"},
    Rule{"L3", "After the faults: every task has ended"},
    Rule{"L4", "After the faults: every client was answered"},
    Rule{"L5", "The VMs of a node that died execute elsewhere in time"},
    Rule{"L7", "After the faults: a leader is kept, whatever is left broken"},
    Rule{"L8", "After the faults: every node has caught up"},
    Rule{"L9", "Pre-copy that does not converge is bounded, and told"},
};

}  // namespace

std::span<const Rule> rules() {
  return kRules;
}

void Judge::take(Time now, const Fact& fact) {
  // Messages are told only when somebody records, and not all of them: no verdict may hang on them.
  if (std::holds_alternative<Sent>(fact) || std::holds_alternative<Received>(fact)) return;
  standing_.now = now;
  standing_.findings.set_now(now);
  standing_.broken_assumptions.set_now(now);
  std::get<FailoverRules>(families_).time_passes();
  std::visit(
      [this](const auto& one) {
        note(one);
        const auto ask = [&one](auto& family) {
          if constexpr (requires { family.take(one); }) family.take(one);
        };
        std::apply([&](auto&... family) { (ask(family), ...); }, families_);
      },
      fact);
}

void Judge::note(const EventApplied& fact) {
  standing_.is_first_seen = fact.event->number() > last_event_;
  if (standing_.is_first_seen) last_event_ = fact.event->number();
}

void Judge::note(const ClockRate& fact) {
  clock_ppm_[fact.node] = fact.ppm;
  const auto less = [](const auto& one, const auto& other) { return one.second < other.second; };
  const auto slowest = std::min_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const auto fastest = std::max_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const std::int64_t apart =
      std::max<std::int64_t>(fastest, 0) - std::min<std::int64_t>(slowest, 0);
  if (apart > kClockRatePerMille * 1000) standing_.clocks_are_bounded = false;
}

// The run itself has looked.
void Judge::note(const Expectation& fact) {
  for (const Rule& rule : kRules) {
    if (rule.label == fact.rule) standing_.findings.evaluated(rule.label.data());
  }
  if (!fact.held) standing_.findings.add(fact.rule, fact.text);
}

}  // namespace failsim::history
