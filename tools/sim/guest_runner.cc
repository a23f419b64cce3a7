#include "tools/sim/guest_runner.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/vm/task_result.h"
#include "tools/sim/transfer.h"

namespace failsim::sim {
namespace {

constexpr Duration kVolumeRetry = 100 * kMillisecond;
constexpr Duration kBootTime = 2 * kMillisecond;
constexpr std::uint64_t kStatePieceBytes = 256 * 1024;
constexpr const char* kImageIsGone = "its image is not there any more";

std::uint32_t number(VMTaskResult result) {
  return static_cast<std::uint32_t>(result);
}

bool is_refused(const pb::VolumeReply& reply) {
  return reply.code() == static_cast<std::uint32_t>(Code::kAccessDenied);
}

bool is_disk_broken(const pb::VolumeReply& reply) {
  return reply.code() == static_cast<std::uint32_t>(Code::kWriteFault);
}

bool is_done(const pb::VolumeReply& reply) {
  return reply.code() == static_cast<std::uint32_t>(Code::kOk);
}

}  // namespace

GuestRunner::~GuestRunner() {
  destroy();
}

// ---- Orders -------------------------------------------------------------------------------------

void GuestRunner::order(const GuestOrder& order) {
  const bool is_other_boot = phase_ != Phase::kAbsent && order.boot_id != order_.boot_id;
  if (is_other_boot) {
    destroy();
    phase_ = Phase::kAbsent;
  }
  order_ = order;
  // A guest that a transfer has paused runs again only by an order given after the transfer's end.
  if (held_by_ != 0 && !host_.has_sender(vm_, held_by_)) {
    held_by_ = 0;
    drained_ = {};
  }
  reach_want();
}

void GuestRunner::stop() {
  destroy();
  phase_ = Phase::kAbsent;
}

bool GuestRunner::crash() {
  if (guest_ == nullptr) return false;
  settle();
  destroy();
  fail(number(VMTaskResult::kUnexpectedError), "the guest has stopped by itself");
  return true;
}

void GuestRunner::lose_pages(std::uint64_t boot_id) {
  if (phase_ != Phase::kAbsent && order_.boot_id == boot_id) {
    lose_image("pages that it misses will not come");
  }
}

void GuestRunner::dirty_rate_changed() {
  if (guest_ == nullptr) return;
  catch_up();
  guest_->set_dirty_rate(host_.dirty_rates().rate(vm_, order_.config.dirty_bytes_per_second()));
}

void GuestRunner::reach_want() {
  if (order_.want == pb::GUEST_ABSENT) {
    destroy();
    phase_ = Phase::kAbsent;
    say(pb::CONDITION_ABSENT);
    return;
  }
  if (phase_ == Phase::kStarting) {
    say(pb::CONDITION_STARTING);
    return;
  }
  if (order_.want == pb::GUEST_SAVED) {
    if (phase_ == Phase::kSaved) say(pb::CONDITION_SAVED);
    if (phase_ == Phase::kPresent) save();
    if (phase_ == Phase::kAbsent || phase_ == Phase::kFailed || phase_ == Phase::kImageLost) {
      fail(number(VMTaskResult::kUnexpectedError), "there is no guest here to save");
    }
    return;
  }
  if (phase_ == Phase::kSaving) return;
  if (phase_ != Phase::kPresent) {
    start();
  } else if (registered_epoch_ != order_.epoch) {
    register_again();
  } else if (order_.want == pb::GUEST_RUNNING) {
    say(pb::CONDITION_RUNNING);
  } else {
    say_pause_reached();
  }
}

void GuestRunner::say(pb::GuestCondition condition) {
  host_.report(GuestReport{vm_, order_.epoch, order_.boot_id, condition, 0, ""});
}

void GuestRunner::fail(std::uint32_t task_result, const std::string& error) {
  if (guest_ == nullptr) {
    destroy();
    phase_ = Phase::kFailed;
  }
  host_.report(GuestReport{vm_, order_.epoch, order_.boot_id, pb::CONDITION_FAILED, task_result,
                           "VM '" + vm_ + "' on " + node_name(host_.self()) + ": " + error + "."});
}

void GuestRunner::lose_image(const std::string& error) {
  destroy();
  phase_ = Phase::kImageLost;
  host_.report(GuestReport{vm_, order_.epoch, order_.boot_id, pb::CONDITION_IMAGE_LOST, 0,
                           "VM '" + vm_ + "' on " + node_name(host_.self()) + ": " + error + "."});
}

// Frozen is said once the guest's last write is at rest.
void GuestRunner::say_pause_reached() {
  if (order_.want == pb::GUEST_FROZEN && phase_ == Phase::kPresent && !is_appending_) {
    say(pb::CONDITION_FROZEN);
  }
}

void GuestRunner::destroy() {
  ++work_;
  if (is_executing_) {
    host_.observer().guest_stops(host_.process(), vm_);
    is_executing_ = false;
  }
  guest_.reset();
  const std::uint64_t bytes = std::exchange(reserved_bytes_, 0);
  if (!host_.keeps_pages(vm_, held_by_, bytes)) host_.release(bytes);
  registered_epoch_.reset();
  is_appending_ = false;
  held_by_ = 0;
  drained_ = {};
  throttle_percent_ = 0;
}

// ---- Coming to be -------------------------------------------------------------------------------

void GuestRunner::start() {
  destroy();
  phase_ = Phase::kStarting;
  if (order_.origin == pb::ORIGIN_IMAGE) {
    const Receiver* image = host_.receiver(vm_, order_.image_job, order_.image_attempt);
    if (image == nullptr || !image->may_resume()) return lose_image(kImageIsGone);
  } else {
    if (host_.faults().strikes(HostStep::kStart)) {
      return fail(number(VMTaskResult::kUnexpectedError), "the guest does not start");
    }
    if (!host_.reserve(order_.config.memory_bytes())) {
      return fail(number(VMTaskResult::kOutOfMemoryError), "the node has not enough memory for it");
    }
    reserved_bytes_ = order_.config.memory_bytes();
  }
  say(pb::CONDITION_STARTING);
  pb::VolumeRequest asked = request();
  asked.mutable_register_();
  ask(std::move(asked), [this, epoch = order_.epoch](const pb::VolumeReply& reply) {
    if (!is_done(reply)) {
      return fail(number(VMTaskResult::kDiskRelatedError),
                  "the shared volume does not take its registration: " + reply.message());
    }
    registered_epoch_ = epoch;
    registered(reply);
  });
}

void GuestRunner::registered(const pb::VolumeReply& reply) {
  switch (order_.origin) {
    case pb::ORIGIN_SAVED_STATE:
      return read_saved_state(reply.last_counter());
    case pb::ORIGIN_IMAGE:
      return resume_image();
    default:
      break;
  }
  host_.later(kBootTime, [this, work = work_, counter = reply.last_counter()] {
    if (work != work_) return;
    present(fresh_device_state(order_.config, order_.boot_id, counter, !order_.config.modelled()));
  });
}

void GuestRunner::read_saved_state(std::uint64_t last_counter) {
  pb::VolumeRequest asked = request();
  asked.mutable_read_state()->set_length(std::uint32_t{1} << 20);
  ask(std::move(asked), [this, last_counter](const pb::VolumeReply& reply) {
    std::optional<DeviceState> state;
    if (is_done(reply)) state = decode_device_state(reply.data(), order_.config);
    if (!state) {
      return fail(number(VMTaskResult::kIncompatibleSavedStateError),
                  "its saved state cannot be read: " + reply.message());
    }
    // A former owner, who died before anybody knew, restored the guest and it has worked since.
    if (state->counter != last_counter) return lose_image("its disk is ahead of its saved state");
    state->boot_id = order_.boot_id;
    present(std::move(*state));
  });
}

void GuestRunner::resume_image() {
  Receiver* image = host_.receiver(vm_, order_.image_job, order_.image_attempt);
  if (image == nullptr || host_.faults().strikes(HostStep::kResume)) {
    return lose_image(kImageIsGone);
  }
  host_.later(image->time_before_resume(), [this, work = work_] {
    if (work != work_) return;
    Receiver* checked = host_.receiver(vm_, order_.image_job, order_.image_attempt);
    if (checked == nullptr) return lose_image(kImageIsGone);
    reserved_bytes_ = checked->hand_over_memory();
    present(checked->device());
    checked->resumed();
  });
}

void GuestRunner::present(DeviceState state) {
  guest_ = std::make_unique<Guest>(order_.config, std::move(state), host_.mistakes());
  has_begun_ = false;
  phase_ = Phase::kPresent;
  dirty_rate_changed();
  reach_want();
  settle();
}

// The same guest under a newer epoch: it goes on once the volume knows.
void GuestRunner::register_again() {
  registered_epoch_.reset();
  pb::VolumeRequest asked = request();
  asked.mutable_register_();
  ask(std::move(asked), [this, epoch = order_.epoch](const pb::VolumeReply& reply) {
    if (epoch != order_.epoch) return;
    if (!is_done(reply)) {
      destroy();
      return fail(number(VMTaskResult::kDiskRelatedError), "the shared volume has fenced it");
    }
    registered_epoch_ = epoch;
    reach_want();
    settle();
  });
}

// ---- Executing ----------------------------------------------------------------------------------

void GuestRunner::settle() {
  const Time now = host_.now();
  const bool may_execute = phase_ == Phase::kPresent && order_.want == pb::GUEST_RUNNING &&
                           registered_epoch_ == order_.epoch && held_by_ == 0 &&
                           !host_.is_suspended() && now < host_.lease_until();
  catch_up();
  const bool executed = is_executing();
  if (!may_execute) {
    if (executed) host_.observer().guest_stops(host_.process(), vm_);
    is_executing_ = false;
    return;
  }
  if (!executed) executed_to_ = now;
  if (!std::exchange(has_begun_, true)) {
    host_.observer().guest_begins(host_.self(), vm_, guest_->counter());
  }
  if (!executed || executes_until_ != host_.lease_until()) {
    host_.observer().guest_executes(host_.process(), vm_, order_.epoch, host_.lease_until());
  }
  is_executing_ = true;
  executes_until_ = host_.lease_until();
  if (!has_quantum_) await_quantum();
}

void GuestRunner::catch_up() {
  if (!is_executing_) return;
  const Time end = std::min(host_.now(), executes_until_);
  if (end <= executed_to_) return;
  const Duration hundredths =
      (end - std::exchange(executed_to_, end)) * (100 - Duration{throttle_percent_}) +
      throttle_fraction_;
  throttle_fraction_ = hundredths % 100;
  const Duration elapsed = hundredths / 100;
  FollowingPages* pages = following();
  if (pages == nullptr) return guest_->execute(elapsed);
  if (pages->is_stalled()) return;
  const auto wanted =
      guest_->execute(elapsed, [pages](std::uint64_t page) { return pages->has(page); });
  if (wanted) pages->wait_for(*wanted);
}

FollowingPages* GuestRunner::following() {
  if (order_.origin != pb::ORIGIN_IMAGE) return nullptr;
  Receiver* image = host_.receiver(vm_, order_.image_job, order_.image_attempt);
  FollowingPages* pages = image == nullptr ? nullptr : image->following();
  return pages == nullptr || pages->missing().empty() ? nullptr : pages;
}

void GuestRunner::throttle(std::uint32_t percent) {
  assert(percent < 100);
  if (percent == throttle_percent_) return;
  catch_up();
  throttle_percent_ = percent;
  if (has_quantum_) await_quantum();
}

// The guest counts in its own time.
void GuestRunner::await_quantum() {
  has_quantum_ = true;
  const Duration length = host_.quality().quantum * 100 / (100 - Duration{throttle_percent_});
  host_.later(length, [this, number = ++quantum_number_] {
    if (number == quantum_number_) quantum();
  });
}

void GuestRunner::quantum() {
  has_quantum_ = false;
  if (!is_executing()) return;
  catch_up();
  const FollowingPages* pages = following();
  if (!is_appending_ && (pages == nullptr || !pages->is_stalled())) {
    guest_->count();
    append();
  }
  await_quantum();
}

void GuestRunner::append() {
  is_appending_ = true;
  pb::VolumeRequest asked = request();
  *asked.mutable_epoch() = pb::Epoch();
  asked.mutable_epoch()->set_recovery(registered_epoch_->recovery);
  asked.mutable_epoch()->set_counter(registered_epoch_->counter);
  asked.mutable_append()->set_counter(guest_->counter());
  asked.mutable_append()->set_boot_id(order_.boot_id);
  ask(std::move(asked), [this, epoch = *registered_epoch_](const pb::VolumeReply& reply) {
    if (is_refused(reply) && registered_epoch_ && registered_epoch_ != epoch) {
      return append();  // it was under way while the guest registered anew
    }
    append_answered(reply);
  });
}

void GuestRunner::append_answered(const pb::VolumeReply& reply) {
  is_appending_ = false;
  if (!is_done(reply)) {
    destroy();
    return fail(number(VMTaskResult::kDiskRelatedError),
                "the shared volume refuses its write: " + reply.message());
  }
  drain_ended();
}

void GuestRunner::drain_ended() {
  say_pause_reached();
  if (phase_ == Phase::kSaving) save();
  if (drained_) std::exchange(drained_, {})();
}

void GuestRunner::hold(TaskId job, std::function<void()> drained) {
  held_by_ = job;
  settle();
  host_.observer().source_paused(host_.process(), vm_, job);
  drained_ = std::move(drained);
  if (host_.makes(Mistake::kResumeSourceByTimer)) {
    host_.later(kSecond, [this, work = work_, job] {
      if (work != work_ || held_by_ != job) return;
      held_by_ = 0;
      settle();
    });
  }
  if (!is_appending_) std::exchange(drained_, {})();
}

// ---- Saving -------------------------------------------------------------------------------------

void GuestRunner::save() {
  phase_ = Phase::kSaving;
  settle();
  if (is_appending_) return;
  if (host_.faults().strikes(HostStep::kSave)) {
    phase_ = Phase::kPresent;
    return fail(number(VMTaskResult::kDiskRelatedError), "its saved state cannot be written");
  }
  write_state(std::make_shared<const std::string>(encode(guest_->device())), 0);
}

void GuestRunner::write_state(std::shared_ptr<const std::string> bytes, std::uint64_t offset) {
  const std::uint64_t end = std::min<std::uint64_t>(bytes->size(), offset + kStatePieceBytes);
  pb::VolumeRequest asked = request();
  asked.mutable_write_state()->set_offset(offset);
  asked.mutable_write_state()->set_data(bytes->substr(offset, end - offset));
  asked.mutable_write_state()->set_last(end == bytes->size());
  ask(std::move(asked), [this, bytes, end](const pb::VolumeReply& reply) {
    if (!is_done(reply)) {
      phase_ = Phase::kPresent;
      return fail(number(VMTaskResult::kDiskRelatedError),
                  "its saved state cannot be written: " + reply.message());
    }
    if (end < bytes->size()) return write_state(bytes, end);
    destroy();
    phase_ = Phase::kSaved;
    reach_want();
  });
}

// ---- The shared volume --------------------------------------------------------------------------

pb::VolumeRequest GuestRunner::request() const {
  pb::VolumeRequest request;
  request.set_vm(vm_);
  request.mutable_epoch()->set_recovery(order_.epoch.recovery);
  request.mutable_epoch()->set_counter(order_.epoch.counter);
  return request;
}

// A question whose answer was lost, or for which the disk had no place, is asked again: each of
// them may be performed twice. A guest waits for its disk.
void GuestRunner::ask(pb::VolumeRequest request,
                      std::function<void(const pb::VolumeReply&)> answered) {
  host_.ask_volume(request, [this, work = work_, request, answered](const pb::VolumeReply* reply) {
    if (work != work_) return;
    if (reply != nullptr && !is_disk_broken(*reply)) return answered(*reply);
    host_.later(kVolumeRetry, [this, work, request, answered] {
      if (work == work_) ask(request, answered);
    });
  });
}

}  // namespace failsim::sim
