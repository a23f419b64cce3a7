// A guest that has run for long, and was watched in its last seconds.
#pragma once

#include <cstdint>

#include "cluster/migration/dirty_watch.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/vm/guest_model.h"
#include "tests/cluster/migration/simulated_precopy.h"

namespace failsim {

class WatchedGuest {
 public:
  // In the end it is where the guest of SimulatedPrecopy with this seed begins.
  WatchedGuest(const pb::VmConfig& config, std::uint64_t seed, Duration length = 5 * kSecond)
      : length_(length), watch_(1) {
    const std::uint64_t pages = working_set_pages_of(config);
    const std::uint64_t writes = bytes_in(length, config.dirty_bytes_per_second()) / kPageBytes;
    const std::uint64_t ends_at = SimulatedPrecopy::position_of(config, seed) / kPageBytes;
    DeviceState state = fresh_device_state(config, seed, 0, true);
    state.next_sequential_page = (ends_at + pages - writes % pages) % pages;
    // A guest that writes in order began at the front.
    for (std::uint64_t page = 0; page < pages; ++page) {
      state.write_counts[page] = page < state.next_sequential_page ? 3 : 2;
    }
    GuestModel guest(config, state);
    for (Duration now = 0; now < length; now += kWatchInterval) {
      watch_.look(now, guest.state().write_counts);
      guest.execute(kWatchInterval, ~std::uint64_t{0}, [](std::uint64_t, std::uint32_t) {});
    }
    watch_.look(length, guest.state().write_counts);
  }

  DirtyCurve curve() const { return watch_.curve(); }
  DirtyHabit habit() const { return watch_.habit(length_).value_or(DirtyHabit()); }

 private:
  Duration length_;
  DirtyWatch watch_;
};

}  // namespace failsim
