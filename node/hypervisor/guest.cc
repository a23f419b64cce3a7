#include "node/hypervisor/guest.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/error.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"

namespace failsim::node {
namespace {

// Work between two looks at the lease: about half a millisecond of page writes.
constexpr std::uint64_t kWritesPerQuantum = 512;

constexpr Duration kShortestSleep = kMillisecond;
// Time the host took away from a guest is not the guest's.
constexpr Duration kLongestGap = 100 * kMillisecond;
constexpr Duration kCurveShownEvery = 500 * kMillisecond;
constexpr Duration kRetryInterval = 100 * kMillisecond;

pb::Epoch record_of(const Epoch& epoch) {
  pb::Epoch record;
  record.set_recovery(epoch.recovery);
  record.set_counter(epoch.counter);
  return record;
}

bool is(const pb::VolumeReply& reply, Code code) {
  return reply.code() == static_cast<std::uint32_t>(code);
}

Time next_grid(Time at) {
  return (at + kShortestSleep - 1) / kShortestSleep * kShortestSleep;
}

}  // namespace

Guest::Guest(GuestHost& host, GuestOrder order, std::shared_ptr<GuestView> view)
    : host_(host), order_(std::move(order)), view_(std::move(view)) {
  ordered_at_ = boottime_now();
  view_->boot_id.store(order_.boot_id);
}

Guest::~Guest() {
  assert(destroyed_);
}

void Guest::begin() {
  note_held(true);
  report_condition();
  advance();
}

void Guest::order(const GuestOrder& order) {
  assert(order.boot_id == order_.boot_id);
  order_ = order;
  if (hold_ == Hold::kDropped) hold_ = Hold::kNone;
  // A save that failed left a whole guest: this order is a new attempt.
  if (condition_ == pb::CONDITION_FAILED && phase_ == Phase::kReady) {
    condition_ = pb::CONDITION_FROZEN;
    task_result_ = VMTaskResult::kSuccess;
    error_.clear();
  }
  report_condition();
  advance();
}

void Guest::destroy(const std::string& why) {
  destroyed_ = true;
  stop_executing();
  stop_observer(why);
  leave_pages();
  drop_memory();
  view_->exists.store(false);
  view_->set_dirty_curve({});
  host_.wake_at(*this, kNever);
}

// A guest that was sent away may come back.
void Guest::leave_pages() {
  const bool was_sent = phase_ == Phase::kReady && hold_ != Hold::kNone && !append_outstanding_;
  if (!was_sent || checker_ || !memory_->is_mapped() || !model_->tracks_pages()) return;
  // The content is named by the boot that wrote it; after a restore that is not the order's.
  if (model_->state().boot_id != order_.boot_id) return;
  host_.kept_pages().keep(order_.vm, order_.boot_id,
                          {std::move(memory_), model_->state().write_counts});
  memory_.reset();
}

// ---- levels -------------------------------------------------------------------------------------

void Guest::advance() {
  if (destroyed_ || phase_ == Phase::kGone) return;
  if (!should_execute()) stop_executing();
  if (registered_ != order_.epoch) {
    // What is at the disk was sent under the old epoch; registering the new one would refuse it.
    const bool busy = phase_ == Phase::kBuilding || phase_ == Phase::kSaving;
    if (!registering_ && !append_outstanding_ && !busy) register_epoch();
    return;
  }
  switch (phase_) {
    case Phase::kNew:
      build();
      return;
    case Phase::kBuilding:
    case Phase::kGone:
      return;
    case Phase::kSaving:
      return;  // the answer to the current piece decides
    case Phase::kReady:
      break;
  }
  if (should_execute()) {
    start_executing();
    return;
  }
  if (append_outstanding_) return;  // stopped, but not drained
  if (observer_ != nullptr) {
    std::exchange(observer_, nullptr)->guest_drained(model_->state());
  }
  if (order_.want == pb::GUEST_FROZEN) {
    set_condition(pb::CONDITION_FROZEN);
  } else if (order_.want == pb::GUEST_SAVED && hold_ == Hold::kNone) {
    state_bytes_ = encode(model_->state());
    phase_ = Phase::kSaving;
    save_piece();
  }
}

bool Guest::should_execute() const {
  return phase_ == Phase::kReady && registered_ == order_.epoch &&
         order_.want == pb::GUEST_RUNNING && hold_ == Hold::kNone && !destroyed_;
}

void Guest::register_epoch() {
  registering_ = true;
  pb::VolumeRequest request;
  request.mutable_register_();
  const Epoch epoch = order_.epoch;
  submit(std::move(request),
         [this, epoch](const pb::VolumeReply& reply) { on_registered(epoch, reply); });
}

void Guest::on_registered(const Epoch& epoch, const pb::VolumeReply& reply) {
  registering_ = false;
  if (is(reply, Code::kAccessDenied)) {
    fail(VMTaskResult::kDiskRelatedError,
         "the shared volume refused VM '" + order_.vm + "' of " + host_.node() + " with epoch " +
             to_string(epoch) + ", because a later owner is registered: " + reply.message());
    return;
  }
  if (!is(reply, Code::kOk)) {
    retry(&Guest::advance);
    return;
  }
  registered_ = epoch;
  registered_at_ = boottime_now();
  last_counter_ = reply.last_counter();
  advance();
}

// ---- executing ----------------------------------------------------------------------------------

void Guest::start_executing() {
  if (executing_) return;
  executing_ = true;
  executed_ = false;
  view_->runnable.store(true);
  host_.wake_at(*this, boottime_now());
}

void Guest::stop_executing() {
  note_stops();
  executing_ = false;
  waiting_for_lease_ = false;
  view_->runnable.store(false);
}

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

// Guest time stands still while the guest does, so what it does is seen the same when it is slowed
// down.
void Guest::watch() {
  if (!watch_) watch_.emplace(order_.config.fill() == pb::FILL_ZERO ? 0 : 1);
  watch_->look(guest_time_, model_->state().write_counts);
  next_look_at_ = guest_time_ + host_.watch_interval();
  if (guest_time_ < next_showing_at_) return;
  view_->set_dirty_curve(watch_->curve());
  next_showing_at_ = guest_time_ + kCurveShownEvery;
}

std::optional<DirtyHabit> Guest::watched_habit() const {
  return watch_ ? watch_->habit() : std::nullopt;
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

// ---- for those who watch ------------------------------------------------------------------------

void Guest::note_executes() {
  if (host_.observations() == nullptr || std::exchange(noted_executing_, true)) return;
  pb::Observation observation;
  auto& executes = *observation.mutable_guest_executes();
  executes.set_vm(order_.vm);
  *executes.mutable_epoch() = record_of(*registered_);
  executes.set_counter(model_->state().counter);
  executes.set_is_first(!std::exchange(has_begun_, true));
  host_.observations()->note(std::move(observation));
}

void Guest::note_stops() {
  if (host_.observations() == nullptr || !std::exchange(noted_executing_, false)) return;
  pb::Observation observation;
  observation.mutable_guest_stops()->set_vm(order_.vm);
  observation.mutable_guest_stops()->set_last_quantum_ns(true_boottime_of(last_ran_));
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

// ---- faults -------------------------------------------------------------------------------------

bool Guest::is_refused(HypervisorFaults::Step step) {
  if (host_.faults() == nullptr) return false;
  const std::optional<std::string> why = host_.faults()->refusal(step, order_.vm);
  if (!why) return false;
  if (step == HypervisorFaults::Step::kSave) {
    // The guest is still whole; whoever ordered decides.
    phase_ = Phase::kReady;
    task_result_ = VMTaskResult::kDiskRelatedError;
    error_ = *why;
    set_condition(pb::CONDITION_FAILED);
    return true;
  }
  fail(VMTaskResult::kUnexpectedError, *why,
       step == HypervisorFaults::Step::kResume ? pb::CONDITION_IMAGE_LOST : pb::CONDITION_FAILED);
  return true;
}

// What may hit a guest in the middle of its work.
void Guest::suffer_faults() {
  model_->set_dirty_rate(
      host_.faults()->dirty_rate(order_.vm).value_or(order_.config.dirty_bytes_per_second()));
  if (!host_.faults()->crashes(order_.vm)) return;
  fail(VMTaskResult::kUnexpectedError,
       "the guest of VM '" + order_.vm + "' on " + host_.node() + " stopped with a stop error");
}

// ---- endings ------------------------------------------------------------------------------------

void Guest::fail(VMTaskResult result, const std::string& error, pb::GuestCondition condition) {
  phase_ = Phase::kGone;
  stop_executing();
  stop_observer(error);
  drop_memory();
  view_->exists.store(false);
  view_->set_dirty_curve({});
  retry_at_ = kNever;
  retry_action_ = nullptr;
  task_result_ = result;
  error_ = error;
  set_condition(condition);
}

void Guest::drop_memory() {
  note_held(false);
  if (building_aborted_ != nullptr) building_aborted_->store(true);
  abandon_check();
  missing_.reset();
  model_.reset();
  if (memory_ == nullptr) return;
  memory_->retire();
  // Unmapping a gigabyte takes long; nothing on this thread may.
  host_.workers().run([memory = std::move(memory_)]() mutable { memory.reset(); });
  memory_.reset();
}

void Guest::stop_observer(const std::string& why) {
  if (observer_ != nullptr) std::exchange(observer_, nullptr)->guest_unavailable(why);
}

void Guest::set_condition(pb::GuestCondition condition) {
  const bool changed = condition_ != condition;
  condition_ = condition;
  if (condition != pb::CONDITION_FAILED && condition != pb::CONDITION_IMAGE_LOST) {
    task_result_ = VMTaskResult::kSuccess;
    error_.clear();
  }
  if (changed) report_condition();
}

void Guest::report_condition() {
  GuestReport report;
  report.vm = order_.vm;
  report.epoch = order_.epoch;
  report.boot_id = order_.boot_id;
  report.condition = condition_;
  report.task_result = static_cast<std::uint32_t>(task_result_);
  report.error = error_;
  host_.report(report);
}

// ---- the volume ---------------------------------------------------------------------------------

void Guest::submit(pb::VolumeRequest request, std::function<void(const pb::VolumeReply&)> answer) {
  request.set_vm(order_.vm);
  *request.mutable_epoch() = record_of(request.has_register_() ? order_.epoch : *registered_);
  host_.volume().submit(std::move(request),
                        [&host = host_, weak = weak_from_this(),
                         answer = std::move(answer)](const pb::VolumeReply& reply) {
                          host.post([weak, answer, reply] {
                            const std::shared_ptr<Guest> guest = weak.lock();
                            if (guest != nullptr && !guest->destroyed_) answer(reply);
                          });
                        });
}

void Guest::retry(void (Guest::*action)()) {
  retry_action_ = action;
  retry_at_ = boottime_now() + kRetryInterval;
  host_.wake_at(*this, retry_at_);
}

}  // namespace failsim::node
