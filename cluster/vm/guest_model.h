// What a simulated guest does with its time: writes pages at a rate, by a pattern, and counts.
//
// Pure and integer: the process world runs it on real pages in a thread, the virtual world on write
// counts alone. Every page write raises the page's write count; the counts are part of the guest's
// device state, so a migration's target can check each page against them.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/proto/state.pb.h"
#include "cluster/random.h"
#include "cluster/time.h"

namespace failsim {

// The part of a guest that is not memory; it travels at the end of a migration and is saved with a
// saved state.
struct DeviceState {
  std::uint64_t boot_id = 0;
  std::uint64_t counter = 0;                 // of the work it has done; each value goes to its disk
  std::uint64_t random_state = 0;
  std::uint64_t next_sequential_page = 0;
  std::uint64_t owed_page_writes_ns = 0;     // fraction of a page write not yet due
  std::vector<std::uint32_t> write_counts;   // per page; empty for a modelled VM
};

class GuestModel {
 public:
  GuestModel(const pb::VmConfig& config, DeviceState state);

  // The guest executed for `elapsed`: `write(page, count)` is called for each page written, with the
  // page's new write count. Returns how often. At most `max_writes` happen; the rest stays owed.
  template <typename Write>
  std::uint64_t execute(Duration elapsed, std::uint64_t max_writes, Write&& write);

  // The next value of its counter; the caller appends it to the guest's disk.
  std::uint64_t count() { return ++state_.counter; }

  const DeviceState& state() const { return state_; }
  std::uint64_t pages() const { return pages_; }

 private:
  std::uint64_t due(Duration elapsed, std::uint64_t max_writes);
  std::uint64_t next_page();

  pb::VmConfig config_;
  std::uint64_t pages_;
  std::uint64_t working_set_pages_;
  DeviceState state_;
};

template <typename Write>
std::uint64_t GuestModel::execute(Duration elapsed, std::uint64_t max_writes, Write&& write) {
  const std::uint64_t writes = due(elapsed, max_writes);
  for (std::uint64_t i = 0; i < writes; ++i) {
    const std::uint64_t page = next_page();
    const std::uint32_t count = state_.write_counts.empty() ? 0 : ++state_.write_counts[page];
    write(page, count);
  }
  return writes;
}

}  // namespace failsim
