#include "cluster/vm/guest_model.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "cluster/migration/precopy.h"
#include "cluster/proto/guest.pb.h"
#include "cluster/random.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::uint64_t kByteNanosecondsPerWrite = kPageBytes * kNanosecondsPerSecond;

// One write of ten of a hot-set guest goes anywhere, and a tenth of the working set is hot.
constexpr std::uint64_t kHotSetDivisor = 10;

std::uint64_t hot_pages(std::uint64_t working_set_pages) {
  return std::max<std::uint64_t>(1, working_set_pages / kHotSetDivisor);
}

}  // namespace

std::string encode(const DeviceState& state) {
  pb::DeviceState record;
  record.set_boot_id(state.boot_id);
  record.set_counter(state.counter);
  record.set_random_state(state.random_state);
  record.set_next_sequential_page(state.next_sequential_page);
  record.set_owed_page_writes(state.owed_page_writes);
  record.set_owed_byte_nanoseconds(state.owed_byte_nanoseconds);
  record.mutable_write_counts()->Add(state.write_counts.begin(), state.write_counts.end());
  return record.SerializeAsString();
}

std::optional<DeviceState> decode_device_state(std::string_view bytes, const pb::VmConfig& config) {
  pb::DeviceState record;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::nullopt;
  }
  const auto counts = static_cast<std::uint64_t>(record.write_counts_size());
  if (counts != 0 && counts != pages_of(config)) return std::nullopt;
  if (record.next_sequential_page() >= working_set_pages_of(config)) return std::nullopt;
  if (record.owed_byte_nanoseconds() >= kByteNanosecondsPerWrite) return std::nullopt;
  DeviceState state;
  state.boot_id = record.boot_id();
  state.counter = record.counter();
  state.random_state = record.random_state();
  state.next_sequential_page = record.next_sequential_page();
  state.owed_page_writes = record.owed_page_writes();
  state.owed_byte_nanoseconds = record.owed_byte_nanoseconds();
  state.write_counts.assign(record.write_counts().begin(), record.write_counts().end());
  return state;
}

std::uint64_t pages_of(const pb::VmConfig& config) {
  return config.memory_bytes() / kPageBytes;
}

std::uint64_t working_set_pages_of(const pb::VmConfig& config) {
  const std::uint64_t pages = std::max<std::uint64_t>(1, pages_of(config));
  if (config.working_set_bytes() == 0) return pages;
  return std::clamp<std::uint64_t>(config.working_set_bytes() / kPageBytes, 1, pages);
}

DeviceState fresh_device_state(const pb::VmConfig& config, std::uint64_t boot_id,
                               std::uint64_t counter, bool track_pages) {
  DeviceState state;
  state.boot_id = boot_id;
  state.counter = counter;
  state.random_state = boot_id;
  if (track_pages) {
    state.write_counts.assign(pages_of(config), config.fill() == pb::FILL_ZERO ? 0 : 1);
  }
  return state;
}

DirtyHabit habit_of(const pb::VmConfig& config) {
  const std::uint64_t pages = working_set_pages_of(config);
  const DirtyModel guest{config.dirty_bytes_per_second(), pages * kPageBytes};
  if (config.pattern() == pb::PATTERN_SEQUENTIAL) return DirtyHabit::sweep(guest, 0);
  const std::uint64_t hot = hot_pages(pages);
  if (config.pattern() != pb::PATTERN_HOT_SET || hot == pages) return DirtyHabit::even(guest);
  return DirtyHabit::hot_set(guest, hot * kPageBytes, kHotSetDivisor);
}

DirtyPieces modelled_memory(const pb::VmConfig& config) {
  const DirtyHabit habit = habit_of(config);
  return {habit,
          config.fill() == pb::FILL_ZERO ? habit.working_set_bytes() : config.memory_bytes()};
}

GuestModel::GuestModel(const pb::VmConfig& config, DeviceState state)
    : config_(config),
      pages_(pages_of(config)),
      working_set_pages_(working_set_pages_of(config)),
      state_(std::move(state)) {
  assert(state_.write_counts.empty() || state_.write_counts.size() == pages_);
  assert(state_.next_sequential_page < working_set_pages_);
}

Duration GuestModel::write_interval() const {
  const std::uint64_t rate = config_.dirty_bytes_per_second();
  if (rate == 0) return kNever;
  return std::max<Duration>(1, static_cast<Duration>(kByteNanosecondsPerWrite / rate));
}

std::uint64_t GuestModel::due(Duration elapsed, std::uint64_t max_writes) {
  assert(elapsed >= 0);
  const std::uint64_t rate = config_.dirty_bytes_per_second();
  const Wide earned =
      Wide{rate} * static_cast<std::uint64_t>(elapsed) + state_.owed_byte_nanoseconds;
  state_.owed_byte_nanoseconds = static_cast<std::uint64_t>(earned % kByteNanosecondsPerWrite);
  // A guest that cannot keep up is slow; it does not save its work up for ever.
  const Wide one_second = rate / kPageBytes + 1;
  const Wide owed =
      std::min(one_second, earned / kByteNanosecondsPerWrite + Wide{state_.owed_page_writes});
  const std::uint64_t writes = std::min(max_writes, static_cast<std::uint64_t>(owed));
  state_.owed_page_writes = static_cast<std::uint64_t>(owed) - writes;
  return writes;
}

std::uint64_t GuestModel::next_page() {
  if (config_.pattern() == pb::PATTERN_SEQUENTIAL) {
    const std::uint64_t page = state_.next_sequential_page;
    state_.next_sequential_page = (page + 1) % working_set_pages_;
    return page;
  }
  Random random(state_.random_state);
  const std::uint64_t hot = hot_pages(working_set_pages_);
  std::uint64_t page = 0;
  if (config_.pattern() != pb::PATTERN_HOT_SET || hot == working_set_pages_) {
    page = random.below(working_set_pages_);
  } else if (random.below(kHotSetDivisor) != 0) {
    page = random.below(hot);
  } else {
    page = hot + random.below(working_set_pages_ - hot);
  }
  state_.random_state = random.next();
  return page;
}

}  // namespace failsim
