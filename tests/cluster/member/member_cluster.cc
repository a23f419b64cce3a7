#include "tests/cluster/member/member_cluster.h"

#include <algorithm>

#include "cluster/membership/process_start.h"

namespace failsim {

MemberCluster::MemberCluster(std::uint32_t nodes) {
  bootstrap_.set_format(1);
  bootstrap_.set_cluster_id(4711);
  bootstrap_.set_cluster_name("test");
  for (NodeId id = 1; id <= nodes; ++id) {
    auto& node = *bootstrap_.add_nodes();
    node.set_id(id);
    node.set_store_id(100 + id);
    node.set_memory_bytes(std::uint64_t{4} << 30);
  }
  const auto property = [&](const char* name, std::uint32_t value) {
    auto& row = *bootstrap_.add_properties();
    row.set_name(name);
    row.set_value(encode_value(Value::dword(value)).take());
  };
  property("SameSubnetDelay", 250);
  property("SameSubnetThreshold", 3);
  for (NodeId id = 1; id <= nodes; ++id) start(id);
  run_until([&] {
    const NodeId id = leader();
    if (id == kNoNode) return false;
    const auto& rows = member(id).state().nodes();
    return std::all_of(rows.begin(), rows.end(),
                       [](const auto& row) { return row.second->state() == pb::NODE_UP; });
  });
}

void MemberCluster::start(NodeId id) {
  Node& node = nodes_[id];
  MemberConfig config;
  config.self = id;
  config.bootstrap = bootstrap_;
  ++node.starts;
  config.incarnation = (node.starts << 32) | ++processes_;
  config.random_seed = id * 77 + node.starts;
  node.disk.starts.push_back({instance_of(config.incarnation), node.disk.synced});
  config.check_state_every = 20;
  node.member = std::make_unique<Member>(config, node.disk, now_);
  node.guests.clear();
  node.transfers.clear();
  node.alive = true;
}

void MemberCluster::kill(NodeId id) {
  nodes_[id].alive = false;
  nodes_[id].guests.clear();
}

void MemberCluster::restart(NodeId id) {
  start(id);
}

void MemberCluster::restart_on(NodeId id, Recovered disk, std::uint64_t starts) {
  nodes_.at(id).disk = std::move(disk);
  nodes_.at(id).starts = starts;
  nodes_.at(id).is_retired = false;
  start(id);
}

void MemberCluster::evidence(NodeId of) {
  const auto instance = static_cast<std::uint32_t>(nodes_[of].member->incarnation() & 0xffffffff);
  for (auto& [id, node] : nodes_) {
    if (node.alive && id != of) step(id, ProcessDied{of, instance});
  }
}

NodeId MemberCluster::leader() {
  for (auto& [id, node] : nodes_) {
    if (node.alive && node.member->log().leads() && node.member->log().leader_ready()) return id;
  }
  return kNoNode;
}

const ClusterState& MemberCluster::state() {
  const NodeId id = leader();
  if (id != kNoNode) return member(id).state();
  const auto alive = std::find_if(nodes_.begin(), nodes_.end(),
                                  [](const auto& node) { return node.second.alive; });
  return alive->second.member->state();
}

void MemberCluster::run_for(Duration duration) {
  const Time end = now_ + duration;
  while (true) {
    deliver_all();
    Time next = end;
    for (auto& [id, node] : nodes_) {
      if (node.alive) next = std::min(next, std::max(now_, node.member->next_deadline()));
    }
    if (next >= end) break;
    now_ = next;
    for (auto& [id, node] : nodes_) {
      if (node.alive && node.member->next_deadline() <= now_) step(id, Tick{});
    }
    now_ += kMicrosecond;
  }
  now_ = std::max(now_, end);
}

void MemberCluster::step(NodeId id, const Event& event) {
  Node& node = nodes_[id];
  if (!node.alive) return;
  Effects effects;
  node.member->step(now_, event, effects);
  perform(id, effects);
}

void MemberCluster::perform(NodeId id, Effects& effects) {
  Node& node = nodes_[id];
  for (auto& message : effects.send_now) network_.push_back(std::move(message));
  for (const TransferOrder& order : effects.transfers) node.transfers[order.vm][order.role] = order;
  for (const GuestOrder& order : effects.guests) obey(id, order);
  if (!effects.durable.empty()) {
    write(node, effects.durable);
    events_.emplace_back(id, Persisted{effects.sequence});
  }
  for (After& after : effects.after) {
    if (auto* message = std::get_if<pb::PeerMessage>(&after)) network_.push_back(*message);
    if (auto* reply = std::get_if<ReplyToClient>(&after)) replies_[reply->token] = reply->reply;
  }
}

void MemberCluster::write(Node& node, const DurableBatch& batch) {
  Recovered& disk = node.disk;
  if (batch.hard_state.has_value()) disk.hard_state = *batch.hard_state;
  if (batch.truncate_from != 0) {
    std::erase_if(disk.entries,
                  [&](const EntryPtr& entry) { return entry->index() >= batch.truncate_from; });
  }
  disk.entries.insert(disk.entries.end(), batch.append.begin(), batch.append.end());
  if (batch.log_start.has_value()) {
    disk.log_start = *batch.log_start;
    std::erase_if(disk.entries, [&](const EntryPtr& entry) {
      return entry->index() <= batch.log_start->index();
    });
  }
  if (batch.replace_rows) disk.rows.clear();
  std::map<std::string, std::string> rows;
  for (const RowChange& row : disk.rows) rows[row.key] = *row.value;
  for (const RowChange& row : batch.rows) {
    rows.erase(row.key);
    if (row.value.has_value()) rows[row.key] = *row.value;
  }
  disk.rows.clear();
  for (const auto& [key, value] : rows) disk.rows.push_back({key, value});
  if (batch.applied.has_value()) disk.applied = *batch.applied;
  if (batch.synced != 0) disk.synced = batch.synced;
  node.is_retired |= batch.retired;
}

void MemberCluster::obey(NodeId id, const GuestOrder& order) {
  Guest& guest = nodes_[id].guests[order.vm];
  guest.order = order;
  guest.exists = order.want == pb::GUEST_RUNNING || order.want == pb::GUEST_FROZEN;
  if (!obedient_guests) return;
  GuestReport report{order.vm, order.epoch, order.boot_id, pb::CONDITION_ABSENT, 0, ""};
  if (order.want == pb::GUEST_RUNNING) report.condition = pb::CONDITION_RUNNING;
  if (order.want == pb::GUEST_FROZEN) report.condition = pb::CONDITION_FROZEN;
  if (order.want == pb::GUEST_SAVED) report.condition = pb::CONDITION_SAVED;
  events_.emplace_back(id, report);
}

void MemberCluster::deliver_all() {
  while (!network_.empty() || !events_.empty()) {
    if (!events_.empty()) {
      const auto [id, event] = std::move(events_.front());
      events_.pop_front();
      step(id, event);
      continue;
    }
    pb::PeerMessage message = std::move(network_.front());
    network_.pop_front();
    if (cut_.contains({message.from(), message.to()})) continue;
    if (!nodes_[message.from()].alive) continue;
    step(message.to(), MessageReceived{message});
  }
}

std::optional<pb::Reply> MemberCluster::ask(NodeId at, pb::Request request) {
  const std::uint64_t token = ++token_;
  if (request.client().empty()) {
    request.set_client("test");
    request.set_sequence(token);
  }
  step(at, ClientAsks{token, std::move(request)});
  run_until([&] { return replies_.contains(token); });
  const auto reply = replies_.find(token);
  if (reply == replies_.end()) return std::nullopt;
  return reply->second;
}

std::optional<pb::Reply> MemberCluster::create_vm(const std::string& name, NodeId owner,
                                                  bool start) {
  pb::Request request;
  auto& create = *request.mutable_create_vm();
  create.set_name(name);
  create.set_owner(owner);
  create.set_start(start);
  create.mutable_config()->set_memory_bytes(256 << 20);
  return ask(owner == kNoNode ? leader() : owner, std::move(request));
}

std::optional<pb::Reply> MemberCluster::method(const std::string& vm, VmMethod method) {
  pb::Request request;
  request.mutable_vm_method()->set_vm(vm);
  request.mutable_vm_method()->set_method(static_cast<std::uint32_t>(method));
  return ask(leader(), std::move(request));
}

std::optional<pb::Reply> MemberCluster::migrate(const std::string& vm, NodeId to) {
  pb::Request request;
  request.mutable_migrate()->set_vm(vm);
  request.mutable_migrate()->set_target(to);
  return ask(leader(), std::move(request));
}

std::optional<pb::Reply> MemberCluster::cancel(const std::string& vm) {
  pb::Request request;
  request.mutable_cancel_migration()->set_vm(vm);
  return ask(leader(), std::move(request));
}

std::optional<pb::Reply> MemberCluster::set(const std::string& kind, const std::string& object,
                                            const std::string& name, const Value& value) {
  pb::Request request;
  auto& set = *request.mutable_set_property();
  set.set_kind(kind);
  set.set_object(object);
  set.set_name(name);
  set.set_value(encode_value(value).take());
  return ask(leader(), std::move(request));
}

bool MemberCluster::executes(NodeId id, const std::string& vm) {
  Node& node = nodes_[id];
  if (!node.alive || now_ >= node.member->lease_until()) return false;
  const auto guest = node.guests.find(vm);
  if (guest == node.guests.end() || guest->second.order.want != pb::GUEST_RUNNING) return false;
  const auto transfer = node.transfers[vm].find(TransferRole::kSource);
  const bool paused =
      transfer != node.transfers[vm].end() && transfer->second.stage == TransferStage::kFinish;
  return !paused;
}

void MemberCluster::report(NodeId id, const std::string& vm, pb::TransferStatus status) {
  for (const auto& [role, order] : nodes_[id].transfers[vm]) {
    if (order.stage == TransferStage::kDrop) continue;
    TransferReport report;
    report.vm = vm;
    report.job = order.job;
    report.attempt = order.attempt;
    report.status = status;
    if (status == pb::TRANSFER_FAILED) report.error = "the transfer broke";
    return step(id, report);
  }
}

std::vector<std::string> MemberCluster::events(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& [number, event] : state().events()) {
    if (event->kind() != kind) continue;
    for (const auto& field : event->fields()) {
      if (field.name() == "to") {
        names.push_back(field.has_named() ? field.named().name() : field.text());
      }
    }
  }
  return names;
}

VmState MemberCluster::vm_state(const std::string& vm) {
  return *vm_state_of(state().vm(vm)->state());
}

}  // namespace failsim
