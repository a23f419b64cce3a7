// What the cluster has agreed on: nodes, VMs, tasks and jobs, properties, events of record.
//
// Rows are immutable and shared: a copy of a ClusterState costs pointers, not rows. It changes only
// through its editing functions, which remember the touched rows until they are taken for the
// store; the commands that use them are in apply.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/durable.h"
#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/migration/migration_state.h"
#include "cluster/property/clusprop.h"
#include "cluster/property/property_table.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/held_row.h"
#include "cluster/time.h"

namespace failsim {

class ClusterState {
 public:
  ClusterState() { read_settings(); }

  // The state before the first log entry.
  static ClusterState born(const pb::Bootstrap& bootstrap);
  // The state whose rows a store or a snapshot gave back.
  static ClusterState from_rows(const std::vector<RowChange>& rows);

  const pb::Cluster& cluster() const { return *cluster_; }
  const std::map<NodeId, HeldRow<pb::Node>>& nodes() const { return nodes_; }
  const std::map<std::string, HeldRow<pb::Vm>>& vms() const { return vms_; }
  const std::map<TaskId, HeldRow<pb::Task>>& tasks() const { return tasks_; }
  const std::map<std::uint64_t, HeldRow<pb::EventRecord>>& events() const { return events_; }

  // Null if there is none.
  const pb::Node* node(NodeId id) const;
  const pb::Node* node_named(std::string_view name) const;
  const pb::Vm* vm(const std::string& name) const;
  const pb::Task* task(TaskId id) const;
  // The migration of this VM that is in flight; null if none is.
  const pb::Task* job_of(const pb::Vm& vm) const;
  // As job_of, or the migration of this VM that waits for its turn.
  const pb::Task* open_migration(const pb::Vm& vm) const;
  // Migrations that wait for their turn, longest first.
  const std::set<TaskId>& waiting_jobs() const { return waiting_jobs_; }
  // The latest migration of this VM, in flight or ended, as long as its task is kept.
  const pb::Task* last_migration(const std::string& vm) const;
  const pb::Reply* reply(const std::string& client, std::uint64_t sequence) const;

  // The value in force: the stored one or the default of the table, which has to declare it.
  Value property(ObjectKind kind, const std::string& object, std::string_view name) const;
  // The value of a DWORD property of the cluster that the table declares.
  std::uint32_t cluster_dword(std::string_view name) const;
  MigrationState migration_state(const std::string& vm) const;

  // Detection time: SameSubnetDelay x SameSubnetThreshold. A lease is as long.
  Duration detection_time() const { return detection_time_; }
  Duration heartbeat_interval() const { return heartbeat_interval_; }  // SameSubnetDelay

  // Memory that VMs owned by the node and migrations to it hold or have reserved.
  std::uint64_t memory_in_use(NodeId node) const;

  // Every row, ordered by key: what a snapshot carries.
  std::vector<RowChange> rows() const;
  // A hash over the decoded fields of every row: equal states have equal hashes. Rows that have not
  // changed since it was asked for last cost nothing but the walk.
  std::uint64_t hash() const;

  // ---- editing: only by apply ----
  void put(pb::Cluster row);
  void put(pb::Node row);
  void put(pb::Vm row);
  void put(pb::Task row);
  void put(pb::EventRecord row);
  void put(pb::StoredReply row);
  void put_property(ObjectKind kind, const std::string& object, std::string_view name,
                    const Value& value);
  void erase_vm(const std::string& name);  // with its properties
  void erase_task(TaskId id);
  void erase_event(std::uint64_t number);
  void trim_replies(std::size_t keep);
  // The rows changed since the last call, each once, with its newest value.
  std::vector<RowChange> take_changes();

 private:
  void read_settings();
  const Value* stored_property(const std::string& key) const;
  void hold_memory(const pb::Vm& vm);
  void release_memory(const pb::Vm& vm);

  HeldRow<pb::Cluster> cluster_ = RowPtr<pb::Cluster>(std::make_shared<pb::Cluster>());
  std::map<NodeId, HeldRow<pb::Node>> nodes_;
  std::map<std::string, HeldRow<pb::Vm>> vms_;
  std::map<TaskId, HeldRow<pb::Task>> tasks_;
  std::set<TaskId> waiting_jobs_;
  std::map<std::uint64_t, HeldRow<pb::EventRecord>> events_;
  std::map<std::string, HeldRow<pb::StoredReply>> replies_;  // by row key
  std::map<std::uint64_t, std::string> replies_by_order_;    // oldest first
  std::map<std::string, HeldRow<Value>> properties_;         // by row key; default = no row

  // Follow from the rows above, and change with them: asked for too often to be looked up.
  Duration heartbeat_interval_ = 0;
  Duration detection_time_ = 0;
  std::map<NodeId, std::uint64_t> memory_in_use_;

  // A changed row by its key, serialized when it is taken; both null = erased.
  struct Touched {
    RowPtr<google::protobuf::Message> row;
    RowPtr<Value> value;
  };
  std::map<std::string, Touched> touched_;
};

// The readable keys of the rows.
std::string cluster_key();
std::string node_key(NodeId id);
std::string vm_key(const std::string& name);
std::string task_key(TaskId id);
std::string event_key(std::uint64_t number);
std::string reply_key(const std::string& client, std::uint64_t sequence);
std::string property_key(ObjectKind kind, const std::string& object, std::string_view name);

}  // namespace failsim
