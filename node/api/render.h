// The objects of the interface, as JSON: pure functions of what is agreed and what was just said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "cluster/error.h"
#include "cluster/property/property_table.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/state/planned_migration.h"
#include "node/transport/admission.h"

namespace failsim::node::render {

// What the answering node knows of itself and of the cluster at this moment.
struct Standing {
  NodeId self = kNoNode;
  std::uint64_t process_id = 0;
  NodeId leader = kNoNode;
  bool has_quorum = false;
};

using Live = std::optional<pb::PeerMessage::LiveReply>;

boost::json::object status(const ClusterState& state, const Standing& standing);
boost::json::object node(const ClusterState& state, const pb::Node& node);
boost::json::object transport(const TransportCounters& counters);
boost::json::object vm(const ClusterState& state, const pb::Vm& vm, const Live& live);
// `task` holds a migration job; `live` is of its VM's owner.
boost::json::object migration(const ClusterState& state, const pb::Task& task, const Live& live);
// CheckVirtualSystemIsMigratableToHost: every check that fails, and whether it would have to wait.
boost::json::object migration_check(const ClusterState& state, const pb::Vm& vm,
                                    const pb::Request::Migrate& asked);
boost::json::object forecast(const ClusterState& state, const pb::Request::Migrate& asked,
                             const PlannedMigration& plan);
boost::json::object task(const pb::Task& task);
boost::json::object event(const pb::EventRecord& event);
boost::json::object property(const PropertySpec& spec, const Value& value);

// 0..100 of this migration.
std::uint32_t migration_progress(const pb::Task& task, const Live& live);
// 0..100 of the VM's migration in flight or its last one.
std::uint32_t migration_progress(const ClusterState& state, const std::string& vm,
                                 const Live& live);

}  // namespace failsim::node::render
