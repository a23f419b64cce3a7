#include "node/hypervisor/transfer_source.h"

#include <algorithm>
#include <utility>

#include "cluster/migration/forecast.h"
#include "cluster/wide.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/modelled_pages.h"
#include "node/hypervisor/page_server.h"
#include "node/hypervisor/source_pages.h"

namespace failsim::node {
namespace {

// Between rounds of a converged transfer, which only wait for the order to finish.
constexpr Duration kShortestPause = 2 * kMillisecond;
constexpr Duration kLongestPause = 20 * kMillisecond;

}  // namespace

TransferSource::TransferSource(TransferOrder order, SourceRoute route, GuestScheduler& scheduler,
                               ReportTransfer report, ObservationLog* observations)
    : order_(std::move(order)),
      route_(std::move(route)),
      observations_(observations),
      signals_(std::make_shared<SourceSignals>(streams_of(order_))),
      signal_(signals_->of(0)),
      link_(order_.parameters.bandwidth_bytes_per_second()),
      reports_(order_, link_, *signals_, std::move(report)),
      guest_(std::make_shared<SourceGuest>(order_, route_.node, scheduler, signals_)),
      connections_(order_, route_, *signals_, link_, reports_),
      wait_for_guest_(
          [this] { return connections_.wait(kNever, "waiting for the guest to pause"); }),
      policy_(settings_of(order_.parameters), order_.config.memory_bytes()) {}

// ---- from any thread ----------------------------------------------------------------------------

void TransferSource::finish(bool post_copy) {
  post_copy_.store(post_copy, std::memory_order_release);
  finish_ordered_.store(true, std::memory_order_release);
  signal_.wake();
}

void TransferSource::suspend(bool suspended) {
  if (suspended_.exchange(suspended, std::memory_order_acq_rel) != suspended) signal_.wake();
}

void TransferSource::limit_bandwidth(std::uint64_t bytes_per_second) {
  if (link_.bandwidth.rate() == bytes_per_second) return;
  link_.bandwidth.set_rate(bytes_per_second, boottime_now());
  signal_.wake();
}

void TransferSource::drop() {
  signals_->drop();
  guest_->end_throttle();
}

// ---- its thread: the beginning ------------------------------------------------------------------

void TransferSource::run() {
  if (stream() && is_post_copy()) serve_pages();
  guest_->end_throttle();
  memory_.reset();
  connections_.close();
  guest_memory_.reset();
}

bool TransferSource::stream() {
  if (!signals_->valid()) {
    return reports_.fail(VMTaskResult::kUnexpectedError,
                         no_descriptors_message(order_, route_.node));
  }
  if (!find_guest() || !connections_.connect()) return false;
  reports_.say(pb::TRANSFER_STREAMING);
  return prepare_memory() && send_rounds() && send_rest() && release();
}

bool TransferSource::find_guest() {
  std::string why;
  auto found = guest_->find(wait_for_guest_, why);
  if (!found) return without_guest(why);
  guest_memory_ = std::move(found->memory);
  foresee(found->habit);
  return true;
}

bool TransferSource::without_guest(const std::string& why) {
  return !why.empty() && reports_.fail(VMTaskResult::kUnexpectedError, why);
}

void TransferSource::foresee(const std::optional<DirtyHabit>& guest) {
  PrecopyKnowledge knowledge{guest, {}};
  const PrecopySettings settings = settings_of(order_.parameters);
  const std::uint64_t bytes = order_.config.memory_bytes();
  const std::uint64_t link = route_.link_bytes_per_second > 0 ? route_.link_bytes_per_second
                                                              : settings.bandwidth_bytes_per_second;
  if (guest && link > 0) {
    const MigrationForecast told = forecast(settings, bytes, *guest, link);
    knowledge.expected = {told.total, told.downtime};
  }
  policy_ = PrecopyPolicy(settings, bytes, std::move(knowledge));
  reports_.keep_policy(policy_, false);
}

// The first round sends every page, but for those that the target has kept from before with the
// same write count. The counts and the clear dirty bits are of one moment, because the guest thread
// makes them.
bool TransferSource::prepare_memory() {
  if (!guest_memory_->is_mapped()) {
    memory_ = modelled_pages();
    return true;
  }
  SourcePages::Settings settings;
  settings.compress = order_.parameters.compression() == pb::COMPRESSION_ZSTD;
  settings.faults = route_.faults;
  settings.is_suspended = [this] { return suspended_.load(); };
  auto pages = std::make_unique<SourcePages>(guest_memory_, connections_, *signals_, link_,
                                             reports_, std::move(settings));
  const std::vector<std::uint32_t> kept = connections_.take_kept_counts();
  if (kept.empty()) {
    pages->mark_all();
  } else {
    std::string why;
    const auto counts = guest_->count_writes_from_now(wait_for_guest_, why);
    if (!counts) return without_guest(why);
    reports_.set_kept_pages(pages->mark_changed(kept, *counts));
  }
  memory_ = std::move(pages);
  return true;
}

std::unique_ptr<SourceMemory> TransferSource::modelled_pages() {
  auto look = [this] {
    const auto faulty =
        route_.faults != nullptr ? route_.faults->dirty_rate(order_.vm) : std::nullopt;
    const Wide full = faulty.value_or(order_.config.dirty_bytes_per_second());
    return ModelledPages::Moment{
        std::min(boottime_now(), guest_->stopped_at()),
        static_cast<std::uint64_t>(full * (100 - guest_->throttle_percent()) / 100)};
  };
  auto send_part = [this](std::uint64_t bytes) {
    return wait_while_suspended() &&
           connections_.check(connections_.sender(0).send_modelled(bytes), "sending memory");
  };
  return std::make_unique<ModelledPages>(order_.config, reports_, look, send_part);
}

// ---- rounds -------------------------------------------------------------------------------------

bool TransferSource::send_rounds() {
  std::uint32_t round = 0;
  for (;;) {
    const Time started = boottime_now();
    const std::uint64_t sent_before = link_.bytes_sent.load();
    if (!send_round(round) || !wait_while_suspended()) return false;
    // One that stood still in between says nothing of the link and the guest: it does not count.
    if (std::exchange(was_suspended_, false)) continue;
    const Duration duration = boottime_now() - started;
    const RoundEnd end{link_.bytes_sent.load() - sent_before, duration, memory_->dirty_bytes()};
    if (!round_ended(round++, end)) return false;
    if (is_finish_ordered()) return true;
    if (!converged_) continue;
    const Duration pause = std::clamp(duration, kShortestPause, kLongestPause);
    if (!await_finish(boottime_now() + pause)) return false;
    if (is_finish_ordered()) return true;
  }
}

bool TransferSource::send_round(std::uint32_t round) {
  return memory_->send_round() &&
         connections_.check(connections_.sender(0).send_header({FrameType::kRoundEnd, 0, round}),
                            "sending a round");
}

bool TransferSource::round_ended(std::uint32_t round, const RoundEnd& end) {
  reports_.round_ended(end.dirty_bytes);
  const bool is_decided = converged_;
  const PrecopyDecision decision = is_decided ? PrecopyDecision::kSwitch : policy_.round_ended(end);
  observe_round(round, end, is_decided, decision);
  return is_decided || perform(decision);
}

bool TransferSource::perform(PrecopyDecision decision) {
  reports_.keep_policy(policy_, decision == PrecopyDecision::kSwitchForced);
  switch (decision) {
    case PrecopyDecision::kContinue:
      throttle_guest(policy_.throttle_percent());
      return true;
    case PrecopyDecision::kFail:
      return reports_.fail(VMTaskResult::kTimeOutError,
                           not_converging_message(order_.vm, route_.node, route_.peer, policy_));
    case PrecopyDecision::kSwitch:
    case PrecopyDecision::kSwitchForced:
    case PrecopyDecision::kPostCopy:
      reports_.set_wants_post_copy(decision == PrecopyDecision::kPostCopy);
      converged_ = true;
      reports_.say(pb::TRANSFER_CONVERGED);
      return true;
  }
  return false;
}

bool TransferSource::await_finish(Time until) {
  while (boottime_now() < until && !is_finish_ordered()) {
    if (!connections_.wait(until, "waiting for the order to finish")) return false;
    if (!wait_while_suspended()) return false;
  }
  return true;
}

bool TransferSource::wait_while_suspended() {
  if (signals_->dropped()) return false;
  if (!suspended_.load(std::memory_order_acquire)) return true;
  was_suspended_ = true;
  converged_ = false;  // what was decided is out of date when it goes on
  reports_.say(pb::TRANSFER_SUSPENDED);
  guest_->end_throttle();
  while (suspended_.load(std::memory_order_acquire)) {
    if (!connections_.wait(kNever, "standing still")) return false;
  }
  reports_.say(pb::TRANSFER_STREAMING);
  throttle_guest(policy_.throttle_percent());
  return true;
}

void TransferSource::throttle_guest(std::uint32_t percent) {
  memory_->catch_up();
  if (guest_->throttle(percent)) reports_.say_again();
}

void TransferSource::observe_round(std::uint32_t number, const RoundEnd& end, bool is_decided,
                                   PrecopyDecision decision) const {
  if (observations_ == nullptr) return;
  pb::Observation observation;
  auto& round = *observation.mutable_round_ended();
  round.set_vm(order_.vm);
  round.set_job(order_.job);
  round.set_attempt(order_.attempt);
  round.set_round(number);
  round.set_max_rounds(settings_of(order_.parameters).max_rounds);
  round.set_bytes_sent(end.bytes_sent);
  round.set_dirty_bytes(end.dirty_bytes);
  round.set_is_decided(is_decided);
  round.set_decision(static_cast<std::uint32_t>(decision));
  round.set_throttle_percent(guest_->throttle_percent());
  observations_->note(std::move(observation));
}

// ---- the switch ---------------------------------------------------------------------------------

bool TransferSource::send_rest() {
  std::string why;
  if (!guest_->freeze(wait_for_guest_, why)) return without_guest(why);
  if (is_post_copy()) {
    rest_ = memory_->name_rest();
    reports_.set_left(rest_.bytes);
  } else {
    // No page can change any more. The guest's last request at its disk may still be under way: the
    // pages need not wait for it.
    if (!memory_->send_rest()) return false;
    reports_.round_ended(0);
  }
  return connections_.end_streams();
}

bool TransferSource::release() {
  std::string why;
  const auto state = guest_->drained_state(wait_for_guest_, why);
  if (!state) return without_guest(why);
  const bool follow = is_post_copy();
  if (follow && !connections_.send_missing(rest_.missing)) return false;
  PageSender& sender = connections_.sender(0);
  const Io told = sender.send_message(FrameType::kDeviceState, encode(*state));
  if (!connections_.check(told, "sending the device state")) return false;
  pb::TransferRelease release;
  release.set_job(order_.job);
  release.set_attempt(order_.attempt);
  release.set_frozen_at_ns(guest_->stopped_at());
  release.set_released_at_ns(boottime_now());
  *release.mutable_statistics() = reports_.statistics();
  release.mutable_statistics()->set_remaining_bytes(rest_.bytes);
  release.set_pages_follow(follow);
  const Io sent = sender.send_message(FrameType::kRelease, release.SerializeAsString());
  if (!connections_.check(sent, "sending the release")) return false;
  reports_.note_sent();
  reports_.say(pb::TRANSFER_RELEASED);
  if (follow) return true;
  reports_.all_sent();
  memory_.reset();
  guest_memory_.reset();
  return connections_.await_close();
}

// The connections of the rounds stay until the end: what is still in them is delivered.
void TransferSource::serve_pages() {
  PageServer server(guest_memory_, std::move(rest_.missing), rest_.bytes, link_.bandwidth, signal_);
  server.serve([this] { return connections_.connect_for_pages(); },
               [this](std::uint64_t bytes) {
                 link_.bytes_sent += bytes;
                 reports_.take_off(bytes);
                 reports_.note_sent();
               });
}

}  // namespace failsim::node
