#include "node/hypervisor/transfer_source.h"

#include <algorithm>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "cluster/migration/forecast.h"
#include "cluster/wide.h"
#include "node/hypervisor/checksum.h"
#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_server.h"
#include "node/hypervisor/presence_map.h"

namespace failsim::node {
namespace {

// Between rounds of a converged transfer, which only wait for the order to finish.
constexpr Duration kShortestPause = 2 * kMillisecond;
constexpr Duration kLongestPause = 20 * kMillisecond;
constexpr Duration kReportEvery = 100 * kMillisecond;  // how far it is, whatever the round
constexpr int kUnsentBytesMost = 128 * 1024;           // in post-copy
constexpr Duration kReconnectLimit = kSecond;          // of a target that may not answer

}  // namespace

TransferSource::TransferSource(TransferOrder order, Route route, GuestScheduler& scheduler,
                               ReportTransfer report)
    : order_(std::move(order)),
      route_(std::move(route)),
      scheduler_(scheduler),
      report_(std::move(report)),
      signals_(streams_of(order_)),
      signal_(signals_.of(0)),
      link_(order_.parameters.bandwidth_bytes_per_second()),
      policy_(settings_of(order_.parameters), order_.config.memory_bytes()),
      modelled_(modelled_memory(order_.config)) {}

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
  link_.bandwidth.set_rate(bytes_per_second);
}

void TransferSource::drop() {
  dropped_.store(true, std::memory_order_release);
  signals_.abort_all();
  end_throttle();
}

void TransferSource::repeat_report() {
  const std::lock_guard lock(mutex_);
  if (last_report_ && !dropped()) report_(*last_report_);
}

void TransferSource::guest_stopped(Time at) {
  const std::lock_guard lock(mutex_);
  answers_.stopped_at = at;
  signal_.wake();
}

void TransferSource::guest_drained(const DeviceState& state) {
  const std::lock_guard lock(mutex_);
  answers_.state = state;
  signal_.wake();
}

void TransferSource::guest_unavailable(const std::string& why) {
  const std::lock_guard lock(mutex_);
  answers_.unavailable = why;
  signal_.wake();
}

// ---- its thread ---------------------------------------------------------------------------------

void TransferSource::run() {
  stream();
  end_throttle();
  group_.reset();
  streams_.clear();
  memory_.reset();
  const std::lock_guard lock(mutex_);
  answers_.memory.reset();
  answers_.state.reset();
}

bool TransferSource::stream() {
  if (!find_guest() || !connect()) return false;
  report(pb::TRANSFER_STREAMING);
  return mark_what_changed() && send_rounds() && send_rest() && release() && serve_pages();
}

bool TransferSource::find_guest() {
  scheduler_.with_guest(order_.vm, order_.boot_id, [self = shared_from_this()](Guest* guest) {
    std::string why =
        "VM '" + self->order_.vm + "' has no guest on " + self->route_.node + " to be migrated";
    std::shared_ptr<GuestMemory> memory;
    std::optional<DirtyHabit> habit;
    if (guest != nullptr) {
      memory = guest->memory_to_send(why);
      habit = guest->watched_habit();
    }
    if (memory == nullptr) {
      self->guest_unavailable(why);
      return;
    }
    const std::lock_guard lock(self->mutex_);
    self->answers_.memory = std::move(memory);
    self->answers_.habit = std::move(habit);
    self->signal_.wake();
  });
  if (!wait_for_guest([](const GuestAnswers& answers) { return answers.memory != nullptr; })) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  memory_ = answers_.memory;
  foresee(answers_.habit);
  return true;
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
  keep_estimates(policy_, estimates_);
}

bool TransferSource::connect() {
  for (std::uint32_t stream = 0; stream < signals_.streams(); ++stream) {
    if (!connect(stream)) return false;
  }
  for (std::uint32_t stream = 0; stream < signals_.streams(); ++stream) {
    if (!hear_welcome(stream)) return false;
  }
  group_.emplace(signals_);
  return true;
}

Fd TransferSource::open_connection(Duration limit, Io& outcome, std::string& reason) {
  return connect_to(route_.local_address, route_.peer_address, route_.port, signal_, limit, outcome,
                    reason);
}

pb::TransferHello TransferSource::hello() const {
  pb::TransferHello hello;
  hello.set_version(kDataPathVersion);
  hello.set_cluster_id(route_.cluster_id);
  hello.set_vm(order_.vm);
  hello.set_job(order_.job);
  hello.set_attempt(order_.attempt);
  hello.set_boot_id(order_.boot_id);
  hello.set_memory_bytes(order_.config.memory_bytes());
  hello.set_modelled(order_.config.modelled());
  hello.set_streams(signals_.streams());
  return hello;
}

bool TransferSource::connect(std::uint32_t stream) {
  Io outcome = Io::kClosed;
  std::string reason;
  // Stream by stream, so that all but this one wait for nothing: one signal will do.
  Fd socket = open_connection(kSetupSilenceLimit, outcome, reason);
  const std::string doing = "connecting to the data port of " + route_.peer;
  if (outcome == Io::kClosed) {
    return fail(VMTaskResult::kUnexpectedError, doing + " failed: " + reason);
  }
  if (!check(outcome, doing)) return false;
  std::unique_ptr<DataFaults> faults;
  if (route_.faults != nullptr) faults = route_.faults->connection_to(route_.peer_id);
  streams_.push_back(
      std::make_unique<Stream>(std::move(socket), signals_.of(stream), std::move(faults), link_));
  Stream& connected = *streams_.back();
  if (memory_->is_mapped()) {
    connected.rounds.emplace(
        connected.sender, link_, *memory_,
        RoundSender::Place{stream, signals_.streams(),
                           order_.parameters.compression() == pb::COMPRESSION_ZSTD});
  }

  pb::TransferHello hello = this->hello();
  hello.set_stream(stream);
  std::vector<std::byte> frame = message_frame(FrameType::kHello, hello.SerializeAsString());
  iovec piece{frame.data(), frame.size()};
  return check(connected.channel.send(&piece, 1, kSetupSilenceLimit), stream, doing);
}

bool TransferSource::hear_welcome(std::uint32_t stream) {
  Channel& channel = streams_[stream]->channel;
  const std::string asking = "asking " + route_.peer + " to accept the data connection";
  const auto hear = [&](void* to, std::size_t bytes) {
    return check(channel.receive(to, bytes, kSetupSilenceLimit), stream, asking);
  };
  std::array<std::byte, kFrameHeaderBytes> answer;
  if (!hear(answer.data(), answer.size())) return false;
  const std::optional<FrameHeader> header = decode_header(answer);
  const std::uint64_t all_counts = memory_->pages() * kWriteCountBytes;
  const bool is_welcome = header && header->type == FrameType::kWelcome &&
                          (header->bytes == 0 || (header->bytes == all_counts && stream == 0));
  std::vector<std::byte> counts(is_welcome ? header->bytes : 0);
  if (is_welcome && !hear(counts.data(), counts.size())) return false;
  if (!is_welcome || header->body_checksum != fast_crc32c(0, counts)) {
    return fail(VMTaskResult::kUnexpectedError,
                asking + " was answered by something that is no frame of ours, or corrupted");
  }
  if (!counts.empty()) kept_counts_ = decode_write_counts(counts);
  return true;
}

// What has to be sent in the first round: every page, but for those that the target has kept from
// before with the same write count. The counts and the clear dirty bits are of one moment, because
// the guest thread makes them.
bool TransferSource::mark_what_changed() {
  if (!memory_->is_mapped()) return true;
  if (kept_counts_.empty()) {
    memory_->dirty().set_all();
    return true;
  }
  scheduler_.with_guest(order_.vm, order_.boot_id, [self = shared_from_this()](Guest* guest) {
    std::string why = "VM '" + self->order_.vm + "' has left " + self->route_.node;
    if (guest == nullptr || guest->memory_to_send(why) == nullptr) {
      return self->guest_unavailable(why);
    }
    std::vector<std::uint32_t> counts = guest->count_writes_from_now();
    const std::lock_guard lock(self->mutex_);
    self->answers_.counts = std::move(counts);
    self->signal_.wake();
  });
  if (!wait_for_guest([](const GuestAnswers& answers) { return answers.counts.has_value(); })) {
    return false;
  }
  std::vector<std::uint32_t> counts;
  {
    const std::lock_guard lock(mutex_);
    counts = std::move(*answers_.counts);
  }
  std::uint64_t kept = 0;
  for (std::uint64_t page = 0; page < memory_->pages(); ++page) {
    if (counts[page] == kept_counts_[page]) {
      ++kept;
    } else {
      memory_->dirty().set(page);
    }
  }
  kept_counts_ = {};
  kept_pages_.store(kept);
  return true;
}

bool TransferSource::send_rounds() {
  std::uint32_t round = 0;
  for (;;) {
    const Time started = boottime_now();
    const std::uint64_t sent_before = link_.bytes_sent.load();
    if (!send_round(round) || !wait_while_suspended()) return false;
    // One that stood still in between says nothing of the link and the guest: it does not count.
    if (std::exchange(was_suspended_, false)) continue;
    const Duration duration = boottime_now() - started;
    const RoundEnd end{link_.bytes_sent.load() - sent_before, duration, dirty_bytes()};
    progress_.rounds.store(round + 1);
    progress_.bytes_remaining.store(end.dirty_bytes);
    const bool is_decided = converged_;
    const PrecopyDecision decision =
        is_decided ? PrecopyDecision::kSwitch : policy_.round_ended(end);
    observe_round(round++, end, is_decided, decision);
    if (!is_decided && !perform(decision)) return false;
    if (finish_ordered_.load(std::memory_order_acquire)) return true;
    if (!converged_) continue;
    const Duration pause = std::clamp(duration, kShortestPause, kLongestPause);
    const Time until = boottime_now() + pause;
    while (boottime_now() < until && !finish_ordered_.load(std::memory_order_acquire)) {
      if (!check(streams_[0]->channel.pause(until), "waiting for the order to finish"))
        return false;
      if (!wait_while_suspended()) return false;
    }
    if (finish_ordered_.load(std::memory_order_acquire)) return true;
  }
}

bool TransferSource::perform(PrecopyDecision decision) {
  forced_ = decision == PrecopyDecision::kSwitchForced;
  note_estimates();
  switch (decision) {
    case PrecopyDecision::kContinue:
      throttle_guest(policy_.throttle_percent());
      return true;
    case PrecopyDecision::kFail:
      return fail(VMTaskResult::kTimeOutError,
                  not_converging_message(order_.vm, route_.node, route_.peer, policy_));
    case PrecopyDecision::kSwitch:
    case PrecopyDecision::kSwitchForced:
    case PrecopyDecision::kPostCopy:
      wants_post_copy_ = decision == PrecopyDecision::kPostCopy;
      converged_ = true;
      report(pb::TRANSFER_CONVERGED);
      return true;
  }
  return false;
}

bool TransferSource::send_round(std::uint32_t round) {
  if (memory_->is_mapped()) {
    if (!send_dirty(true)) return false;
  } else {
    if (!send_modelled_round()) return false;
  }
  return check(streams_[0]->sender.send_header({FrameType::kRoundEnd, 0, round}),
               "sending a round");
}

bool TransferSource::send_dirty(bool may_suspend) {
  round_bytes_left_.store(memory_->dirty().count() * kPageBytes);
  RoundSender::Hooks hooks;
  hooks.before_piece = [this](std::uint32_t stream) {
    return signals_.of(stream).aborted() ? Io::kAborted : Io::kDone;
  };
  if (may_suspend) hooks.ends_early = [this] { return suspended_.load(); };
  if (route_.faults != nullptr) hooks.edit = [this](PageRuns& runs) { forget_page(runs); };
  hooks.after_piece = [this](std::uint32_t stream, std::uint64_t pages) {
    std::uint64_t left = round_bytes_left_.load();
    const std::uint64_t done = pages * kPageBytes;
    while (!round_bytes_left_.compare_exchange_weak(left, left - std::min(left, done))) {
    }
    if (stream == 0) note_sent();
  };
  return perform([&](std::uint32_t stream) { return streams_[stream]->rounds->send_round(hooks); },
                 "sending memory");
}

bool TransferSource::perform(const StreamGroup::Work& work, const std::string& doing) {
  const StreamGroup::Outcome outcome = group_->perform(work, [this] { note_sent(); });
  note_sent();
  return check(outcome.io, outcome.stream, doing);
}

bool TransferSource::send_modelled_round() {
  constexpr std::uint64_t kPiece = std::uint64_t{16} << 20;
  for (std::size_t i = 0; i < modelled_.count(); ++i) {
    catch_up_modelled();
    round_bytes_left_ = modelled_.dirty_bytes();
    for (std::uint64_t left = modelled_.take(i); left > 0;) {
      if (!wait_while_suspended()) return false;
      const std::uint64_t part = std::min(left, kPiece);
      if (!check(streams_[0]->sender.send_modelled(part), "sending memory")) return false;
      left -= part;
      round_bytes_left_ -= std::min(round_bytes_left_.load(), part);
      note_sent();
    }
  }
  return true;
}

bool TransferSource::send_rest() {
  scheduler_.with_guest(order_.vm, order_.boot_id, [self = shared_from_this()](Guest* guest) {
    if (guest == nullptr) {
      self->guest_unavailable("VM '" + self->order_.vm + "' has no guest on " + self->route_.node +
                              " that could be paused");
    } else {
      guest->freeze_for(self, self->order_.job, self->order_.attempt);
    }
  });
  if (!wait_for_guest([](const GuestAnswers& answers) { return answers.stopped_at.has_value(); })) {
    return false;
  }
  if (post_copy_.load(std::memory_order_acquire)) {
    name_rest();
    return end_streams();
  }
  // No page can change any more. The guest's last request at its disk may still be under way: the
  // pages need not wait for it.
  if (memory_->is_mapped()) {
    if (!send_dirty(false)) return false;
  } else if (!send_modelled_round()) {
    return false;
  }
  progress_.rounds.fetch_add(1);
  progress_.bytes_remaining.store(0);
  return end_streams();
}

// What is dirty now will follow: it is the same bytes for as long as this transfer lasts.
void TransferSource::name_rest() {
  if (!memory_->is_mapped()) {
    missing_bytes_ = dirty_bytes();
  } else {
    PageRuns runs;
    memory_->dirty().take_runs(0, memory_->pages(), runs);
    if (route_.faults != nullptr) forget_page(runs);
    missing_.assign(PresenceMap::word_count(memory_->pages()), 0);
    for (const PageRun& run : runs.runs) {
      for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
        missing_[page / 64] |= std::uint64_t{1} << (page % 64);
      }
    }
    missing_bytes_ = runs.pages * kPageBytes;
  }
  round_bytes_left_.store(missing_bytes_);
  progress_.bytes_remaining.store(missing_bytes_);
}

Io TransferSource::send_missing() {
  std::vector<std::byte> frame = missing_frame(missing_);
  iovec piece{frame.data(), frame.size()};
  return streams_[0]->channel.send(&piece, 1, kStreamSilenceLimit);
}

// Nothing will be sent on them any more; stream 0 goes on.
bool TransferSource::end_streams() {
  for (std::uint32_t stream = 1; stream < signals_.streams(); ++stream) {
    if (!check(streams_[stream]->sender.send_header({FrameType::kStreamEnd}), stream,
               "ending a stream")) {
      return false;
    }
  }
  return true;
}

bool TransferSource::release() {
  PageSender& sender = streams_[0]->sender;
  if (!wait_for_guest([](const GuestAnswers& answers) { return answers.state.has_value(); })) {
    return false;
  }
  std::string state;
  pb::TransferRelease release;
  {
    const std::lock_guard lock(mutex_);
    state = encode(*answers_.state);
    release.set_frozen_at_ns(*answers_.stopped_at);
  }
  const bool follow = post_copy_.load(std::memory_order_acquire);
  if (follow && !check(send_missing(), "naming the pages that will follow")) return false;
  if (!check(sender.send_message(FrameType::kDeviceState, state), "sending the device state")) {
    return false;
  }
  release.set_job(order_.job);
  release.set_attempt(order_.attempt);
  release.set_released_at_ns(boottime_now());
  progress_.bytes_sent.store(link_.bytes_sent.load());
  *release.mutable_statistics() = statistics();
  release.mutable_statistics()->set_remaining_bytes(missing_bytes_);
  release.set_pages_follow(follow);
  if (!check(sender.send_message(FrameType::kRelease, release.SerializeAsString()),
             "sending the release")) {
    return false;
  }
  note_sent();
  report(pb::TRANSFER_RELEASED);
  if (follow) return true;
  progress_.percent.store(100);
  memory_.reset();
  // What is still in the socket is delivered: the target closes when it has read the release.
  while (!signal_.aborted()) {
    if (streams_[0]->channel.pause(kNever) != Io::kDone) break;
  }
  const std::string refused = refusal();
  return refused.empty() || fail(VMTaskResult::kUnexpectedError, refused);
}

// The connections of the rounds stay until the end: what is still in them is delivered.
bool TransferSource::serve_pages() {
  if (!post_copy_.load(std::memory_order_acquire)) return true;
  PageServer server(memory_, std::move(missing_), missing_bytes_,
                    order_.parameters.bandwidth_bytes_per_second(), signal_);
  server.serve([this] { return connect_for_pages(); },
               [this](std::uint64_t bytes) {
                 link_.bytes_sent += bytes;
                 round_bytes_left_ -= std::min(round_bytes_left_.load(), bytes);
                 note_sent();
               });
  return true;
}

std::unique_ptr<Channel> TransferSource::connect_for_pages() {
  Io outcome = Io::kClosed;
  std::string reason;
  Fd socket = open_connection(kReconnectLimit, outcome, reason);
  if (outcome != Io::kDone) return nullptr;
  // What the guest waits for stands behind little that the system has not sent yet.
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMost,
             sizeof kUnsentBytesMost);
  std::unique_ptr<DataFaults> faults;
  if (route_.faults != nullptr) faults = route_.faults->connection_to(route_.peer_id);
  auto channel = std::make_unique<Channel>(std::move(socket), signal_, std::move(faults));
  pb::TransferHello hello = this->hello();
  hello.set_pages_follow(true);
  std::vector<std::byte> frame = message_frame(FrameType::kHello, hello.SerializeAsString());
  iovec piece{frame.data(), frame.size()};
  return channel->send(&piece, 1, kReconnectLimit) == Io::kDone ? std::move(channel) : nullptr;
}

// ---- helpers ------------------------------------------------------------------------------------

bool TransferSource::wait_while_suspended() {
  if (dropped()) return false;
  if (!suspended_.load(std::memory_order_acquire)) return true;
  was_suspended_ = true;
  converged_ = false;  // what was decided is out of date when it goes on
  report(pb::TRANSFER_SUSPENDED);
  end_throttle();
  while (suspended_.load(std::memory_order_acquire)) {
    if (!check(streams_[0]->channel.pause(kNever), "standing still")) return false;
  }
  report(pb::TRANSFER_STREAMING);
  throttle_guest(policy_.throttle_percent());
  return true;
}

bool TransferSource::wait_for_guest(const std::function<bool(const GuestAnswers&)>& ready) {
  for (;;) {
    if (dropped()) return false;
    std::optional<std::string> unavailable;
    {
      const std::lock_guard lock(mutex_);
      if (ready(answers_)) return true;
      unavailable = answers_.unavailable;
    }
    if (unavailable) return fail(VMTaskResult::kUnexpectedError, *unavailable);
    if (streams_.empty()) {
      signal_.wait(kNever);
    } else if (!check(streams_[0]->channel.pause(kNever), "waiting for the guest to pause")) {
      return false;
    }
  }
}

std::uint64_t TransferSource::dirty_bytes() {
  if (memory_->is_mapped()) return memory_->dirty().count() * kPageBytes;
  catch_up_modelled();
  return modelled_.dirty_bytes();
}

void TransferSource::catch_up_modelled() {
  std::optional<Time> stopped_at;
  {
    const std::lock_guard lock(mutex_);
    stopped_at = answers_.stopped_at;
  }
  const Time now = std::min(boottime_now(), stopped_at.value_or(kNever));
  if (modelled_at_ == 0) modelled_at_ = now;
  if (now <= modelled_at_) return;
  const auto rate = route_.faults != nullptr ? route_.faults->dirty_rate(order_.vm) : std::nullopt;
  const Wide full = rate.value_or(order_.config.dirty_bytes_per_second());
  modelled_.set_steps_per_second(
      static_cast<std::uint64_t>(full * (100 - throttle_->load()) / 100));
  modelled_.execute(now - modelled_at_);
  modelled_at_ = now;
}

void TransferSource::throttle_guest(std::uint32_t percent) {
  if (!memory_->is_mapped()) catch_up_modelled();
  if (throttle_->exchange(percent) == percent) return;
  scheduler_.with_guest(order_.vm, order_.boot_id, [throttle = throttle_](Guest* guest) {
    if (guest != nullptr) guest->throttle_by(throttle);
  });
  report(reported_);
}

void TransferSource::end_throttle() {
  if (throttle_->exchange(0) == 0) return;
  scheduler_.with_guest(order_.vm, order_.boot_id, [](Guest* guest) {
    if (guest != nullptr) guest->throttle_by({});
  });
}

// The same page in all rounds, or a later one would make good for the loss.
void TransferSource::forget_page(PageRuns& runs) {
  if (runs.pages == 0) return;
  const std::lock_guard lock(forgetting_);
  if (!forgotten_page_ && route_.faults->forgets_page()) forgotten_page_ = runs.runs.front().first;
  if (!forgotten_page_) return;
  PageRuns rest;
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      if (page != *forgotten_page_) rest.append(page);
    }
  }
  runs = std::move(rest);
}

void TransferSource::note_estimates() {
  const std::lock_guard lock(mutex_);
  keep_estimates(policy_, estimates_);
  rounds_.assign(policy_.record().begin(), policy_.record().end());
  estimates_.set_forced_switch(forced_);
}

void TransferSource::observe_round(std::uint32_t number, const RoundEnd& end, bool is_decided,
                                   PrecopyDecision decision) const {
  if (route_.observations == nullptr) return;
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
  round.set_throttle_percent(throttle_->load());
  route_.observations->note(std::move(observation));
}

// The share of what has to be sent that was sent. It may fall when the guest dirties faster than
// the stream is; what is shown never falls, and says 100 only when all was sent.
void TransferSource::note_sent() {
  const std::uint64_t sent = link_.bytes_sent.load();
  const std::uint64_t left = round_bytes_left_.load();
  progress_.bytes_sent.store(sent);
  progress_.bytes_remaining.store(left);
  const std::uint64_t all = sent + left;
  const auto percent = static_cast<std::uint32_t>(all == 0 ? 0 : sent / (all / 100 + 1));
  progress_.percent.store(std::clamp(percent, progress_.percent.load(), std::uint32_t{99}));
  if (boottime_now() >= reported_at_ + kReportEvery) report(reported_);
}

bool TransferSource::check(Io outcome, std::uint32_t stream, const std::string& doing) {
  const std::string where =
      " for VM '" + order_.vm + "' from " + route_.node + " to " + route_.peer;
  switch (outcome) {
    case Io::kDone:
      return true;
    case Io::kAborted:
      return false;
    case Io::kClosed: {
      const std::string refused = refusal();
      return fail(VMTaskResult::kUnexpectedError,
                  refused.empty() ? doing + where + " failed: " + streams_[stream]->channel.reason()
                                  : refused);
    }
    case Io::kTimedOut:
      return fail(VMTaskResult::kTimeOutError,
                  doing + where + " failed: " + route_.peer + " takes nothing any more");
  }
  return false;
}

// Why the target has closed the connections, if it has said so.
std::string TransferSource::refusal() {
  return decode_refusal(streams_[0]->channel.last_words(kFrameHeaderBytes + kRefusalBytesMax));
}

bool TransferSource::fail(VMTaskResult result, const std::string& message) {
  if (!dropped()) report(failure_report(order_, {result, message}));
  return false;
}

void TransferSource::report(pb::TransferStatus status) {
  reported_ = status;
  reported_at_ = boottime_now();
  report(report_of(order_, status));
}

void TransferSource::report(const TransferReport& report) {
  TransferReport complete = report;
  complete.statistics = statistics();
  complete.post_copy = wants_post_copy_;
  const std::lock_guard lock(mutex_);
  if (dropped()) return;
  complete.rounds = rounds_;
  last_report_ = complete;
  report_(complete);
}

std::vector<pb::MigrationRound> TransferSource::rounds() const {
  const std::lock_guard lock(mutex_);
  return rounds_;
}

pb::MigrationStatistics TransferSource::statistics() const {
  const std::lock_guard lock(mutex_);
  pb::MigrationStatistics statistics = estimates_;
  statistics.set_rounds(progress_.rounds.load());
  statistics.set_bytes_sent(progress_.bytes_sent.load());
  statistics.set_zero_pages(link_.zero_pages.load());
  statistics.set_duplicate_pages(link_.copied_pages.load());
  statistics.set_compressed_pages(link_.compressed_pages.load());
  statistics.set_kept_pages(kept_pages_.load());
  statistics.set_remaining_bytes(progress_.bytes_remaining.load());
  return statistics;
}

}  // namespace failsim::node
