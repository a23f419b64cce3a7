// A guest at work: quanta of page writes, counts appended to its journal, and the time of its own
// that both are measured in.
#include <algorithm>
#include <utility>

#include "cluster/error.h"
#include "cluster/state/change.h"
#include "node/hypervisor/guest.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"
#include "node/hypervisor/volume_answer.h"

namespace failsim::node {
namespace {

// Work between two looks at the lease: about half a millisecond of page writes.
constexpr std::uint64_t kWritesPerQuantum = 512;

constexpr Duration kShortestSleep = kMillisecond;
// Time the host took away from a guest is not the guest's.
constexpr Duration kLongestGap = 100 * kMillisecond;

Time next_grid(Time at) {
  return (at + kShortestSleep - 1) / kShortestSleep * kShortestSleep;
}

}  // namespace

void Guest::run(Time now) {
  if (retry_at_ <= now && retry_action_ != nullptr) {
    retry_at_ = kNever;
    (this->*std::exchange(retry_action_, nullptr))();
    if (destroyed_) return;
  }
  if (executing_) quantum(now);
  schedule(boottime_now());
}

void Guest::lease_extended(Time now) {
  waiting_for_lease_ = false;
  last_ran_ = now;  // guest time stood still
  schedule(now);
}

void Guest::quantum(Time now) {
  if (!host_.may_execute()) {
    note_stops();
    waiting_for_lease_ = true;
    return;
  }
  waiting_for_lease_ = false;
  if (missing_ && missing_->is_stalled()) return;
  if (!executed_) on_first_quantum(now);
  note_executes();
  if (host_.faults() != nullptr) {
    suffer_faults();
    if (!executing_) return;
  }
  const std::uint32_t taken = throttle_percent();
  const Duration elapsed =
      std::clamp<Duration>(now - last_ran_, 0, kLongestGap) * (100 - Duration{taken}) / 100;
  last_ran_ = now;
  last_quantum_at_ = now;
  guest_time_ += elapsed;
  if (missing_) {
    execute_with_pages_missing(elapsed);
  } else if (model_->tracks_pages()) {
    model_->execute(elapsed, kWritesPerQuantum,
                    [this](std::uint64_t page, std::uint32_t count) { write_page(page, count); });
  }
  if (guest_time_ >= next_count_at_ && !append_outstanding_) {
    next_count_at_ = std::max(next_count_at_, guest_time_ - kLongestGap) + host_.count_interval();
    model_->count();
    append_counter();
  }
  if (model_->tracks_pages() && guest_time_ >= next_look_at_) watch();
  // Of a guest that has more to do than time for it, the same share of the processor.
  rests_until_ = 0;
  if (taken == 0) return;
  const Duration whole = (boottime_now() - now) * 100 / (100 - Duration{taken});
  rests_until_ = now + std::min(whole, kLongestGap);
}

std::uint32_t Guest::throttle_percent() const {
  const std::shared_ptr<const Throttle> throttle = throttle_.lock();
  return throttle == nullptr ? 0 : throttle->load(std::memory_order_acquire);
}

void Guest::throttle_by(std::weak_ptr<const Throttle> throttle) {
  throttle_ = std::move(throttle);
  rests_until_ = 0;
  schedule(boottime_now());
}

void Guest::on_first_quantum(Time now) {
  executed_ = true;
  last_ran_ = now;
  next_count_at_ = std::max(next_count_at_, guest_time_ + host_.count_interval());
  set_condition(pb::CONDITION_RUNNING);
  if (resumed_ && resumed_->held_at != 0) report_resumed(now);
}

void Guest::execute_with_pages_missing(Duration elapsed) {
  if (!model_->tracks_pages()) return;
  const auto wanted = model_->execute_until(
      elapsed, kWritesPerQuantum, [this](std::uint64_t page) { return missing_->has(page); },
      [this](std::uint64_t page, std::uint32_t count) { write_page(page, count); });
  if (wanted) missing_->stall(*wanted, boottime_now());
}

void Guest::write_page(std::uint64_t page, std::uint32_t count) {
  if (checker_) checker_->before_write(*memory_, model_->state().boot_id, page, count - 1);
  memory_->begin_write(page);
  stamp_page(memory_->page(page), model_->state().boot_id, page, count);
  memory_->end_write(page);
}

// Asks for the next quantum: at once if page writes are owed, else with the next write or count.
// Times are rounded up to a grid, so that many guests share a wake-up.
void Guest::schedule(Time now) {
  Time at = retry_at_;
  const bool is_stalled = missing_ && missing_->is_stalled();
  if (executing_ && !waiting_for_lease_ && !is_stalled) {
    const bool writes = model_->tracks_pages();
    if (writes && model_->state().owed_page_writes > 0) {
      at = std::min(at, now);
    } else {
      Duration pause = append_outstanding_ ? kSecond : next_count_at_ - guest_time_;
      if (writes) pause = std::min(pause, model_->write_interval());
      const Duration rest = pause * 100 / (100 - Duration{throttle_percent()});
      at = std::min(at, next_grid(std::max(last_ran_ + rest, now + kShortestSleep)));
    }
    at = std::max(at, std::min(rests_until_, retry_at_));
  }
  host_.wake_at(*this, at);
}

void Guest::append_counter() {
  append_outstanding_ = true;
  pb::VolumeRequest request;
  const std::uint64_t counter = model_->state().counter;
  request.mutable_append()->set_counter(counter);
  request.mutable_append()->set_boot_id(order_.boot_id);
  submit(std::move(request),
         [this, counter](const pb::VolumeReply& reply) { on_appended(counter, reply); });
}

void Guest::on_appended(std::uint64_t counter, const pb::VolumeReply& reply) {
  if (is(reply, Code::kAccessDenied) || is(reply, Code::kInvalidData)) {
    append_outstanding_ = false;
    fail(VMTaskResult::kDiskRelatedError, "the shared volume refused the work of VM '" + order_.vm +
                                              "' on " + host_.node() + ": " + reply.message());
    return;
  }
  if (!is(reply, Code::kOk)) {
    retry(&Guest::append_counter);  // a guest waits for its disk
    return;
  }
  append_outstanding_ = false;
  view_->counter.store(counter);
  advance();
  if (executing_) schedule(boottime_now());
}

// What may hit a guest in the middle of its work.
void Guest::suffer_faults() {
  model_->set_dirty_rate(
      host_.faults()->dirty_rate(order_.vm).value_or(order_.config.dirty_bytes_per_second()));
  if (!host_.faults()->crashes(order_.vm)) return;
  fail(VMTaskResult::kUnexpectedError,
       "the guest of VM '" + order_.vm + "' on " + host_.node() + " stopped with a stop error");
}

// ---- for those who watch ------------------------------------------------------------------------

void Guest::note_executes() {
  if (host_.observations() == nullptr || std::exchange(noted_executing_, true)) return;
  pb::Observation observation;
  auto& executes = *observation.mutable_guest_executes();
  executes.set_vm(order_.vm);
  set_epoch(executes.mutable_epoch(), *registered_);
  executes.set_counter(model_->state().counter);
  executes.set_is_first(!std::exchange(has_begun_, true));
  host_.observations()->note(std::move(observation));
}

void Guest::note_stops() {
  if (host_.observations() == nullptr || !std::exchange(noted_executing_, false)) return;
  pb::Observation observation;
  observation.mutable_guest_stops()->set_vm(order_.vm);
  observation.mutable_guest_stops()->set_last_quantum_ns(true_boottime_of(last_quantum_at_));
  host_.observations()->note(std::move(observation));
}

void Guest::note_held(bool held) {
  if (host_.observations() == nullptr || std::exchange(noted_held_, held) == held) return;
  pb::Observation observation;
  auto& noted = *observation.mutable_guest_held();
  noted.set_vm(order_.vm);
  noted.set_boot_id(order_.boot_id);
  noted.set_held(held);
  host_.observations()->note(std::move(observation));
}

}  // namespace failsim::node
