#include "tools/sim/recovery.h"

#include <algorithm>
#include <optional>

#include "cluster/state/job_row.h"
#include "cluster/vm/vm_state.h"

namespace failsim::sim {
namespace {

constexpr Duration kWatch = 500 * kMillisecond;
// Longer than it takes to give a node up, or a leader: what is about to break again breaks by then.
constexpr Duration kSettled = 4 * kSecond;

// Until somebody says Start.
bool stands_still_as_asked(const pb::Task& task) {
  return task.has_job() && stands_still(standing_of(task.job()).state);
}

}  // namespace

// Loss is a fault, too: where a stream may always be late twice in a row, a leader may always lose
// its followers.
void Recovery::begin() {
  world_.network().lose_nothing();
  world_.checker().tell(history::FaultsEnded());
  watch();
}

void Recovery::watch() {
  for (const NodeId node : world_.nodes()) {
    if (!is_left_broken(node)) world_.start(node);
  }
  if (!problems().empty()) {
    whole_since_ = kNever;
  } else if (whole_since_ == kNever) {
    whole_since_ = world_.now();
  }
  world_.queue().after(kWatch, [this] { watch(); });
}

bool Recovery::is_over() const {
  const bool was_whole = whole_since_ != kNever && world_.now() - whole_since_ >= kSettled;
  return was_whole && problems().empty();
}

const Member* Recovery::leader() const {
  const Member* leader = nullptr;
  for (const NodeId node : world_.nodes()) {
    if (is_left_broken(node)) continue;
    if (!world_.is_running(node)) return nullptr;
    const Member& member = world_.member(node);
    if (!member.log().leads()) continue;
    if (leader != nullptr) return nullptr;
    leader = &member;
  }
  return leader == nullptr ? damaged_leader() : leader;
}

// A damaged node may lead, if it is whole enough for the others to follow it.
const Member* Recovery::damaged_leader() const {
  for (const NodeId node : left_broken_) {
    if (!world_.is_running(node) || !world_.member(node).log().leads()) continue;
    const bool is_followed =
        std::all_of(world_.nodes().begin(), world_.nodes().end(), [&](NodeId other) {
          return is_left_broken(other) || world_.member(other).leader() == node;
        });
    if (is_followed) return &world_.member(node);
  }
  return nullptr;
}

Recovery::Problems Recovery::problems() const {
  const Member* leading = leader();
  if (leading == nullptr) {
    return {{"L1", "there is not exactly one leader although all is healed"}};
  }
  Problems found;
  look_at_members(*leading, found);
  look_at_work(leading->state(), found);
  look_at_guests(leading->state(), found);
  return found;
}

void Recovery::check() {
  const Problems found = problems();
  std::set<std::string> broken;
  for (const Problem& problem : found) {
    broken.insert(problem.rule);
    world_.checker().expect(problem.rule, false, problem.text);
  }
  const Member* leading = leader();
  if (leading == nullptr) return;
  check_deeply(*leading);
  for (const char* rule : {"L1", "L2", "L3", "L8"}) {
    if (!broken.contains(rule)) world_.checker().expect(rule, true);
  }
}

void Recovery::check_deeply(const Member& leader) {
  for (const NodeId node : world_.nodes()) {
    if (is_left_broken(node)) continue;
    const Member& member = world_.member(node);
    const bool is_caught_up = member.log().commit_index() == leader.log().commit_index();
    if (is_caught_up) world_.checker().compare_state(member);
    world_.checker().check_leaks(world_.process(node)->host().holdings(), leader.state());
  }
  world_.checker().check_handover_traces(leader.state());
}

void Recovery::look_at_members(const Member& leader, Problems& found) const {
  for (const NodeId node : world_.nodes()) {
    if (is_left_broken(node)) continue;
    const Member& member = world_.member(node);
    if (member.leader() != leader.self()) {
      found.push_back(
          {"L1", node_name(node) + " does not follow the leader " + node_name(leader.self())});
    }
    if (member.log().commit_index() != leader.log().commit_index()) {
      found.push_back({"L8", node_name(node) + " has not caught up: " +
                                 std::to_string(member.log().commit_index()) + " of " +
                                 std::to_string(leader.log().commit_index())});
    }
    const pb::Node* row = leader.state().node(node);
    if (row == nullptr || row->state() != pb::NODE_UP ||
        row->incarnation() != member.incarnation()) {
      found.push_back({"L1", node_name(node) + " is not taken for Up although all is healed"});
    }
  }
}

void Recovery::look_at_work(const ClusterState& state, Problems& found) const {
  const bool some_stand_still =
      std::any_of(state.tasks().begin(), state.tasks().end(),
                  [](const auto& entry) { return stands_still_as_asked(*entry.second); });
  for (const auto& [id, task] : state.tasks()) {
    if (task->complete() || stands_still_as_asked(*task)) continue;
    // It waits for a slot of one that stands still.
    const bool waits = task->has_job() && waits_for_its_turn(task->job());
    if (waits && some_stand_still) continue;
    found.push_back({"L3", "task " + std::to_string(id) + " (" + task->kind() + " of " +
                               task->object() + ") has not ended"});
  }
  for (const auto& [name, vm] : state.vms()) {
    if (vm->has_operation()) {
      found.push_back({"L2", "an operation of VM " + name + " has not ended"});
    }
    const std::optional<VmState> at = vm_state_of(vm->state());
    if (!at || !is_settled(*at)) {
      found.push_back({"L2", "VM " + name + " rests in state " + std::to_string(vm->state())});
    }
  }
}

// Every VM that should run does, where the state says; no other VM does anywhere.
void Recovery::look_at_guests(const ClusterState& state, Problems& found) const {
  for (const auto& [name, vm] : state.vms()) {
    const bool should_run = vm->want() == pb::GUEST_RUNNING;
    const Process* owner = world_.process(vm->owner());
    const bool runs = owner != nullptr && owner->host().is_executing(name);
    const std::string where = " on " + node_name(vm->owner());
    if (should_run && !runs) found.push_back({"L2", "VM " + name + " does not run" + where});
    if (!should_run && runs) {
      found.push_back({"L2", "VM " + name + " runs" + where + " and should not"});
    }
  }
}

}  // namespace failsim::sim
