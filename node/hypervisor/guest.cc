#include "node/hypervisor/guest.h"

#include <cassert>
#include <utility>

#include "cluster/error.h"
#include "cluster/state/change.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/volume_answer.h"

namespace failsim::node {
namespace {

constexpr Duration kCurveShownEvery = 500 * kMillisecond;
constexpr Duration kRetryInterval = 100 * kMillisecond;

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
  view_->drop_habit();
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

// Guest time stands still while the guest does, so what it does is seen the same when it is slowed
// down.
void Guest::watch() {
  if (!watch_) watch_.emplace(order_.config.fill() == pb::FILL_ZERO ? 0 : 1);
  watch_->look(guest_time_, model_->state().write_counts);
  next_look_at_ = guest_time_ + host_.watch_interval();
  if (guest_time_ < next_showing_at_) return;
  if (auto habit = watched_habit()) view_->set_habit(*std::move(habit), last_ran_);
  next_showing_at_ = guest_time_ + kCurveShownEvery;
}

std::optional<DirtyHabit> Guest::watched_habit() const {
  return watch_ ? watch_->habit(guest_time_) : std::nullopt;
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

// ---- endings ------------------------------------------------------------------------------------

void Guest::fail(VMTaskResult result, const std::string& error, pb::GuestCondition condition) {
  phase_ = Phase::kGone;
  stop_executing();
  stop_observer(error);
  drop_memory();
  view_->exists.store(false);
  view_->drop_habit();
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
  set_epoch(request.mutable_epoch(), request.has_register_() ? order_.epoch : *registered_);
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
