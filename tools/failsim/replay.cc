#include "tools/failsim/replay.h"

#include <algorithm>
#include <ostream>

#include "cluster/effects_hash.h"
#include "cluster/member.h"
#include "cluster/state/field_hash.h"
#include "cluster/vm/vm_state.h"
#include "tools/failsim/replay_text.h"
#include "tools/report/wording.h"

namespace failsim::cli {
namespace {

std::string role_name(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "follower";
    case raft::Role::kPreCandidate:
      return "pre-candidate";
    case raft::Role::kCandidate:
      return "candidate";
    case raft::Role::kLeader:
      return "leader";
  }
  return "?";
}

std::string vm_state_name(std::uint32_t number) {
  const std::optional<VmState> state = vm_state_of(number);
  return state ? std::string(name(*state)) : std::to_string(number);
}

json::object state_of(const Member& member) {
  json::array vms;
  for (const auto& [name, vm] : member.state().vms()) {
    vms.push_back(json::object{{"name", name},
                               {"state", vm_state_name(vm->state())},
                               {"owner_node", node_name(vm->owner())},
                               {"job", vm->job()}});
  }
  const NodeId leader = member.leader();
  return {{"role", role_name(member.log().role())},
          {"term", member.log().term()},
          {"leader", leader == kNoNode ? json::value(nullptr) : json::value(node_name(leader))},
          {"last_index", member.log().last_index()},
          {"commit_index", member.log().commit_index()},
          {"disk_failed", member.is_failed()},
          {"state_hash", history::hexadecimal(member.state().hash())},
          {"vms", std::move(vms)}};
}

json::array lines_of(const Effects& effects) {
  json::array lines;
  for (const std::string& line : effects_lines(effects)) lines.push_back(json::string(line));
  return lines;
}

}  // namespace

json::object replay(const Recording& recording, const ReplayOptions& options,
                    std::atomic<std::uint64_t>& under_way) {
  under_way = 0;
  Member member(recording.config(), recording.recovered(), recording.started_at());
  const std::uint64_t last = std::min<std::uint64_t>(recording.steps(), options.until);
  Index applied = recording.recovered().applied;
  std::uint64_t hash = kHashSeed;
  Time now = recording.started_at();
  json::value divergence;
  std::uint64_t taken = 0;
  Effects effects;
  while (taken < last && divergence.is_null()) {
    const Recording::Step step = recording.step(taken + 1);
    now = step.now;
    if (options.lines != nullptr) {
      *options.lines << "#" << taken + 1 << " +" << seconds_text(now - recording.started_at())
                     << "  " << event_text(step.event) << std::flush;
    }
    under_way = taken + 1;
    effects.clear();
    member.step(now, step.event, effects);
    ++taken;
    hash = hash_effects(effects, hash);
    applied = effects.durable.applied.value_or(applied);
    if (options.lines != nullptr) *options.lines << "  => " << effects_summary(effects) << "\n";
    if (!step.effects_hash || *step.effects_hash == hash) continue;
    divergence = json::object{{"step", taken},
                              {"now_ns", now},
                              {"event", event_text(step.event)},
                              {"recorded_hash", history::hexadecimal(*step.effects_hash)},
                              {"replayed_hash", history::hexadecimal(hash)},
                              {"replayed_effects", lines_of(effects)}};
  }
  if (options.lines != nullptr) *options.lines << std::flush;
  json::object end = state_of(member);
  end["applied_index"] = applied;
  return {{"verdict", divergence.is_null() ? "same" : "diverged"},
          {"steps", taken},
          {"span_ns", now - recording.started_at()},
          {"effects_hash", history::hexadecimal(hash)},
          {"divergence", std::move(divergence)},
          {"crash", nullptr},
          {"end", std::move(end)}};
}

}  // namespace failsim::cli
