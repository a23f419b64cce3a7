// Migrations drawn from a seed: guests that converge, and about as many that do not.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cluster/migration/precopy.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/proto/state.pb.h"
#include "cluster/random.h"
#include "cluster/vm/guest_model.h"

namespace failsim {

struct DrawnMigration {
  pb::VmConfig config;
  PrecopySettings settings;
  std::uint64_t link_bytes_per_second = 0;

  DirtyModel guest() const { return {config.dirty_bytes_per_second(), config.working_set_bytes()}; }
};

inline DrawnMigration draw_migration(Random& random) {
  constexpr std::uint64_t kMebibyte = 1024 * 1024;
  DrawnMigration drawn;
  const std::uint64_t memory = (16 + random.below(112)) * kMebibyte;
  drawn.link_bytes_per_second = (8 + random.below(248)) * kMebibyte;
  drawn.config.set_memory_bytes(memory);
  drawn.config.set_working_set_bytes(memory / 32 * (1 + random.below(32)) / kPageBytes *
                                     kPageBytes);
  // From a twentieth of the link to four times it, a quarter of them below it.
  const std::uint64_t percent =
      random.below(4) == 0 ? 5 + random.below(95) : 100 + random.below(300);
  drawn.config.set_dirty_bytes_per_second(drawn.link_bytes_per_second / 100 * percent);
  drawn.config.set_modelled(random.below(4) == 0);
  // From a twentieth of what the whole working set would need to a third more than that.
  const Duration whole =
      time_to_send(drawn.config.working_set_bytes(), drawn.link_bytes_per_second);
  const auto twentieths = static_cast<Duration>(1 + random.below(27));
  drawn.settings.downtime_limit = std::max<Duration>(whole / 20 * twentieths, 20 * kMillisecond);
  return drawn;
}

}  // namespace failsim
