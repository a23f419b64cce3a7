#include "tools/sim/transfer.h"

#include <algorithm>

#include "cluster/vm/task_result.h"
#include "tools/sim/guest_runner.h"
#include "tools/sim/wire.h"

namespace failsim::sim {
namespace {

constexpr std::uint64_t kChunkPages = 64;
constexpr std::uint64_t kModelledSlicesPerSecond = 64;
constexpr std::uint64_t kGreetingBytes = 64;
constexpr Duration kSayEvery = 100 * kMillisecond;  // how far it is, within a round
constexpr Duration kIdleRound = 20 * kMillisecond;  // nothing is dirty: look again then
// Checking the pages of an image: 4 GiB a second.
constexpr std::uint64_t kPagesCheckedPerMillisecond = 1024;

std::uint32_t number(VMTaskResult result) {
  return static_cast<std::uint32_t>(result);
}

}  // namespace

// ---- The source ---------------------------------------------------------------------------------

Sender::Sender(Host& host, const TransferOrder& order)
    : host_(host),
      order_(order),
      policy_(settings_of(order.parameters), order.config.memory_bytes()) {}

Sender::~Sender() {
  GuestRunner* runner = host_.runner(order_.vm);
  if (runner == nullptr) return;
  runner->throttle(0);
  if (runner->guest() != nullptr) runner->guest()->stop_tracking();
}

void Sender::order(const TransferOrder& order) {
  const TransferStage stage = order.stage;
  order_ = order;
  if (stage == TransferStage::kStream && status_ == pb::TRANSFER_IDLE) connect();
  if (stage == TransferStage::kFinish && !is_paused_) return pause();
  if (status_ == pb::TRANSFER_SUSPENDED && !order.is_suspended) go_on();
}

// Between two pieces. The guest goes on, and what it writes is tracked.
void Sender::stand_still() {
  was_suspended_ = true;
  host_.runner(order_.vm)->throttle(0);
  say(pb::TRANSFER_SUSPENDED);
}

// What was decided before is out of date.
void Sender::go_on() {
  host_.runner(order_.vm)->throttle(policy_.throttle_percent());
  say(pb::TRANSFER_STREAMING);
  send_chunk();
}

// The steps run later; by then another attempt may have taken this one's place, or the process has
// died and the answer comes to the next one.
std::function<void()> Sender::guarded(void (Sender::*step)()) {
  return [weak = host_.weak_from_this(), vm = order_.vm, job = order_.job, attempt = order_.attempt,
          step] {
    const std::shared_ptr<Host> host = weak.lock();
    Sender* sender = host == nullptr ? nullptr : host->sender(vm, job, attempt);
    if (sender != nullptr && sender->status_ != pb::TRANSFER_FAILED) (sender->*step)();
  };
}

bool Sender::is_cut_off() const {
  return host_.connection_to(order_.peer) != connection_;
}

bool Sender::has_guest() {
  GuestRunner* runner = host_.runner(order_.vm);
  return runner != nullptr && runner->guest() != nullptr && runner->boot_id() == order_.boot_id;
}

void Sender::say(pb::TransferStatus status) {
  status_ = status;
  said_at_ = host_.now();
  host_.report(report(status, 0, ""));
}

TransferReport Sender::report(pb::TransferStatus status, std::uint32_t task_result,
                              const std::string& message) const {
  TransferReport report{order_.vm,   order_.job, order_.attempt, status,
                        task_result, message,    statistics()};
  report.post_copy = wants_post_copy_;
  report.rounds.assign(policy_.record().begin(), policy_.record().end());
  return report;
}

// As far as it is known now: nothing of the guest once it is gone or was handed over.
std::uint64_t Sender::remaining_bytes() const {
  const GuestRunner* runner = host_.runner(order_.vm);
  const bool is_sending = status_ == pb::TRANSFER_STREAMING || status_ == pb::TRANSFER_CONVERGED;
  if (!is_sending || runner == nullptr || runner->guest() == nullptr) return 0;
  return runner->guest()->dirty_bytes() + piece_left_;
}

pb::MigrationStatistics Sender::statistics() const {
  pb::MigrationStatistics statistics;
  keep_estimates(policy_, statistics);
  statistics.set_remaining_bytes(remaining_bytes());
  statistics.set_rounds(round_);
  statistics.set_bytes_sent(bytes_sent_);
  statistics.set_forced_switch(forced_switch_);
  return statistics;
}

void Sender::fail(const std::string& why) {
  fail(VMTaskResult::kUnexpectedError, "The transfer of VM '" + order_.vm + "' from " +
                                           node_name(host_.self()) + " to " +
                                           node_name(order_.peer) + " ended: " + why + ".");
}

void Sender::fail(VMTaskResult result, const std::string& message) {
  if (status_ == pb::TRANSFER_FAILED) return;
  const TransferReport failed = report(pb::TRANSFER_FAILED, number(result), message);
  status_ = pb::TRANSFER_FAILED;
  if (GuestRunner* runner = host_.runner(order_.vm)) runner->throttle(0);
  host_.report(failed);
}

void Sender::connect() {
  if (!has_guest()) return fail("the guest is not here");
  status_ = pb::TRANSFER_STREAMING;
  started_at_ = host_.now();
  connection_ = host_.connection_to(order_.peer);
  host_.runner(order_.vm)->guest()->track_dirty();
  // The target's answer may be lost, or come, when this process has died.
  auto refused = [weak = host_.weak_from_this(), vm = order_.vm, job = order_.job,
                  attempt = order_.attempt](const std::string& why) {
    const std::shared_ptr<Host> host = weak.lock();
    Sender* sender = host == nullptr ? nullptr : host->sender(vm, job, attempt);
    if (sender != nullptr) sender->fail(why);
  };
  auto begin = guarded(&Sender::send_chunk);
  auto broken = [refused] { refused("the connection broke"); };
  // The target's word that the image is expected, there and back.
  host_.send_data(
      order_.peer, kGreetingBytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt, source = host_.self(), begin,
       refused, broken](Host& target) {
        Receiver* receiver = target.receiver(vm, job, attempt);
        const bool accepted = receiver != nullptr && receiver->accepts();
        target.send_data(
            source, kGreetingBytes,
            [accepted, begin, refused](Host&) {
              if (!accepted) return refused("the target does not expect it");
              begin();
            },
            broken);
      },
      broken);
  round_started_at_ = host_.now();
  say(pb::TRANSFER_STREAMING);
}

std::uint64_t Sender::rate() const {
  const std::uint64_t limit = order_.parameters.bandwidth_bytes_per_second();
  const std::uint64_t link =
      std::min(host_.quality().link_bytes_per_second, host_.data_rate_to(order_.peer));
  return limit > 0 ? std::min(link, limit) : link;
}

Duration Sender::time_for(std::uint64_t bytes) const {
  return duration_at(bytes, rate());
}

PageCounts Sender::take_pages(std::uint64_t most_pages) {
  GuestRunner* runner = host_.runner(order_.vm);
  runner->catch_up();
  Guest& guest = *runner->guest();
  PageRuns taken;
  while (next_page_ < guest.dirty_pages()->pages() && taken.pages < most_pages) {
    next_page_ = guest.dirty_pages()->take_runs(next_page_, most_pages - taken.pages, taken);
  }
  PageCounts counts;
  counts.reserve(taken.pages);
  for (const PageRun& run : taken.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      counts.emplace_back(page, guest.device().write_counts[page]);
    }
  }
  if (round_ > 0 && !counts.empty() && host_.faults().strikes(HostStep::kKeepPage)) {
    counts.pop_back();
  }
  return counts;
}

void Sender::send_pages(PageCounts pages, std::uint64_t bytes) {
  host_.send_data(
      order_.peer, bytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt,
       pages = std::move(pages)](Host& target) {
        Receiver* receiver = target.receiver(vm, job, attempt);
        if (receiver != nullptr) receiver->take_pages(pages);
      },
      [this_host = &host_, vm = order_.vm, job = order_.job, attempt = order_.attempt] {
        Sender* sender = this_host->sender(vm, job, attempt);
        if (sender != nullptr) sender->fail("the connection broke");
      });
}

// One piece of a round, then the next at the pace of the link.
void Sender::send_chunk() {
  if (is_paused_) return;
  if (order_.is_suspended) return stand_still();
  if (is_cut_off()) return fail("the connection broke");
  if (!has_guest()) return fail("the guest is not here any more");
  Guest& guest = *host_.runner(order_.vm)->guest();
  const bool is_modelled = guest.dirty_pieces() != nullptr;
  const std::uint64_t bytes = is_modelled ? send_modelled(guest) : send_some_pages();
  const bool is_round_over = is_modelled
                                 ? piece_left_ == 0 && next_piece_ >= guest.dirty_pieces()->count()
                                 : next_page_ >= guest.dirty_pages()->pages();
  round_bytes_ += bytes;
  bytes_sent_ += bytes;
  if (host_.now() >= said_at_ + kSayEvery) say(status_);
  if (!is_round_over) return host_.later(time_for(bytes), guarded(&Sender::send_chunk));
  host_.later(round_bytes_ == 0 ? kIdleRound : time_for(bytes), guarded(&Sender::end_round));
}

std::uint64_t Sender::send_some_pages() {
  PageCounts pages = take_pages(kChunkPages);
  const std::uint64_t bytes = pages.size() * kPageBytes;
  if (!pages.empty()) send_pages(std::move(pages), bytes);
  return bytes;
}

// As much as the link takes in a moment.
std::uint64_t Sender::send_modelled(Guest& guest) {
  host_.runner(order_.vm)->catch_up();
  DirtyPieces& pieces = *guest.dirty_pieces();
  const std::uint64_t most = rate() / kModelledSlicesPerSecond + 1;
  std::uint64_t bytes = 0;
  while (bytes < most && (piece_left_ > 0 || next_piece_ < pieces.count())) {
    if (piece_left_ == 0) piece_left_ = pieces.take(next_piece_++);
    const std::uint64_t part = std::min(piece_left_, most - bytes);
    piece_left_ -= part;
    bytes += part;
  }
  send_pages({}, bytes);
  return bytes;
}

void Sender::end_round() {
  if (is_paused_) return;
  if (!has_guest()) return fail("the guest is not here any more");
  // A round that stood still in between says nothing of the link and the guest: it does not count.
  if (std::exchange(was_suspended_, false)) return begin_round();
  GuestRunner* runner = host_.runner(order_.vm);
  runner->catch_up();
  const RoundEnd end{round_bytes_, host_.now() - round_started_at_, runner->guest()->dirty_bytes()};
  const bool is_decided = status_ == pb::TRANSFER_CONVERGED;
  const PrecopyDecision decision = is_decided ? PrecopyDecision::kSwitch : policy_.round_ended(end);
  host_.observer().round_ended({host_.self(), order_.vm, order_.job, order_.attempt, round_,
                                settings_of(order_.parameters).max_rounds, end.bytes_sent,
                                end.dirty_bytes, is_decided, decision});
  ++round_;
  if (decision == PrecopyDecision::kFail) {
    return fail(VMTaskResult::kTimeOutError,
                not_converging_message(order_.vm, node_name(host_.self()), node_name(order_.peer),
                                       policy_));
  }
  if (!is_decided) {
    forced_switch_ = decision == PrecopyDecision::kSwitchForced;
    wants_post_copy_ = decision == PrecopyDecision::kPostCopy;
    runner->throttle(policy_.throttle_percent());
    say(decision == PrecopyDecision::kContinue ? pb::TRANSFER_STREAMING : pb::TRANSFER_CONVERGED);
  }
  // Until the switch is agreed the rounds go on, so that little is left then.
  begin_round();
}

void Sender::begin_round() {
  next_page_ = 0;
  next_piece_ = 0;
  round_bytes_ = 0;
  round_started_at_ = host_.now();
  send_chunk();
}

void Sender::pause() {
  is_paused_ = true;
  if (status_ == pb::TRANSFER_FAILED) return fail("it had failed before");
  if (!has_guest()) return fail("the guest is not here any more");
  host_.runner(order_.vm)->hold(order_.job, guarded(&Sender::send_rest));
}

void Sender::send_rest() {
  if (!has_guest()) return fail("the guest is not here any more");
  Guest& guest = *host_.runner(order_.vm)->guest();
  PageCounts rest;
  std::uint64_t bytes = 0;
  if (guest.dirty_pieces() != nullptr) {
    DirtyPieces& pieces = *guest.dirty_pieces();
    bytes = std::exchange(piece_left_, 0);
    for (std::size_t i = 0; i < pieces.count(); ++i) bytes += pieces.take(i);
  } else {
    next_page_ = 0;
    rest = take_pages(guest.dirty_pages()->pages());
    bytes = rest.size() * kPageBytes;
    if (host_.makes(Mistake::kDropLastRound)) rest.clear();
  }
  if (order_.post_copy) {
    server_.emplace(
        host_, order_, rest, guest.dirty_pages() == nullptr ? bytes : 0, [this] { return rate(); },
        [this](const std::string& why) { fail(why); });
    return send_release({});
  }
  bytes_sent_ += bytes;
  auto pages = std::make_shared<PageCounts>(std::move(rest));
  host_.later(time_for(bytes),
              [host = &host_, vm = order_.vm, job = order_.job, attempt = order_.attempt, pages] {
                Sender* sender = host->sender(vm, job, attempt);
                if (sender != nullptr) sender->send_release(std::move(*pages));
              });
}

void Sender::send_release(PageCounts rest) {
  if (status_ == pb::TRANSFER_FAILED) return;
  if (is_cut_off()) return fail("the connection broke");
  if (!has_guest()) return fail("the guest is not here any more");
  GuestRunner* runner = host_.runner(order_.vm);
  auto release = std::make_shared<Release>();
  release->device = runner->guest()->device();
  release->started_at = started_at_;
  release->paused_at = runner->paused_at();
  release->sent_at = host_.now();
  release->statistics = statistics();
  if (server_) {
    release->missing = server_->missing();
    release->statistics.set_remaining_bytes(release->missing->pages.size() * kPageBytes +
                                            release->missing->bytes);
  }
  const std::uint64_t bytes = rest.size() * kPageBytes;
  if (!server_) send_pages(std::move(rest), bytes);
  host_.send_data(
      order_.peer, kGreetingBytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt, release](Host& target) {
        Receiver* receiver = target.receiver(vm, job, attempt);
        if (receiver != nullptr) receiver->take_release(std::move(*release));
      },
      [this_host = &host_, vm = order_.vm, job = order_.job, attempt = order_.attempt] {
        Sender* sender = this_host->sender(vm, job, attempt);
        if (sender == nullptr) return;
        // In post-copy the release may have come: the target is asked.
        if (sender->server_) return sender->server_->connection_broke();
        sender->fail("the connection broke");
      });
  say(pb::TRANSFER_RELEASED);
  if (server_) server_->begin();
}

// ---- The target ---------------------------------------------------------------------------------

Receiver::~Receiver() {
  host_.release(reserved_bytes_);
}

void Receiver::say(pb::TransferStatus status) {
  host_.report(TransferReport{order_.vm, order_.job, order_.attempt, status, 0, "", statistics_});
}

void Receiver::fail(std::uint32_t task_result, const std::string& why) {
  status_ = pb::TRANSFER_FAILED;
  host_.report(
      TransferReport{order_.vm,
                     order_.job,
                     order_.attempt,
                     pb::TRANSFER_FAILED,
                     task_result,
                     node_name(host_.self()) + " cannot take VM '" + order_.vm + "': " + why + ".",
                     {}});
}

void Receiver::prepare() {
  if (status_ == pb::TRANSFER_READY) return say(pb::TRANSFER_READY);
  if (host_.faults().strikes(HostStep::kFindMemory)) {
    return fail(number(VMTaskResult::kOutOfMemoryError), "it finds no memory for the guest");
  }
  if (host_.faults().strikes(HostStep::kPrepare)) {
    return fail(number(VMTaskResult::kUnexpectedError), "the node refuses it");
  }
  const std::uint64_t memory = order_.config.memory_bytes();
  if (!host_.reserve(memory)) {
    return fail(number(VMTaskResult::kOutOfMemoryError), "the node has not enough memory");
  }
  reserved_bytes_ = memory;
  if (!order_.config.modelled()) counts_.assign(memory / kPageBytes, 0);
  const Duration time = duration_at(memory, host_.quality().prepare_bytes_per_second);
  host_.later(time, [host = &host_, vm = order_.vm, job = order_.job, attempt = order_.attempt] {
    Receiver* receiver = host->receiver(vm, job, attempt);
    if (receiver == nullptr) return;
    receiver->status_ = pb::TRANSFER_READY;
    receiver->say(pb::TRANSFER_READY);
  });
}

void Receiver::take_pages(const PageCounts& pages) {
  for (const auto& [page, count] : pages) counts_[page] = count;
}

void Receiver::take_following(const PageCounts& pages, std::uint64_t modelled_bytes) {
  if (!following_) return;
  const bool were_missing = !following_->missing().empty();
  if (GuestRunner* runner = host_.runner(order_.vm)) runner->catch_up();  // without them
  for (const auto& [page, count] : pages) {
    if (following_->take(page)) counts_[page] = count;
  }
  following_->take_modelled(modelled_bytes);
  if (were_missing && status_ == pb::TRANSFER_RESUMED) note_pages_here();
}

void Receiver::take_release(Release release) {
  release_ = std::move(release);
  holds_image_ = true;
  if (release_.missing) {
    following_.emplace(host_, order_, *release_.missing);
    host_.observer().target_holds_state(host_.process(), order_.vm, order_.job);
    statistics_ = release_.statistics;
    status_ = pb::TRANSFER_HOLDS_STATE;
    return say(status_);
  }
  host_.observer().target_holds_all(host_.process(), order_.vm, order_.job);
  status_ = pb::TRANSFER_HOLDS_ALL;
  statistics_ = release_.statistics;
  say(pb::TRANSFER_HOLDS_ALL);
}

bool Receiver::matches() const {
  return counts_ == release_.device.write_counts;
}

Duration Receiver::time_before_resume() const {
  if (order_.parameters.verify() != pb::VERIFY_BEFORE_RESUME || following_) return 0;
  return static_cast<Duration>(counts_.size() / kPagesCheckedPerMillisecond) * kMillisecond;
}

std::uint64_t Receiver::hand_over_memory() {
  return std::exchange(reserved_bytes_, 0);
}

void Receiver::resumed() {
  status_ = pb::TRANSFER_RESUMED;
  const Duration downtime = host_.now() - release_.paused_at;
  statistics_.set_total_ns(host_.now() - release_.started_at);
  statistics_.set_downtime_ns(downtime);
  const Duration limit = order_.parameters.downtime_limit_ns();
  if (limit > 0 && downtime > limit) {
    const bool is_sending = release_.sent_at - release_.paused_at > downtime / 2;
    statistics_.set_downtime_cause(is_sending ? "the last pages took longer than the limit"
                                              : "the agreement took longer than the limit");
  }
  say(pb::TRANSFER_RESUMED);
  if (following_) return note_pages_here();
  begin_check();
}

// The last of them lets the check begin.
void Receiver::note_pages_here() {
  statistics_.set_followed_pages(following_->followed());
  statistics_.set_requested_pages(following_->requested());
  statistics_.set_stalled_ns(following_->stalled());
  statistics_.set_remaining_bytes(0);
  statistics_.set_bytes_sent(release_.statistics.bytes_sent() +
                             following_->followed() * kPageBytes);
  if (!following_->missing().empty()) return;
  host_.observer().target_holds_pages(host_.process(), order_.vm, order_.job);
  status_ = pb::TRANSFER_HOLDS_PAGES;
  say(status_);
  begin_check();
}

void Receiver::begin_check() {
  const auto time = static_cast<Duration>(counts_.size() / kPagesCheckedPerMillisecond + 1);
  host_.later(time * kMillisecond,
              [host = &host_, vm = order_.vm, job = order_.job, attempt = order_.attempt] {
                Receiver* receiver = host->receiver(vm, job, attempt);
                if (receiver != nullptr) receiver->verified();
              });
}

void Receiver::verified() {
  const bool match = matches();
  host_.observer().image_verified(host_.self(), order_.vm, order_.job, match);
  status_ = pb::TRANSFER_VERIFIED;
  statistics_.set_digest(match ? pb::MigrationStatistics::DIGEST_MATCH
                               : pb::MigrationStatistics::DIGEST_MISMATCH);
  say(pb::TRANSFER_VERIFIED);
}

}  // namespace failsim::sim
