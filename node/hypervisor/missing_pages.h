// The pages that follow a guest, as the guest sees them (post-copy): it stands still where it would
// touch one that is not here. On the guest thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "cluster/migration/precopy.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"
#include "node/hypervisor/presence_map.h"

namespace failsim::node {

class MissingPages {
 public:
  // `arrived` runs on another thread when the page that is waited for, or the last one, is here.
  MissingPages(std::shared_ptr<PresenceMap> map, std::function<void()> arrived)
      : map_(std::move(map)) {
    map_->set_arrived(std::move(arrived));
  }
  ~MissingPages() { map_->set_arrived({}); }
  MissingPages(const MissingPages&) = delete;
  MissingPages& operator=(const MissingPages&) = delete;

  bool has(std::uint64_t page) const { return map_->has(page); }
  bool is_complete() const { return map_->is_complete(); }
  bool is_stalled() const { return stalled_on_.has_value(); }

  void stall(std::uint64_t page, Time now) {
    stalled_on_ = page;
    stalled_since_ = now;
    ++requested_;
    map_->want(page);
  }
  // Whether a stall is over now.
  bool resolve(Time now) {
    if (!stalled_on_ || !map_->has(*stalled_on_)) return false;
    stalled_ += now - stalled_since_;
    stalled_on_.reset();
    return true;
  }

  // When all of them are here; the statistics are of the source, which knew what was missing.
  void tell(pb::MigrationStatistics& statistics) const {
    const std::uint64_t bytes = statistics.remaining_bytes();
    statistics.set_followed_pages(bytes / kPageBytes);
    statistics.set_requested_pages(requested_);
    statistics.set_stalled_ns(stalled_);
    statistics.set_bytes_sent(statistics.bytes_sent() + bytes);
    statistics.set_remaining_bytes(0);
  }

 private:
  const std::shared_ptr<PresenceMap> map_;
  std::optional<std::uint64_t> stalled_on_;
  Time stalled_since_ = 0;
  Duration stalled_ = 0;
  std::uint64_t requested_ = 0;
};

}  // namespace failsim::node
