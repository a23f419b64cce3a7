#include "node/hypervisor/source_guest.h"

#include <utility>

namespace failsim::node {

SourceGuest::SourceGuest(TransferOrder order, std::string node, GuestScheduler& scheduler,
                         std::shared_ptr<SourceSignals> signals)
    : order_(std::move(order)),
      node_(std::move(node)),
      scheduler_(scheduler),
      signals_(std::move(signals)) {}

// ---- of the thread of the transfer --------------------------------------------------------------

std::optional<SourceGuest::Found> SourceGuest::find(const Wait& wait, std::string& why) {
  ask([self = shared_from_this()](Guest* guest) {
    std::string reason =
        "VM '" + self->order_.vm + "' has no guest on " + self->node_ + " to be migrated";
    Found found;
    if (guest != nullptr) {
      found.memory = guest->memory_to_send(reason);
      found.habit = guest->watched_habit();
    }
    if (found.memory == nullptr) return self->guest_unavailable(reason);
    self->tell(self->found_, std::move(found));
  });
  return await(found_, wait, why);
}

std::optional<std::vector<std::uint32_t>> SourceGuest::count_writes_from_now(const Wait& wait,
                                                                             std::string& why) {
  ask([self = shared_from_this()](Guest* guest) {
    std::string reason = "VM '" + self->order_.vm + "' has left " + self->node_;
    if (guest == nullptr || guest->memory_to_send(reason) == nullptr) {
      return self->guest_unavailable(reason);
    }
    self->tell(self->counts_, guest->count_writes_from_now());
  });
  return await(counts_, wait, why);
}

std::optional<Time> SourceGuest::freeze(const Wait& wait, std::string& why) {
  ask([self = shared_from_this()](Guest* guest) {
    if (guest == nullptr) {
      return self->guest_unavailable("VM '" + self->order_.vm + "' has no guest on " + self->node_ +
                                     " that could be paused");
    }
    guest->freeze_for(self, self->order_.job, self->order_.attempt);
  });
  return await(stopped_, wait, why);
}

std::optional<DeviceState> SourceGuest::drained_state(const Wait& wait, std::string& why) {
  return await(state_, wait, why);
}

bool SourceGuest::throttle(std::uint32_t percent) {
  if (throttle_->exchange(percent) == percent) return false;
  ask([throttle = throttle_](Guest* guest) {
    if (guest != nullptr) guest->throttle_by(throttle);
  });
  return true;
}

void SourceGuest::end_throttle() {
  if (throttle_->exchange(0) == 0) return;
  ask([](Guest* guest) {
    if (guest != nullptr) guest->throttle_by({});
  });
}

void SourceGuest::ask(std::function<void(Guest* guest)> question) {
  scheduler_.with_guest(order_.vm, order_.boot_id, std::move(question));
}

template <typename T>
std::optional<T> SourceGuest::await(std::optional<T>& told, const Wait& wait, std::string& why) {
  while (!dropped()) {
    {
      const std::lock_guard lock(mutex_);
      if (told) return std::exchange(told, std::nullopt);
      if (unavailable_) {
        why = *unavailable_;
        return std::nullopt;
      }
    }
    if (!wait()) break;
  }
  return std::nullopt;
}

// ---- of the guest thread ------------------------------------------------------------------------

template <typename T>
void SourceGuest::tell(std::optional<T>& told, T answer) {
  const std::lock_guard lock(mutex_);
  told = std::move(answer);
  signals_->of(0).wake();
}

void SourceGuest::guest_stopped(Time at) {
  stopped_at_.store(at, std::memory_order_release);
  tell(stopped_, at);
}

void SourceGuest::guest_drained(const DeviceState& state) {
  tell(state_, state);
}

void SourceGuest::guest_unavailable(const std::string& why) {
  tell(unavailable_, why);
}

}  // namespace failsim::node
