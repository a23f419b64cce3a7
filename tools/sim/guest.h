// The memory and the clockwork of a virtual guest: a write count for each page instead of its
// bytes, or, for a modelled VM, only how much of it is dirty.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "cluster/migration/dirty_pieces.h"
#include "cluster/migration/precopy.h"
#include "cluster/mistakes.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"
#include "cluster/vm/guest_model.h"

namespace failsim::sim {

class Guest {
 public:
  Guest(const pb::VmConfig& config, DeviceState state, Mistakes mistakes = {});

  // It executed for this long.
  void execute(Duration elapsed);
  // The same of a guest that misses pages: returns the first it would have written, where it waits.
  std::optional<std::uint64_t> execute(Duration elapsed,
                                       const std::function<bool(std::uint64_t page)>& is_here);
  // The next value of its counter, for its disk.
  std::uint64_t count() { return model_.count(); }

  const DeviceState& device() const { return model_.state(); }
  const pb::VmConfig& config() const { return config_; }
  void set_dirty_rate(std::uint64_t bytes_per_second);
  std::uint64_t counter() const { return model_.state().counter; }

  // From now on written pages are remembered; all of them are at first.
  void track_dirty();
  void stop_tracking();
  // Null unless tracking and not modelled.
  DirtyBitmap* dirty_pages() { return dirty_pages_.get(); }
  // Null unless tracking and modelled.
  DirtyPieces* dirty_pieces() { return dirty_pieces_ ? &*dirty_pieces_ : nullptr; }
  std::uint64_t dirty_bytes() const;

 private:
  pb::VmConfig config_;
  [[no_unique_address]] Mistakes mistakes_;
  GuestModel model_;
  std::unique_ptr<DirtyBitmap> dirty_pages_;
  std::optional<DirtyPieces> dirty_pieces_;
};

}  // namespace failsim::sim
