// Msvm_MigrationJob: the properties of a migration job, declared once.
//
// The interface answers with them in this order, the command line prints what it answers, and
// README.md beside this file lists them (a test compares).
#pragma once

#include <span>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "node/api/render.h"

namespace failsim::node::render {

// What a property is computed from.
struct JobView {
  const ClusterState& state;
  const pb::Task& task;
  const Live& live;  // of the VM's owner
};

struct JobProperty {
  std::string_view key;         // in JSON
  std::string_view documented;  // its name in Msvm_MigrationJob, or "failsim's own"
  boost::json::value (*value)(const JobView&);
};

std::span<const JobProperty> job_properties();

// All of them.
boost::json::object job(const ClusterState& state, const pb::Task& task, const Live& live);
// Msvm_MigrationJob.GetError: null when the job has not failed.
boost::json::value job_error(const pb::Task& task);

}  // namespace failsim::node::render
