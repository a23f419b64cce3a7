// A migration that is asked for and has not begun: whether it may, and what it will be like.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/error.h"
#include "cluster/migration/dirty_habit.h"
#include "cluster/migration/forecast.h"
#include "cluster/proto/command.pb.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// Everything that can be known before a job exists; nothing if it may begin.
std::optional<Error> migration_refused(const ClusterState& state,
                                       const pb::Request::Migrate& request);

// What the owner has seen lately.
struct Watched {
  std::optional<DirtyHabit> guest;          // nothing if it was not watched
  std::uint64_t link_bytes_per_second = 0;  // to the target; 0 = not known
};

struct PlannedMigration {
  DirtyModel guest;
  bool is_watched = false;                  // else the guest is as its configuration says
  std::uint64_t link_bytes_per_second = 0;  // within the bandwidth limit
  MigrationForecast forecast;
};

// The link is as fast as its owner saw it last, or else as the newest migration between the two
// nodes found it that was not limited; without one it is the bandwidth limit of this one, and
// without that nobody knows (kNotFound). Refused as migration_refused says.
Result<PlannedMigration> plan_migration(const ClusterState& state,
                                        const pb::Request::Migrate& request,
                                        const Watched& watched);

}  // namespace failsim
