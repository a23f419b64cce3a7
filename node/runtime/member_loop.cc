#include "node/runtime/member_loop.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "node/hypervisor/hypervisor.h"
#include "node/runtime/log.h"
#include "node/runtime/unite.h"

namespace failsim::node {
namespace {

constexpr Duration kShortestTick = kMillisecond;
// How long a client waits for a leader, and for an answer of one.
constexpr Duration kLeaderLimit = 3 * kSecond;
constexpr Duration kAnswerLimit = 10 * kSecond;
constexpr Duration kLimitCheck = 250 * kMillisecond;

pb::Reply reply_of(const Error& error) {
  pb::Reply reply;
  reply.set_code(static_cast<std::uint32_t>(error.code));
  reply.set_message(error.message);
  reply.set_next(error.next);
  return reply;
}

}  // namespace

MemberLoop::MemberLoop(boost::asio::io_context& io, const MemberConfig& config,
                       const Recovered& recovered, Time now, Store& store, Recorder& recorder,
                       Outside outside)
    : io_(io),
      outside_(std::move(outside)),
      recorder_(recorder),
      member_(config, recovered, now),
      timer_(io, [this] { post(Tick{}); }),
      writer_(store, {[this](std::uint64_t sequence) {
                        boost::asio::post(io_, [this, sequence] { post(Persisted{sequence}); });
                      },
                      [this](std::string reason) {
                        boost::asio::post(io_, [this, reason = std::move(reason)] {
                          post(StorageFailed{reason});
                        });
                      }}) {
  post(Tick{});
}

void MemberLoop::post(Event event) {
  // While the disk is far behind, what peers say is dropped: they will say it again.
  if (std::holds_alternative<MessageReceived>(event) && is_overloaded()) return;
  events_.push_back(std::move(event));
  schedule();
}

void MemberLoop::schedule() {
  if (is_turn_due_) return;
  is_turn_due_ = true;
  boost::asio::post(io_, [this] { turn(); });
}

void MemberLoop::turn() {
  is_turn_due_ = false;
  has_applied_ = false;
  // What came before this turn and no more: then sockets and timers have theirs, and as every turn
  // ends what the last one read, the queue cannot grow without end.
  for (std::size_t rest = events_.size(); rest > 0; --rest) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    if (outside_.points == nullptr || passes_receive_points(event)) step(event);
  }
  recorder_.flush();
  submit_gathered();
  release();
  arm_timer();
  if (has_applied_) outside_.state_changed();
  if (!events_.empty()) schedule();
}

void MemberLoop::step(const Event& event) {
  if (const auto* persisted = std::get_if<Persisted>(&event)) written_ = persisted->sequence;
  effects_.clear();
  const Time now = boottime_now();
  recorder_.begin_step(now, event);
  member_.step(now, event, effects_);
  recorder_.end_step(effects_);
  perform(effects_);
  gather(effects_);
  if (member_.is_failed() && !is_failure_told_) tell_failure(event);
}

// Its disk has failed, or the member has found out that it must not go on.
void MemberLoop::tell_failure(const Event& event) {
  is_failure_told_ = true;
  const auto* disk = std::get_if<StorageFailed>(&event);
  if (disk != nullptr) {
    return outside_.member_failed("its disk failed: " + disk->reason +
                                  " Start it again when its disk is in order.");
  }
  outside_.member_failed(effects_.trace.empty() ? "" : effects_.trace.back().text + ".");
}

// False: the event is lost.
bool MemberLoop::passes_receive_points(const Event& event) {
  if (const auto* persisted = std::get_if<Persisted>(&event)) {
    outside_.points->written(persisted->sequence);
  }
  return outside_.points->may_receive(member_, event);
}

// What waits for nothing.
void MemberLoop::perform(Effects& effects) {
  if (outside_.points != nullptr) outside_.points->stepped(member_, effects);
  for (const pb::PeerMessage& message : effects.send_now) outside_.send(message);
  if (outside_.points != nullptr) outside_.points->sent();
  if (effects.lease_until) outside_.set_lease(*effects.lease_until);
  for (const TransferOrder& order : effects.transfers) outside_.transfer(order);
  for (const GuestOrder& order : effects.guests) outside_.guest(order);
  for (const Fact& fact : effects.trace) log(Level::kInfo, fact.kind + ": " + fact.text);
  if (effects.durable.applied || !effects.new_events.empty()) has_applied_ = true;
}

// What waits for the disk.
void MemberLoop::gather(Effects& effects) {
  if (!effects.durable.empty()) {
    if (outside_.points != nullptr && outside_.points->writes_alone()) {
      submit_gathered();
      outside_.points->before_write();
    }
    if (gathered_sequence_ != 0 && !can_unite(gathered_, effects.durable)) submit_gathered();
    if (gathered_sequence_ == 0) {
      gathered_ = std::move(effects.durable);
    } else {
      unite(gathered_, std::move(effects.durable));
    }
    gathered_sequence_ = effects.sequence;
  }
  const std::uint64_t first =
      std::exchange(releases_added_, releases_added_ + effects.after.size());
  if (outside_.points != nullptr) outside_.points->awaits(effects.sequence, first, releases_added_);
  releases_.add(std::max(gathered_sequence_, submitted_), std::move(effects.after));
}

void MemberLoop::submit_gathered() {
  if (gathered_sequence_ == 0) return;
  submitted_ = std::exchange(gathered_sequence_, 0);
  writer_.submit(submitted_, std::exchange(gathered_, {}));
}

void MemberLoop::release() {
  for (After& item : releases_.take(written_)) {
    const std::uint64_t number = releases_said_++;
    if (outside_.points == nullptr) {
      say(item);
      continue;
    }
    if (outside_.points->may_say(number)) say(item);
    outside_.points->said(number);
  }
}

void MemberLoop::say(After& item) {
  if (auto* message = std::get_if<pb::PeerMessage>(&item)) {
    outside_.send(*message);
  } else if (auto* reply = std::get_if<ReplyToClient>(&item)) {
    replies_.give(reply->token, std::move(reply->reply));
  } else {
    const auto& allowed = std::get<ReadAllowed>(item);
    reads_.give(allowed.token, static_cast<Code>(allowed.code));
  }
}

void MemberLoop::arm_timer() {
  const Time deadline = member_.next_deadline();
  if (deadline == kNever) return timer_.arm(kNever);
  const Duration lateness = outside_.timer_lateness ? outside_.timer_lateness() : 0;
  timer_.arm(std::max(deadline, boottime_now() + kShortestTick) + lateness);
}

void MemberLoop::ask(pb::Request request, std::function<void(pb::Reply)> answer) {
  const std::uint64_t token = ++last_token_;
  replies_.await(token, std::move(answer));
  if (is_overloaded()) {
    boost::asio::post(io_, [this, token] {
      replies_.give(token, reply_of({Code::kClusterBusy,
                                     node_name(member_.self()) + " has more to write than its disk "
                                                                 "takes.",
                                     "Try again in a moment."}));
    });
    return;
  }
  post(ClientAsks{token, std::move(request)});
  limit_wait(token, boottime_now());
}

void MemberLoop::read(std::function<void(Code)> answer) {
  const std::uint64_t token = ++last_token_;
  reads_.await(token, std::move(answer));
  post(ClientReads{token});
  limit_wait(token, boottime_now());
}

void MemberLoop::limit_wait(std::uint64_t token, Time asked_at) {
  outside_.call_after(kLimitCheck, [this, token, asked_at] {
    if (!replies_.awaits(token) && !reads_.awaits(token)) return;
    const auto error = waited_too_long(asked_at);
    if (!error) return limit_wait(token, asked_at);
    if (replies_.awaits(token)) return replies_.give(token, reply_of(*error));
    reads_.give(token, error->code);
  });
}

std::optional<Error> MemberLoop::waited_too_long(Time asked_at) const {
  const Time now = boottime_now();
  const std::string self = node_name(member_.self());
  if (now - asked_at >= kLeaderLimit && !member_.has_quorum(now)) {
    return Error{Code::kNoQuorum,
                 self +
                     " is not in contact with a majority of the cluster's nodes; whether the "
                     "request was performed is not known.",
                 "Start more nodes, then repeat it with the same Request-Id."};
  }
  if (now - asked_at >= kLeaderLimit && member_.leader() == kNoNode) {
    return Error{Code::kNotReady,
                 "The cluster is electing a leader; whether the request was performed is not "
                 "known.",
                 "Repeat it with the same Request-Id."};
  }
  if (now - asked_at < kAnswerLimit) return std::nullopt;
  return Error{Code::kTimeout,
               "The leader " + node_name(member_.leader()) + " did not answer " + self +
                   " in time; whether the request was performed is not known.",
               "Repeat it with the same Request-Id."};
}

}  // namespace failsim::node
