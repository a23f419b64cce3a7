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
  if (dirty_pieces_) dirty_pieces_->set_steps_per_second(bytes_per_second);
}

void Guest::execute(Duration elapsed) {
  if (config_.modelled()) {
    if (dirty_pieces_) dirty_pieces_->execute(elapsed);
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
  if (config_.modelled()) {
    dirty_pieces_ = modelled_memory(config_);
    return;
  }
  dirty_pages_ = std::make_unique<DirtyBitmap>(model_.pages(), mistakes_);
  dirty_pages_->set_all();
}

void Guest::stop_tracking() {
  dirty_pages_.reset();
  dirty_pieces_.reset();
}

std::uint64_t Guest::dirty_bytes() const {
  if (dirty_pages_) return dirty_pages_->count() * kPageBytes;
  return dirty_pieces_ ? dirty_pieces_->dirty_bytes() : 0;
}

}  // namespace failsim::sim
