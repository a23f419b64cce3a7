#include "tools/sim/recovery.h"

#include <algorithm>
#include <optional>

#include "cluster/vm/vm_state.h"

namespace failsim::sim {
namespace {

constexpr Duration kWatch = 500 * kMillisecond;

}  // namespace

void Recovery::begin() {
  watch();
}

void Recovery::watch() {
  for (const NodeId node : world_.nodes()) {
    if (!is_left_broken(node)) world_.start(node);
  }
  world_.queue().after(kWatch, [this] { watch(); });
}

void Recovery::add(const std::string& label, const std::string& text) {
  broken_.insert(label);
  world_.checker().expect(label, false, text);
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

void Recovery::check() {
  const Member* leading = leader();
  if (leading == nullptr) {
    return add("L1", "there is not exactly one leader although all is healed");
  }
  check_members(*leading);
  check_work(leading->state());
  check_guests(leading->state());
  world_.checker().check_handover_traces(leading->state());
  for (const NodeId node : world_.nodes()) {
    if (is_left_broken(node)) continue;
    world_.checker().check_leaks(world_.process(node)->host().holdings(), leading->state());
  }
  for (const char* label : {"L1", "L2", "L3", "L8"}) {
    if (!broken_.contains(label)) world_.checker().expect(label, true);
  }
}

void Recovery::check_members(const Member& leader) {
  for (const NodeId node : world_.nodes()) {
    if (is_left_broken(node)) continue;
    const Member& member = world_.member(node);
    if (member.leader() != leader.self()) {
      add("L1", node_name(node) + " does not follow the leader " + node_name(leader.self()));
    }
    if (member.log().commit_index() != leader.log().commit_index()) {
      add("L8", node_name(node) +
                    " has not caught up: " + std::to_string(member.log().commit_index()) + " of " +
                    std::to_string(leader.log().commit_index()));
    } else {
      world_.checker().compare_state(member);
    }
    const pb::Node* row = leader.state().node(node);
    if (row == nullptr || row->state() != pb::NODE_UP ||
        row->incarnation() != member.incarnation()) {
      add("L1", node_name(node) + " is not taken for Up although all is healed");
    }
  }
}

void Recovery::check_work(const ClusterState& state) {
  for (const auto& [id, task] : state.tasks()) {
    if (task->complete()) continue;
    add("L3", "task " + std::to_string(id) + " (" + task->kind() + " of " + task->object() +
                  ") has not ended");
  }
  for (const auto& [name, vm] : state.vms()) {
    if (vm->has_operation()) add("L2", "an operation of VM " + name + " has not ended");
    const std::optional<VmState> at = vm_state_of(vm->state());
    if (!at || !is_settled(*at)) {
      add("L2", "VM " + name + " rests in state " + std::to_string(vm->state()));
    }
  }
}

// Every VM that should run does, where the state says; no other VM does anywhere.
void Recovery::check_guests(const ClusterState& state) {
  for (const auto& [name, vm] : state.vms()) {
    const bool should_run = vm->want() == pb::GUEST_RUNNING;
    const Process* owner = world_.process(vm->owner());
    const bool runs = owner != nullptr && owner->host().is_executing(name);
    if (should_run && !runs) {
      add("L2", "VM " + name + " does not run on " + node_name(vm->owner()));
    }
    if (!should_run && runs) {
      add("L2", "VM " + name + " runs on " + node_name(vm->owner()) + " and should not");
    }
  }
}

}  // namespace failsim::sim
