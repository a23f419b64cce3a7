// The guest of a source: what the thread of the transfer asks of it, and what the guest thread has
// answered.
//
// A question is a task of the guest thread, which keeps this object alive until it has answered and
// then wakes the transfer. Whatever is taken from the guest for the transfer is held by the guest:
// the freeze until it is ordered on (guest.h), the throttle only for as long as this object lives.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/dirty_habit.h"
#include "node/hypervisor/guest_scheduler.h"
#include "node/hypervisor/source_signals.h"

namespace failsim::node {

class SourceGuest final : public FreezeObserver, public std::enable_shared_from_this<SourceGuest> {
 public:
  // Returns when the transfer was woken; false if it is over.
  using Wait = std::function<bool()>;
  struct Found {
    std::shared_ptr<GuestMemory> memory;
    std::optional<DirtyHabit> habit;  // what it was seen to do
  };

  // `node` is the name of this one, for messages. The scheduler must outlive it.
  SourceGuest(TransferOrder order, std::string node, GuestScheduler& scheduler,
              std::shared_ptr<SourceSignals> signals);

  // ---- of the thread of the transfer ----
  // Each asks once and waits for the answer. Nothing if the guest has none, which `why` says in a
  // sentence; or if the wait ended, which leaves `why` empty.
  std::optional<Found> find(const Wait& wait, std::string& why);
  // Guest::count_writes_from_now().
  std::optional<std::vector<std::uint32_t>> count_writes_from_now(const Wait& wait,
                                                                  std::string& why);
  // It executes no more, whatever becomes of the transfer. When it stopped.
  std::optional<Time> freeze(const Wait& wait, std::string& why);
  // After freeze(): its state, as soon as none of its requests is under way at its disk.
  std::optional<DeviceState> drained_state(const Wait& wait, std::string& why);
  // Takes so much of its time; false if that is no change.
  bool throttle(std::uint32_t percent);

  // ---- from any thread ----
  void end_throttle();
  std::uint32_t throttle_percent() const { return throttle_->load(); }
  Time stopped_at() const { return stopped_at_.load(std::memory_order_acquire); }  // or kNever

  // ---- FreezeObserver ----
  void guest_stopped(Time at) override;
  void guest_drained(const DeviceState& state) override;
  void guest_unavailable(const std::string& why) override;
  bool dropped() const override { return signals_->dropped(); }

 private:
  void ask(std::function<void(Guest* guest)> question);
  template <typename T>
  void tell(std::optional<T>& told, T answer);
  template <typename T>
  std::optional<T> await(std::optional<T>& told, const Wait& wait, std::string& why);

  const TransferOrder order_;
  const std::string node_;
  GuestScheduler& scheduler_;
  const std::shared_ptr<SourceSignals> signals_;
  const std::shared_ptr<Throttle> throttle_ = std::make_shared<Throttle>(0);
  std::atomic<Time> stopped_at_ = kNever;

  std::mutex mutex_;  // of the answers
  std::optional<Found> found_;
  std::optional<std::vector<std::uint32_t>> counts_;
  std::optional<Time> stopped_;
  std::optional<DeviceState> state_;
  std::optional<std::string> unavailable_;
};

}  // namespace failsim::node
