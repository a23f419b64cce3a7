#include "tools/scenario/view.h"

#include <algorithm>
#include <limits>

#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"
#include "cluster/property/property_table.h"
#include "cluster/state/node_state.h"
#include "cluster/units.h"
#include "cluster/vm/task_result.h"
#include "cluster/vm/vm_state.h"
#include "tools/scenario/requests.h"
#include "tools/sim/transfer.h"

namespace failsim::scenario {
namespace {

std::string flag(bool value) {
  return value ? "true" : "false";
}

std::string node_or_none(NodeId node) {
  return node == kNoNode ? "none" : node_name(node);
}

std::string without_spaces(std::string_view text) {
  std::string word(text);
  std::erase(word, ' ');
  return word;
}

std::string result_text(const pb::Task& task) {
  const auto result = task_result_of(task.result());
  return task.complete() && result ? std::string(name(*result)) : "none";
}

std::string job_state_text(std::uint32_t number) {
  const auto state = job_state_of(number);
  return state ? std::string(name(*state)) : "none";
}

std::string digest_text(const pb::MigrationStatistics& statistics) {
  switch (statistics.digest()) {
    case pb::MigrationStatistics::DIGEST_MATCH:
      return "Match";
    case pb::MigrationStatistics::DIGEST_MISMATCH:
      return "Mismatch";
    default:
      return "Unknown";
  }
}

std::string role_text(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "Follower";
    case raft::Role::kPreCandidate:
      return "PreCandidate";
    case raft::Role::kCandidate:
      return "Candidate";
    case raft::Role::kLeader:
      return "Leader";
  }
  return "";
}

}  // namespace

// ---- The whole ----------------------------------------------------------------------------------

const ClusterState* View::state() const {
  const Member* member = world_.furthest();
  if (member == nullptr) return nullptr;
  return member->log().commit_index() < furthest_index_ ? &furthest_state_ : &member->state();
}

// A copy of a state shares its rows.
void View::look_around() {
  const Member* member = world_.furthest();
  if (member == nullptr || member->log().commit_index() <= furthest_index_) return;
  furthest_index_ = member->log().commit_index();
  furthest_state_ = member->state();
}

NodeId View::leader() const {
  return world_.leader(sim::World::Leads::kReady);
}

TaskId View::newest_job(const std::string& vm) const {
  const ClusterState* agreed = state();
  const pb::Task* task = agreed == nullptr ? nullptr : agreed->last_migration(vm);
  return task == nullptr ? 0 : task->id();
}

void View::answered(const pb::Reply& reply) {
  answer_ = reply;
  if (reply.code() == 0 && reply.task() != 0) last_task_ = reply.task();
}

std::optional<std::string> View::look(const std::string& subject, const std::string& object,
                                      const std::string& field) const {
  if (subject == "answer") return look_at_answer(field);
  if (subject == "node") return look_at_node(object, field);
  if (subject == "cluster") return look_at_cluster(field);
  if (state() == nullptr) return std::nullopt;
  if (subject == "vm") return look_at_vm(object, field);
  if (subject == "migration") return look_at_migration(object, field);
  if (subject == "task") return look_at_task(object, field);
  if (subject == "property") return look_at_property(object);
  return std::nullopt;
}

// ---- Subjects -----------------------------------------------------------------------------------

NodeId View::executes_on(const std::string& vm) const {
  for (const NodeId node : world_.nodes()) {
    const sim::Process* process = world_.process(node);
    if (process != nullptr && !process->is_stopped() && process->host().is_executing(vm)) {
      return node;
    }
  }
  return kNoNode;
}

View::Text View::look_at_vm(const std::string& vm, const std::string& field) const {
  const pb::Vm* row = state()->vm(vm);
  if (field == "exists") return flag(row != nullptr);
  if (row == nullptr) return std::nullopt;
  if (field == "state") return std::string(name(*vm_state_of(row->state())));
  if (field == "owner") return node_or_none(row->owner());
  if (field == "boot") return std::to_string(row->boot_id());
  const NodeId where = executes_on(vm);
  if (field == "executing") return flag(where != kNoNode);
  if (field == "executes_on") return node_or_none(where);
  if (field != "counter") return std::nullopt;
  return std::to_string(where == kNoNode ? 0 : world_.process(where)->host().counter(vm));
}

// The rows know of the rounds only at the ends of phases; the sender knows them now.
std::uint32_t View::round_of(const pb::MigrationJob& job, TaskId id) const {
  sim::Process* source = world_.process(job.source());
  const sim::Sender* sender =
      source == nullptr ? nullptr : source->host().sender(job.vm(), id, job.attempt());
  return std::max(job.statistics().rounds(), sender == nullptr ? 0 : sender->rounds());
}

View::Text View::look_at_migration(const std::string& vm, const std::string& field) const {
  if (state()->vm(vm) == nullptr) return std::nullopt;
  if (field == "state") return without_spaces(name(state()->migration_state(vm)));
  if (field == "reason") {
    const Value reason = state()->property(ObjectKind::kVm, vm, "MigrationFailureReason");
    const auto known = migration_failure_of(static_cast<std::uint32_t>(reason.number()));
    return known ? std::optional<std::string>(name(*known)) : std::nullopt;
  }
  const pb::Task* task = state()->last_migration(vm);
  if (task == nullptr) return std::nullopt;
  const pb::MigrationJob& job = task->job();
  if (field == "result") return result_text(*task);
  if (field == "job_state") return job_state_text(job.job_state());
  if (field == "source") return node_or_none(job.source());
  if (field == "target") return node_or_none(job.target());
  if (field == "round") return std::to_string(round_of(job, task->id()));
  if (field == "not_converging") return flag(!job.statistics().not_converging().empty());
  if (field == "forced") return flag(job.statistics().forced_switch());
  if (field == "throttle") return std::to_string(job.statistics().throttle_percent());
  if (field == "restarted") return flag(job.restarted_elsewhere());
  if (field == "digest") return digest_text(job.statistics());
  return std::nullopt;
}

bool View::has_caught_up(NodeId node) const {
  const NodeId leading = leader();
  if (leading == kNoNode || !world_.is_running(node)) return false;
  return world_.member(node).log().commit_index() == world_.member(leading).log().commit_index();
}

View::Text View::look_at_node(const std::string& name, const std::string& field) const {
  const NodeId node = node_named(name);
  const bool runs = world_.is_running(node);
  if (field == "running") return flag(runs && !world_.is_stopped(node));
  if (field == "leads") return flag(node != kNoNode && leader() == node);
  if (field == "role") {
    return runs ? std::optional(role_text(world_.member(node).log().role())) : std::nullopt;
  }
  if (field == "caught_up") return flag(has_caught_up(node));
  if (field == "quorum") {
    return flag(runs && !world_.is_stopped(node) && world_.member(node).has_quorum(world_.now()));
  }
  const pb::Node* row = state() == nullptr ? nullptr : state()->node(node);
  if (row == nullptr) return std::nullopt;
  if (field == "state") return std::string(failsim::name(row->state()));
  if (field == "memory") return std::to_string(state()->memory_in_use(node));
  return std::nullopt;
}

View::Text View::look_at_cluster(const std::string& field) const {
  if (field == "leader") return node_or_none(leader());
  if (field == "compacted_at_once") {
    const auto& counts = world_.checker().coverage().counts();
    const auto found = counts.find(history::kCompactedAtOnce);
    return std::to_string(found == counts.end() ? 0 : found->second);
  }
  if (field != "quorum") return std::nullopt;
  return flag(std::any_of(world_.nodes().begin(), world_.nodes().end(), [this](NodeId node) {
    return world_.is_running(node) && !world_.is_stopped(node) &&
           world_.member(node).has_quorum(world_.now());
  }));
}

View::Text View::look_at_task(const std::string& text, const std::string& field) const {
  TaskId id = last_task_;
  if (text != "last") {
    const auto number = parse_count(text, 1, std::numeric_limits<std::uint64_t>::max());
    if (!number) return std::nullopt;
    id = number.value();
  }
  const pb::Task* task = state()->task(id);
  if (task == nullptr) return std::nullopt;
  if (field == "complete") return flag(task->complete());
  if (field == "result") return result_text(*task);
  return std::nullopt;
}

View::Text View::look_at_answer(const std::string& field) const {
  if (field == "code") return code_name(static_cast<Code>(answer_.code()));
  if (field == "return_value") return std::to_string(answer_.return_value());
  if (field == "job_state") return job_state_text(answer_.job_state());
  return std::nullopt;
}

// "web/StartMemory", "vm/web/StartMemory", "cluster/SameSubnetDelay".
View::Text View::look_at_property(const std::string& path) const {
  const std::size_t last = path.rfind('/');
  if (last == std::string::npos) return std::nullopt;
  const std::string property = path.substr(last + 1);
  std::string object = path.substr(0, last);
  ObjectKind kind = ObjectKind::kVm;
  if (object == "cluster") {
    kind = ObjectKind::kCluster;
    object.clear();
  }
  for (const ObjectKind other : {ObjectKind::kVm, ObjectKind::kGroup, ObjectKind::kNode}) {
    const std::string prefix = std::string(name(other)) + "/";
    if (!object.starts_with(prefix)) continue;
    kind = other;
    object = object.substr(prefix.size());
    break;
  }
  const PropertySpec* spec = find(kind, property);
  const bool exists = kind == ObjectKind::kCluster || kind == ObjectKind::kNode
                          ? object.empty() || state()->node_named(object) != nullptr
                          : state()->vm(object) != nullptr;
  if (spec == nullptr || !exists) return std::nullopt;
  return to_text(state()->property(kind, object, spec->name));
}

}  // namespace failsim::scenario
