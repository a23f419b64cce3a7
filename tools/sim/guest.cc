#include "tools/sim/guest.h"

#include <limits>
#include <utility>

namespace failsim::sim {

Guest::Guest(const pb::VmConfig& config, DeviceState state, Mistakes mistakes)
    : config_(config), mistakes_(mistakes), model_(config, std::move(state)) {}

void Guest::set_dirty_rate(std::uint64_t bytes_per_second) {
  if (config_.dirty_bytes_per_second() == bytes_per_second) return;
  config_.set_dirty_bytes_per_second(bytes_per_second);
  model_ = GuestModel(config_, model_.state());
}

void Guest::execute(Duration elapsed) {
  if (config_.modelled()) {
    executed_ += elapsed;
    return;
  }
  model_.execute(elapsed, std::numeric_limits<std::uint64_t>::max(),
                 [this](std::uint64_t page, std::uint32_t) {
                   if (dirty_pages_) dirty_pages_->set(page);
                 });
}

std::optional<std::uint64_t> Guest::execute(
    Duration elapsed, const std::function<bool(std::uint64_t page)>& is_here) {
  if (config_.modelled()) {
    execute(elapsed);
    return std::nullopt;
  }
  return model_.execute_until(elapsed, std::numeric_limits<std::uint64_t>::max(), is_here,
                              [this](std::uint64_t page, std::uint32_t) {
                                if (dirty_pages_) dirty_pages_->set(page);
                              });
}

void Guest::track_dirty() {
  is_tracking_ = true;
  is_all_dirty_ = true;
  if (config_.modelled()) return;
  dirty_pages_ = std::make_unique<DirtyBitmap>(model_.pages(), mistakes_);
  dirty_pages_->set_all();
}

void Guest::stop_tracking() {
  is_tracking_ = false;
  dirty_pages_.reset();
}

std::uint64_t Guest::dirty_bytes() const {
  if (dirty_pages_) return dirty_pages_->count() * kPageBytes;
  if (!is_tracking_) return 0;
  return is_all_dirty_ ? config_.memory_bytes() : expected_dirty_bytes(config_, executed_);
}

std::uint64_t Guest::take_dirty_bytes() {
  const std::uint64_t taken = dirty_bytes();
  is_all_dirty_ = false;
  executed_ = 0;
  return taken;
}

}  // namespace failsim::sim
