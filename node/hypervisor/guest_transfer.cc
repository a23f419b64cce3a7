// A guest in a migration: sent away from here, or resumed here.
#include <string>
#include <utility>

#include "cluster/error.h"
#include "cluster/migration/precopy_policy.h"
#include "node/hypervisor/guest.h"
#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kChecksPerSlice = 256;  // about a third of a millisecond

std::string in_milliseconds(Duration duration) {
  return std::to_string(duration / kMillisecond) + " ms";
}

}  // namespace

std::shared_ptr<GuestMemory> Guest::memory_to_send(std::string& why) const {
  if (phase_ == Phase::kReady) return memory_;
  why = "VM '" + order_.vm + "' has no complete guest on " + host_.node() + " to be migrated";
  return nullptr;
}

std::vector<std::uint32_t> Guest::count_writes_from_now() {
  memory_->dirty().clear_all();
  return model_->state().write_counts;
}

void Guest::freeze_for(const std::shared_ptr<FreezeObserver>& observer, TaskId job,
                       std::uint64_t attempt) {
  if (observer->dropped()) return;
  if (phase_ != Phase::kReady || destroyed_) {
    observer->guest_unavailable("VM '" + order_.vm + "' has no guest on " + host_.node() +
                                " that could be paused");
    return;
  }
  hold_ = Hold::kHeld;
  hold_job_ = job;
  hold_attempt_ = attempt;
  stop_executing();
  if (host_.observations() != nullptr) {
    pb::Observation observation;
    observation.mutable_guest_paused()->set_vm(order_.vm);
    observation.mutable_guest_paused()->set_job(job);
    host_.observations()->note(std::move(observation));
  }
  observer_ = observer;
  observer->guest_stopped(boottime_now());
  advance();
  schedule(boottime_now());
}

void Guest::drop_hold(TaskId job, std::uint64_t attempt) {
  if (hold_ != Hold::kHeld || hold_job_ != job || hold_attempt_ != attempt) return;
  hold_ = Hold::kDropped;
  observer_.reset();
}

// ---- post-copy ----------------------------------------------------------------------------------

void Guest::await_pages() {
  missing_.emplace(resumed_->presence, [&host = host_, weak = weak_from_this()] {
    host.post([weak] {
      const std::shared_ptr<Guest> guest = weak.lock();
      if (guest != nullptr && !guest->destroyed_) guest->pages_came();
    });
  });
}

void Guest::pages_came() {
  if (!missing_ || phase_ != Phase::kReady) return;
  const Time now = boottime_now();
  if (missing_->resolve(now)) last_ran_ = now;  // guest time stood still
  const bool has_resumed = resumed_ && resumed_->held_at == 0;
  if (missing_->is_complete() && has_resumed) report_pages_here();
  schedule(now);
}

// Said once it has resumed: until then the target only holds the state.
void Guest::report_pages_here() {
  missing_->tell(resumed_->statistics);
  missing_.reset();
  TransferReport report;
  report.vm = order_.vm;
  report.job = resumed_->job;
  report.attempt = resumed_->attempt;
  report.status = pb::TRANSFER_HOLDS_PAGES;
  report.statistics = resumed_->statistics;
  host_.report(report);
  if (!checker_) report_check(PageCheck{});  // there are no pages that could differ
}

void Guest::lose_pages() {
  if (destroyed_ || phase_ == Phase::kGone) return;
  fail(VMTaskResult::kUnexpectedError,
       "pages of VM '" + order_.vm + "' that are missing on " + host_.node() +
           " will not come: its memory is lost",
       pb::CONDITION_IMAGE_LOST);
}

// ---- after a resume -----------------------------------------------------------------------------

// The blackout as the guest sees it: from the instant the source's guest stopped to its first
// quantum here. Both are readings of CLOCK_BOOTTIME of one host; between hosts the difference of
// the clocks would have to be measured by a round trip and taken off.
void Guest::report_resumed(Time now) {
  TransferReport report;
  report.vm = order_.vm;
  report.job = resumed_->job;
  report.attempt = resumed_->attempt;
  report.status = pb::TRANSFER_RESUMED;
  resumed_->statistics.set_downtime_ns(now - resumed_->frozen_at);
  const Duration limit = settings_of(resumed_->parameters).downtime_limit;
  if (now - resumed_->frozen_at > limit) {
    resumed_->statistics.set_downtime_cause(downtime_cause(now, limit));
  }
  report.statistics = resumed_->statistics;
  host_.report(report);
  resumed_->held_at = 0;  // said once
  if (resumed_->check) return report_check(*resumed_->check);
  if (model_->tracks_pages()) checker_.emplace(model_->pages());
  if (missing_) {
    if (missing_->is_complete()) report_pages_here();
  } else if (!checker_) {
    report_check(PageCheck{});  // there are no pages that could differ
  }
}

std::string Guest::downtime_cause(Time now, Duration limit) const {
  const auto part = [](const char* what, Duration duration) {
    return std::string(what) + " " + in_milliseconds(duration);
  };
  std::string cause = "paused for " + in_milliseconds(now - resumed_->frozen_at) + ", limit " +
                      in_milliseconds(limit) + ": ";
  cause += part("last pages", resumed_->received_at - resumed_->frozen_at);
  if (resumed_->check) {
    cause += part(", check before the resume", resumed_->held_at - resumed_->received_at);
  }
  cause += part(", wait for the commit", ordered_at_ - resumed_->held_at);
  cause += part(", registration at the shared volume", registered_at_ - ordered_at_);
  cause += part(", lease and scheduling", now - registered_at_);
  return cause;
}

bool Guest::check_pages() {
  if (!checks_pages() || destroyed_) return false;
  if (!checker_->slice(*memory_, model_->state(), kChecksPerSlice)) return true;
  const PageCheck result = checker_->result();
  checker_.reset();
  report_check(result);
  return false;
}

void Guest::report_check(const PageCheck& check) {
  TransferReport report;
  report.vm = order_.vm;
  report.job = resumed_->job;
  report.attempt = resumed_->attempt;
  report.status = pb::TRANSFER_VERIFIED;
  resumed_->statistics.set_digest(check.match() ? pb::MigrationStatistics::DIGEST_MATCH
                                                : pb::MigrationStatistics::DIGEST_MISMATCH);
  report.statistics = resumed_->statistics;
  if (!check.match()) {
    report.error = "page " + std::to_string(*check.first_mismatch) + " of VM '" + order_.vm +
                   "' on " + host_.node() + " is not as its write count says";
  }
  host_.report(report);
  resumed_.reset();
}

// Nobody will ever know the outcome; say that, so that nobody waits for it.
void Guest::abandon_check() {
  if (!checker_) return;
  if (missing_) return checker_.reset();  // there is nothing to wait for: its memory is lost
  TransferReport report;
  report.vm = order_.vm;
  report.job = resumed_->job;
  report.attempt = resumed_->attempt;
  report.status = pb::TRANSFER_VERIFIED;
  report.statistics = resumed_->statistics;
  report.error = "VM '" + order_.vm + "' on " + host_.node() + " was stopped after " +
                 std::to_string(checker_->result().pages) + " of " +
                 std::to_string(model_->pages()) + " pages were checked";
  host_.report(report);
  checker_.reset();
  resumed_.reset();
}

}  // namespace failsim::node
