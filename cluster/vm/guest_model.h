// What a simulated guest does with its time: writes pages at a rate, by a pattern, and counts.
//
// Pure and integer: the process world runs it on real pages in a thread, the virtual world on write
// counts alone. Every page write raises the page's write count; the counts are part of the guest's
// device state, so a migration's target can check each page against them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/migration/dirty_habit.h"
#include "cluster/migration/dirty_pieces.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

// Guest time between two values of its counter.
inline constexpr Duration kGuestCountInterval = 10 * kMillisecond;

// The part of a guest that is not memory; it travels at the end of a migration and is saved with a
// saved state.
struct DeviceState {
  std::uint64_t boot_id = 0;
  std::uint64_t counter = 0;  // of the work it has done; each value goes to its disk
  std::uint64_t random_state = 0;
  std::uint64_t next_sequential_page = 0;
  std::uint64_t owed_page_writes = 0;       // due, but not performed yet
  std::uint64_t owed_byte_nanoseconds = 0;  // the fraction of a page write that is not due yet
  std::vector<std::uint32_t> write_counts;  // per page; empty if nobody tracks pages

  bool operator==(const DeviceState&) const = default;
};

std::string encode(const DeviceState& state);
// Nothing unless it is the encoding of a state that fits `config`: as many write counts as pages,
// or none at all. The bytes may come from anywhere.
std::optional<DeviceState> decode_device_state(std::string_view bytes, const pb::VmConfig& config);

std::uint64_t pages_of(const pb::VmConfig& config);

// Pages the guest writes to: at least one, at most all; 0 in the configuration means all.
std::uint64_t working_set_pages_of(const pb::VmConfig& config);

// The state at the end of a fresh boot whose counter goes on from `counter`. With `track_pages`
// each page has a count: 1 if the boot stamps every page, 0 if it leaves them untouched.
DeviceState fresh_device_state(const pb::VmConfig& config, std::uint64_t boot_id,
                               std::uint64_t counter, bool track_pages);

// How such a guest dirties its memory: the closed forms of its pattern.
//   sequential  min(W, D t), in order
//   uniform     W (1 - e^(-D t / W))
//   hot set     the same for the two parts of the working set, each with its share of the writes
DirtyHabit habit_of(const pb::VmConfig& config);

// The memory of a VM whose pages nobody tracks, as a migration begins: all of it is dirty, or what
// the guest writes to if the boot leaves the rest untouched.
DirtyPieces modelled_memory(const pb::VmConfig& config);

class GuestModel {
 public:
  GuestModel(const pb::VmConfig& config, DeviceState state);

  // The guest executed for `elapsed`: `write(page, count)` is called for each page written, with
  // the page's new write count (0 if pages are not tracked). Returns how often. At most
  // `max_writes` happen; the rest stays owed, up to what one second makes due.
  template <typename Write>
  std::uint64_t execute(Duration elapsed, std::uint64_t max_writes, Write&& write);

  // The same while `may_write(page)` holds of each next page: at the first that may not be written the
  // guest waits, and what is due stays owed. Returns that page.
  template <typename MayWrite, typename Write>
  std::optional<std::uint64_t> execute_until(Duration elapsed, std::uint64_t max_writes,
                                             MayWrite&& may_write, Write&& write);

  // The next value of its counter; the caller appends it to the guest's disk.
  std::uint64_t count() { return ++state_.counter; }

  // From now on it writes at another rate than configured; what is owed stays owed.
  void set_dirty_rate(std::uint64_t bytes_per_second) {
    config_.set_dirty_bytes_per_second(bytes_per_second);
  }

  const DeviceState& state() const { return state_; }
  std::uint64_t pages() const { return pages_; }
  bool tracks_pages() const { return !state_.write_counts.empty(); }
  // Time between two page writes; kNever if it writes none.
  Duration write_interval() const;

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

template <typename MayWrite, typename Write>
std::optional<std::uint64_t> GuestModel::execute_until(Duration elapsed, std::uint64_t max_writes,
                                                       MayWrite&& may_write, Write&& write) {
  const std::uint64_t writes = due(elapsed, max_writes);
  for (std::uint64_t i = 0; i < writes; ++i) {
    const std::uint64_t random_state = state_.random_state;
    const std::uint64_t sequential = state_.next_sequential_page;
    const std::uint64_t page = next_page();
    if (!may_write(page)) {
      state_.random_state = random_state;
      state_.next_sequential_page = sequential;
      state_.owed_page_writes += writes - i;
      return page;
    }
    const std::uint32_t count = state_.write_counts.empty() ? 0 : ++state_.write_counts[page];
    write(page, count);
  }
  return std::nullopt;
}

}  // namespace failsim
