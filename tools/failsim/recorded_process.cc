#include "tools/failsim/recorded_process.h"

#include <functional>
#include <utility>

#include "cluster/effects_hash.h"
#include "cluster/state/field_hash.h"
#include "cluster/wire/frame.h"
#include "tools/report/answer.h"

namespace failsim::cli {

// ---- messages -----------------------------------------------------------------------------------

std::size_t RecordedMail::digest(const pb::PeerMessage& message) {
  return std::hash<std::string>()(message.SerializeAsString());
}

void RecordedMail::begins(const handover::Process& process) {
  senders_.insert({process.node, process.incarnation});
}

void RecordedMail::sent(const pb::PeerMessage& message) {
  sent_.insert(digest(message));
}

// One of another version is refused, whatever it says; the version is what such a fault changes.
bool RecordedMail::is_genuine(const pb::PeerMessage& message) const {
  return message.version() != kWireVersion ||
         !senders_.contains({message.from(), message.incarnation()}) ||
         sent_.contains(digest(message));
}

void RecordedMail::left(const pb::PeerMessage& message, std::uint64_t id) {
  under_way_[{message.from(), message.to(), digest(message)}].push_back(id);
}

std::optional<std::uint64_t> RecordedMail::received(const pb::PeerMessage& message) {
  const auto found = under_way_.find({message.from(), message.to(), digest(message)});
  if (found == under_way_.end()) return std::nullopt;
  const std::uint64_t id = found->second.front();
  found->second.pop_front();
  if (found->second.empty()) under_way_.erase(found);
  return id;
}

std::optional<Time> RecordedMail::beat_received(const pb::PeerMessage& message) {
  const auto found = beats_.extract(key_of(message));
  if (found.empty()) return std::nullopt;  // a duplicate says nothing new
  return found.mapped();
}

// ---- the process --------------------------------------------------------------------------------

RecordedProcess::RecordedProcess(const Recording& recording, Time origin, bool has_crashed)
    : recording_(recording),
      origin_(origin),
      process_{recording.config().self, recording.config().incarnation},
      steps_(recording.steps()),
      hash_(kHashSeed),
      applied_(recording.recovered().applied) {
  const bool ends_in_step = has_crashed && steps_ > 0 && !recording_.step(steps_).effects_hash;
  if (ends_in_step) --steps_;
  if (steps_ > 0) next_ = recording_.step(1);
}

std::optional<Time> RecordedProcess::next_at() const {
  if (!next_) return std::nullopt;
  return next_->now - next_->clock_ahead;
}

void RecordedProcess::start(history::Checker& checker, RecordedMail& mail) {
  mail.begins(process_);
  checker.process_started(process_.node);
  checker.store_opened(process_.node, recording_.recovered());
  member_ = std::make_unique<Member>(recording_.config(), recording_.recovered(),
                                     recording_.started_at());
}

std::optional<std::string> RecordedProcess::step(history::Checker& checker, RecordedGuests& guests,
                                                 RecordedMail& mail) {
  const Recording::Step step = std::move(*next_);
  next_.reset();
  if (++taken_ < steps_) next_ = recording_.step(taken_ + 1);
  now_ = step.now - step.clock_ahead - origin_;
  look_at_event(step.event, checker, mail);
  Effects effects;
  member_->step(step.now, step.event, effects);
  hash_ = hash_effects(effects, hash_);
  if (step.effects_hash && *step.effects_hash != hash_) {
    return node_name(process_.node) + " did something else in step " + std::to_string(taken_) +
           " of its start " + std::to_string(process_.incarnation >> 32) +
           " than its member does here: another build, or a damaged process";
  }
  look_at_effects(effects, step.clock_ahead, checker, guests, mail);
  return std::nullopt;
}

void RecordedProcess::end(history::Checker& checker, RecordedGuests& guests) {
  // What it had applied in the end, whether or not it was a round number of entries.
  if (applied_ != 0 && !member_->is_failed()) {
    checker.tell(history::StateHash{process_.node, applied_, member_->state().hash()});
  }
  checker.process_ended(process_.node, process_.incarnation);
  guests.ended(process_);
  member_.reset();
  next_.reset();
}

void RecordedProcess::receive(const pb::PeerMessage& message, history::Checker& checker,
                              RecordedMail& mail) {
  if (!mail.is_genuine(message)) {
    checker.expect("S21", false,
                   node_name(process_.node) + " takes a message of " + node_name(message.from()) +
                       " that was never sent so: it was damaged on the way");
  } else if (mail.take_damage()) {
    checker.expect("S21", true);
  }
  if (const auto id = mail.received(message)) checker.message_received(*id);
  if (!message.has_heartbeat() || !member_->listens_to(message)) return;
  const std::optional<Time> sent = mail.beat_received(message);
  if (sent) checker.heartbeat_heard(process_.node, message.from(), *sent);
}

void RecordedProcess::look_at_event(const Event& event, history::Checker& checker,
                                    RecordedMail& mail) {
  if (const auto* received = std::get_if<MessageReceived>(&event)) {
    receive(received->message, checker, mail);
  } else if (const auto* asked = std::get_if<ClientAsks>(&event)) {
    asked_[asked->token] = asked->request;
  } else if (const auto* persisted = std::get_if<Persisted>(&event)) {
    written_ = persisted->sequence;
    checker.batches_written(process_.node, persisted->sequence);
  } else if (const auto* report = std::get_if<TransferReport>(&event)) {
    if (report->status == pb::TRANSFER_HOLDS_ALL) {
      checker.target_holds_all(process_, report->vm, report->job);
    } else if (report->status == pb::TRANSFER_HOLDS_STATE) {
      checker.target_holds_state(process_, report->vm, report->job);
    } else if (report->status == pb::TRANSFER_HOLDS_PAGES) {
      checker.target_holds_pages(process_, report->vm, report->job);
    }
    const auto digest = report->statistics.digest();
    const bool is_verdict = report->status == pb::TRANSFER_VERIFIED &&
                            digest != pb::MigrationStatistics::DIGEST_UNKNOWN;
    if (is_verdict) {
      checker.image_verified(process_.node, report->vm, report->job,
                             digest == pb::MigrationStatistics::DIGEST_MATCH);
    }
  } else if (std::holds_alternative<Leaving>(event)) {
    checker.guests_stopped(process_.node, process_.incarnation);
  }
}

void RecordedProcess::look_at_effects(const Effects& effects, Duration clock_ahead,
                                      history::Checker& checker, RecordedGuests& guests,
                                      RecordedMail& mail) {
  for (const pb::PeerMessage& message : effects.send_now) say(message, checker, mail);
  if (effects.lease_until) {
    guests.lease_lasts(process_, *effects.lease_until - clock_ahead - origin_);
  }
  checker.after_step(*member_, effects);
  applied_ = effects.durable.applied.value_or(applied_);
  if (!effects.durable.empty()) submitted_ = effects.sequence;
  releases_.add(submitted_, effects.after);
  for (const After& said : releases_.take(written_)) say(said, checker, mail);
}

void RecordedProcess::say(const After& said, history::Checker& checker, RecordedMail& mail) {
  if (const auto* message = std::get_if<pb::PeerMessage>(&said)) {
    mail.sent(*message);
    if (message->has_heartbeat()) mail.beat_sent(*message, now_);
    if (checker.is_recorded()) mail.left(*message, checker.message_sent(*message));
    return;
  }
  const auto* reply = std::get_if<ReplyToClient>(&said);
  if (reply == nullptr) return;
  const auto asked = asked_.extract(reply->token);
  if (asked.empty() || !history::is_outcome(reply->reply)) return;
  const pb::Request& request = asked.mapped();
  if (!request.client().empty()) {
    checker.tell(history::Answered{request.client() + ":" + std::to_string(request.sequence()),
                                   history::outcome_text(reply->reply)});
  }
  if (history::is_accepted_cancel(request, reply->reply)) {
    checker.cancel_accepted(reply->reply.task());
  }
}

}  // namespace failsim::cli
