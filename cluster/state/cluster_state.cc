#include "cluster/state/cluster_state.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <utility>

#include "cluster/migration/post_copy.h"
#include "cluster/state/field_hash.h"
#include "cluster/state/job_row.h"
#include "cluster/state/property_views.h"

namespace failsim {
namespace {

std::string padded(std::uint64_t number, int width) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llu", width, static_cast<unsigned long long>(number));
  return text;
}

template <typename Row>
RowPtr<Row> share(Row row) {
  return std::make_shared<const Row>(std::move(row));
}

template <typename Row>
Row parsed(const std::string& bytes) {
  Row row;
  const bool well_formed = row.ParseFromString(bytes);
  assert(well_formed);
  return row;
}

bool starts_with(const std::string& key, std::string_view prefix) {
  return key.compare(0, prefix.size(), prefix) == 0;
}

template <typename Map, typename Key>
auto find_row(const Map& map, const Key& key) -> const typename Map::mapped_type::element_type* {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second.get();
}

// The nodes that hold the memory of a VM, or have reserved it for the migration in flight.
std::vector<NodeId> holders_of(const pb::Vm& vm, const pb::Task* job) {
  std::vector<NodeId> holders;
  if (vm.want() != pb::GUEST_ABSENT) holders.push_back(vm.owner());
  if (job == nullptr) return holders;
  if (job->job().target() != vm.owner()) holders.push_back(job->job().target());
  if (pages_follow(vm, *job)) holders.push_back(job->job().source());
  return holders;
}

}  // namespace

std::string cluster_key() {
  return "cluster";
}
std::string node_key(NodeId id) {
  return "node/" + padded(id, 3);
}
std::string vm_key(const std::string& name) {
  return "vm/" + name;
}
std::string task_key(TaskId id) {
  return "task/" + padded(id, 20);
}
std::string event_key(std::uint64_t number) {
  return "event/" + padded(number, 20);
}
std::string reply_key(const std::string& client, std::uint64_t sequence) {
  return "reply/" + client + "/" + padded(sequence, 20);
}
std::string property_key(ObjectKind kind, const std::string& object, std::string_view name) {
  return "property/" + std::string(failsim::name(kind)) + "/" + object + "/" + std::string(name);
}

ClusterState ClusterState::born(const pb::Bootstrap& bootstrap) {
  ClusterState state;
  pb::Cluster cluster;
  cluster.set_cluster_id(bootstrap.cluster_id());
  cluster.set_name(bootstrap.cluster_name());
  cluster.set_recovery_epoch(bootstrap.recovery_epoch());
  cluster.set_first_event(1);
  state.put(std::move(cluster));
  for (const pb::Bootstrap::Node& birth : bootstrap.nodes()) {
    pb::Node node;
    node.set_id(birth.id());
    node.set_name(node_name(birth.id()));
    node.set_store_id(birth.store_id());
    node.set_state(pb::NODE_JOINING);
    node.set_memory_bytes(birth.memory_bytes());
    node.set_address(birth.address());
    state.put(std::move(node));
  }
  for (const pb::Bootstrap::Property& property : bootstrap.properties()) {
    const PropertySpec* spec = find(ObjectKind::kCluster, property.name());
    const Result<Value> value = decode_value(property.value());
    assert(spec != nullptr);
    assert(value.ok());
    state.put_property(ObjectKind::kCluster, "", spec->name, value.value());
  }
  pb::Cluster bounded = state.cluster();
  bounded.set_lease_bound_ns(state.detection_time());
  state.put(std::move(bounded));
  return state;
}

ClusterState ClusterState::from_rows(const std::vector<RowChange>& rows) {
  ClusterState state;
  for (const RowChange& row : rows) {
    assert(row.value.has_value());
    const std::string& key = row.key;
    if (key == "cluster") {
      state.put(parsed<pb::Cluster>(*row.value));
    } else if (starts_with(key, "node/")) {
      state.put(parsed<pb::Node>(*row.value));
    } else if (starts_with(key, "vm/")) {
      state.put(parsed<pb::Vm>(*row.value));
    } else if (starts_with(key, "task/")) {
      state.put(parsed<pb::Task>(*row.value));
    } else if (starts_with(key, "event/")) {
      state.put(parsed<pb::EventRecord>(*row.value));
    } else if (starts_with(key, "reply/")) {
      state.put(parsed<pb::StoredReply>(*row.value));
    } else {
      assert(starts_with(key, "property/"));
      Result<Value> value = decode_value(*row.value);
      assert(value.ok());
      state.properties_[key] = share(value.take());
    }
  }
  state.touched_.clear();
  state.read_settings();
  return state;
}

const pb::Node* ClusterState::node(NodeId id) const {
  return find_row(nodes_, id);
}

const pb::Node* ClusterState::node_named(std::string_view name) const {
  for (const auto& [id, row] : nodes_) {
    if (row->name() == name) return row.get();
  }
  return nullptr;
}

const pb::Vm* ClusterState::vm(const std::string& name) const {
  return find_row(vms_, name);
}
const pb::Task* ClusterState::task(TaskId id) const {
  return find_row(tasks_, id);
}

const pb::Task* ClusterState::job_of(const pb::Vm& vm) const {
  return vm.job() == 0 ? nullptr : task(vm.job());
}

const pb::Task* ClusterState::open_migration(const pb::Vm& vm) const {
  if (const pb::Task* job = job_of(vm)) return job;
  for (const TaskId id : waiting_jobs_) {
    if (tasks_.at(id)->job().vm() == vm.name()) return tasks_.at(id).get();
  }
  return nullptr;
}

const pb::Task* ClusterState::last_migration(const std::string& vm) const {
  for (auto row = tasks_.rbegin(); row != tasks_.rend(); ++row) {
    if (row->second->has_job() && row->second->job().vm() == vm) return row->second.get();
  }
  return nullptr;
}

const pb::Reply* ClusterState::reply(const std::string& client, std::uint64_t sequence) const {
  const pb::StoredReply* stored = find_row(replies_, reply_key(client, sequence));
  return stored == nullptr ? nullptr : &stored->reply();
}

const Value* ClusterState::stored_property(const std::string& key) const {
  return find_row(properties_, key);
}

Value ClusterState::property(ObjectKind kind, const std::string& object,
                             std::string_view name) const {
  const PropertySpec* spec = find(kind, name);
  assert(spec != nullptr);
  if (const auto view = property_view(*this, kind, object, spec->name)) return *view;
  const Value* stored = stored_property(property_key(kind, object, spec->name));
  return stored != nullptr ? *stored : default_value(*spec);
}

std::uint32_t ClusterState::cluster_dword(std::string_view name) const {
  return static_cast<std::uint32_t>(property(ObjectKind::kCluster, "", name).number());
}

MigrationState ClusterState::migration_state(const std::string& vm) const {
  const Value value = property(ObjectKind::kVm, vm, "MigrationState");
  const auto state = migration_state_of(static_cast<std::uint32_t>(value.number()));
  assert(state.has_value());
  return *state;
}

void ClusterState::read_settings() {
  heartbeat_interval_ = Duration{cluster_dword("SameSubnetDelay")} * kMillisecond;
  detection_time_ = heartbeat_interval_ * cluster_dword("SameSubnetThreshold");
}

std::uint64_t ClusterState::memory_in_use(NodeId node) const {
  const auto found = memory_in_use_.find(node);
  return found == memory_in_use_.end() ? 0 : found->second;
}

void ClusterState::hold_memory(const pb::Vm& vm) {
  for (const NodeId node : holders_of(vm, job_of(vm))) {
    memory_in_use_[node] += vm.config().memory_bytes();
  }
}

void ClusterState::release_memory(const pb::Vm& vm) {
  for (const NodeId node : holders_of(vm, job_of(vm))) {
    std::uint64_t& bytes = memory_in_use_[node];
    assert(bytes >= vm.config().memory_bytes());
    bytes -= vm.config().memory_bytes();
  }
}

std::vector<RowChange> ClusterState::rows() const {
  std::vector<RowChange> rows;
  rows.push_back({cluster_key(), cluster_->SerializeAsString()});
  for (const auto& [number, row] : events_) {
    rows.push_back({event_key(number), row->SerializeAsString()});
  }
  for (const auto& [id, row] : nodes_) rows.push_back({node_key(id), row->SerializeAsString()});
  for (const auto& [key, value] : properties_) {
    rows.push_back({key, encode_value(*value).value()});
  }
  for (const auto& [key, row] : replies_) rows.push_back({key, row->SerializeAsString()});
  for (const auto& [id, row] : tasks_) rows.push_back({task_key(id), row->SerializeAsString()});
  for (const auto& [name, row] : vms_) rows.push_back({vm_key(name), row->SerializeAsString()});
  return rows;
}

std::uint64_t ClusterState::hash() const {
  std::uint64_t hash = cluster_.hash();
  const auto add = [&hash](const auto& rows) {
    for (const auto& [key, row] : rows) hash = hash_number(row.hash(), hash);
  };
  add(nodes_);
  add(vms_);
  add(tasks_);
  add(events_);
  add(replies_);
  for (const auto& [key, value] : properties_) {
    hash = hash_number(value.hash(), hash_bytes(key, hash));
  }
  return hash;
}

void ClusterState::put(pb::Cluster row) {
  RowPtr<pb::Cluster> shared = share(std::move(row));
  touched_[cluster_key()] = {shared, nullptr};
  cluster_ = std::move(shared);
}

void ClusterState::put(pb::Node row) {
  const NodeId id = row.id();
  RowPtr<pb::Node> shared = share(std::move(row));
  touched_[node_key(id)] = {shared, nullptr};
  nodes_[id] = std::move(shared);
}

void ClusterState::put(pb::Vm row) {
  const std::string name = row.name();
  RowPtr<pb::Vm> shared = share(std::move(row));
  touched_[vm_key(name)] = {shared, nullptr};
  HeldRow<pb::Vm>& place = vms_[name];
  if (place.get() != nullptr) release_memory(*place);
  place = std::move(shared);
  hold_memory(*place);
}

void ClusterState::put(pb::Task row) {
  const TaskId id = row.id();
  if (row.has_job() && waits_for_its_turn(row.job())) {
    waiting_jobs_.insert(id);
  } else {
    waiting_jobs_.erase(id);
  }
  RowPtr<pb::Task> shared = share(std::move(row));
  touched_[task_key(id)] = {shared, nullptr};
  const pb::Vm* moved = vm(shared->job().vm());  // null unless it is a migration
  if (moved != nullptr) release_memory(*moved);
  tasks_[id] = std::move(shared);
  if (moved != nullptr) hold_memory(*moved);
}

void ClusterState::put(pb::EventRecord row) {
  const std::uint64_t number = row.number();
  RowPtr<pb::EventRecord> shared = share(std::move(row));
  touched_[event_key(number)] = {shared, nullptr};
  events_[number] = std::move(shared);
}

void ClusterState::put(pb::StoredReply row) {
  const std::string key = reply_key(row.client(), row.sequence());
  replies_by_order_[row.order()] = key;
  RowPtr<pb::StoredReply> shared = share(std::move(row));
  touched_[key] = {shared, nullptr};
  replies_[key] = std::move(shared);
}

void ClusterState::put_property(ObjectKind kind, const std::string& object, std::string_view name,
                                const Value& value) {
  const PropertySpec* spec = find(kind, name);
  assert(spec != nullptr);
  assert(!validate(*spec, value).has_value());
  const std::string key = property_key(kind, object, spec->name);
  RowPtr<Value> shared = share(value);
  touched_[key] = {nullptr, shared};
  properties_[key] = std::move(shared);
  if (kind == ObjectKind::kCluster) read_settings();
}

void ClusterState::erase_vm(const std::string& name) {
  const auto erased = vms_.find(name);
  if (erased != vms_.end()) {
    release_memory(*erased->second);
    vms_.erase(erased);
  }
  touched_[vm_key(name)] = {};
  for (const ObjectKind kind : {ObjectKind::kVm, ObjectKind::kGroup}) {
    const std::string prefix = property_key(kind, name, "");
    auto row = properties_.lower_bound(prefix);
    while (row != properties_.end() && starts_with(row->first, prefix)) {
      touched_[row->first] = {};
      row = properties_.erase(row);
    }
  }
}

void ClusterState::erase_task(TaskId id) {
  const auto erased = tasks_.find(id);
  if (erased != tasks_.end()) {
    const pb::Vm* moved = vm(erased->second->job().vm());
    if (moved != nullptr) release_memory(*moved);
    tasks_.erase(erased);
    if (moved != nullptr) hold_memory(*moved);
  }
  waiting_jobs_.erase(id);
  touched_[task_key(id)] = {};
}

void ClusterState::erase_event(std::uint64_t number) {
  events_.erase(number);
  touched_[event_key(number)] = {};
}

void ClusterState::trim_replies(std::size_t keep) {
  while (replies_by_order_.size() > keep) {
    const auto oldest = replies_by_order_.begin();
    replies_.erase(oldest->second);
    touched_[oldest->second] = {};
    replies_by_order_.erase(oldest);
  }
}

std::vector<RowChange> ClusterState::take_changes() {
  std::vector<RowChange> changes;
  changes.reserve(touched_.size());
  for (const auto& [key, touched] : touched_) {
    RowChange change{key, std::nullopt};
    if (touched.row != nullptr) change.value = touched.row->SerializeAsString();
    if (touched.value != nullptr) change.value = encode_value(*touched.value).take();
    changes.push_back(std::move(change));
  }
  touched_.clear();
  return changes;
}

}  // namespace failsim
