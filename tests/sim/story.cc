#include "tests/sim/story.h"

#include <algorithm>
#include <optional>

namespace failsim::sim {

void Story::begin(WorldConfig config) {
  world_ = std::make_unique<World>(config);
  world_->start_all();
  wait("all nodes are Up", [this] {
    if (leader() == kNoNode) return false;
    return std::all_of(state().nodes().begin(), state().nodes().end(),
                       [](const auto& node) { return node.second->state() == pb::NODE_UP; });
  });
}

void Story::TearDown() {
  if (world_ == nullptr) return;
  world_->checker().check_handover_traces(state());
  for (const invariants::Violation& violation : world_->checker().violations()) {
    const bool is_expected =
        std::find(expected_.begin(), expected_.end(), violation.label) != expected_.end();
    EXPECT_TRUE(is_expected) << violation.label << " at " << violation.at / kMillisecond
                             << " ms: " << violation.text;
  }
  for (const std::string& label : expected_) {
    const auto& found = world_->checker().violations();
    EXPECT_TRUE(std::any_of(found.begin(), found.end(),
                            [&](const auto& violation) { return violation.label == label; }))
        << label << " was to be found";
  }
}

void Story::wait(const std::string& what, const std::function<bool()>& condition,
                 Duration at_most) {
  ASSERT_TRUE(world_->run_until(condition, at_most)) << "never: " << what;
}

NodeId Story::leader() const {
  NodeId leading = kNoNode;
  Term term = 0;
  for (const NodeId node : world_->nodes()) {
    if (!world_->is_running(node) || world_->is_stopped(node)) continue;
    const raft::Raft& log = world_->member(node).log();
    if (!log.leads() || !log.leader_ready() || log.term() < term) continue;
    leading = node;
    term = log.term();
  }
  return leading;
}

NodeId Story::node_beside(std::vector<NodeId> others) const {
  for (const NodeId node : world_->nodes()) {
    if (std::find(others.begin(), others.end(), node) == others.end()) return node;
  }
  return kNoNode;
}

const ClusterState& Story::state() const {
  const Member* furthest = nullptr;
  for (const NodeId node : world_->nodes()) {
    if (!world_->is_running(node)) continue;
    const Member& member = world_->member(node);
    if (furthest == nullptr || member.log().commit_index() > furthest->log().commit_index()) {
      furthest = &member;
    }
  }
  return furthest->state();
}

// ---- Clients ------------------------------------------------------------------------------------

pb::Reply Story::ask(pb::Request request) {
  request.set_client("story");
  request.set_sequence(next_request_++);
  std::optional<pb::Reply> answer;
  wait("there is a leader", [this] { return leader() != kNoNode; });
  world_->ask(leader(), request, [&answer](const pb::Reply& reply) { answer = reply; });
  wait("an answer to " + request.ShortDebugString(), [&answer] { return answer.has_value(); });
  return answer.value_or(pb::Reply());
}

pb::Reply Story::method(const std::string& vm, VmMethod method) {
  pb::Request request;
  request.mutable_vm_method()->set_vm(vm);
  request.mutable_vm_method()->set_method(static_cast<std::uint32_t>(method));
  return ask(request);
}

pb::Reply Story::migrate(const std::string& vm, NodeId target, pb::MigrationParameters parameters) {
  pb::Request request;
  request.mutable_migrate()->set_vm(vm);
  request.mutable_migrate()->set_target(target);
  request.mutable_migrate()->set_target_name(node_name(target));
  *request.mutable_migrate()->mutable_parameters() = std::move(parameters);
  return ask(request);
}

pb::Reply Story::cancel(const std::string& vm) {
  pb::Request request;
  request.mutable_cancel_migration()->set_vm(vm);
  return ask(request);
}

pb::Reply Story::set_dword(const std::string& kind, const std::string& object,
                           const std::string& name, std::uint32_t value) {
  pb::Request request;
  pb::Request::SetProperty& set = *request.mutable_set_property();
  set.set_kind(kind);
  set.set_object(object);
  set.set_name(name);
  set.set_value(encode_value(Value::dword(value)).take());
  return ask(request);
}

void Story::wait_for_task(TaskId task) {
  wait("task " + std::to_string(task) + " ends", [this, task] {
    const pb::Task* row = state().task(task);
    return row != nullptr && row->complete();
  });
}

pb::VmConfig Story::small_vm() {
  pb::VmConfig config;
  config.set_memory_bytes(4 * kMebibyte);
  config.set_working_set_bytes(kMebibyte / 2);
  config.set_dirty_bytes_per_second(kMebibyte / 2);
  return config;
}

void Story::run_vm(const std::string& name, NodeId owner, const pb::VmConfig& config) {
  pb::Request request;
  request.mutable_create_vm()->set_name(name);
  request.mutable_create_vm()->set_owner(owner);
  request.mutable_create_vm()->set_start(true);
  *request.mutable_create_vm()->mutable_config() = config;
  const pb::Reply reply = ask(request);
  ASSERT_EQ(reply.code(), 0u) << reply.message();
  wait_for_task(reply.task());
  ASSERT_EQ(vm_state(name), VmState::kRunning);
  expect_alive(name, owner);
}

pb::MigrationParameters Story::slow() {
  pb::MigrationParameters parameters;
  parameters.set_bandwidth_bytes_per_second(2 * kMebibyte);
  parameters.set_downtime_limit_ns(300 * kMillisecond);
  parameters.set_max_rounds(30);
  return parameters;
}

// ---- Looking ------------------------------------------------------------------------------------

bool Story::executes(const std::string& vm, NodeId node) const {
  const Process* process = world_->process(node);
  return process != nullptr && process->host().is_executing(vm);
}

bool Story::stands_still(const std::string& vm) const {
  return std::none_of(world_->nodes().begin(), world_->nodes().end(),
                      [&](NodeId node) { return executes(vm, node); });
}

std::uint64_t Story::counter(const std::string& vm, NodeId node) const {
  const Process* process = world_->process(node);
  return process == nullptr ? 0 : process->host().counter(vm);
}

void Story::expect_alive(const std::string& vm, NodeId node) {
  const std::uint64_t before = counter(vm, node);
  pass(500 * kMillisecond);
  EXPECT_TRUE(executes(vm, node)) << vm << " should execute on " << node_name(node);
  EXPECT_GT(counter(vm, node), before) << vm << " on " << node_name(node);
}

std::vector<std::string> Story::changes(const std::string& kind, const std::string& vm,
                                        std::uint64_t since) const {
  std::vector<std::string> to;
  for (const pb::EventRecord& event : world_->checker().events()) {
    if (event.kind() != kind || event.object() != "vm/" + vm || event.number() <= since) continue;
    for (const pb::EventRecord::Field& field : event.fields()) {
      if (field.name() == "to")
        to.push_back(field.has_named() ? field.named().name() : field.text());
    }
  }
  return to;
}

}  // namespace failsim::sim
