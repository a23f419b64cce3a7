// Migrations as Prometheus reads them: one sample of each number for the newest migration of each
// VM, in the text format 0.0.4. The numbers are those of GET /v1/migrations.
#pragma once

#include <functional>
#include <string>

#include "cluster/state/cluster_state.h"
#include "node/api/render.h"

namespace failsim::node {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// `live_of` is asked for the VM of each migration under way.
std::string migration_metrics(const ClusterState& state,
                              const std::function<render::Live(const std::string& vm)>& live_of);

}  // namespace failsim::node
