#include "cluster/member/service.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "cluster/member/log_config.h"
#include "cluster/member/state_snapshot.h"
#include "cluster/membership/process_start.h"
#include "cluster/wire/frame.h"

namespace failsim {
namespace {

pb::PeerMessage::Evidence evidence_of(NodeId node, std::uint32_t instance) {
  pb::PeerMessage::Evidence evidence;
  evidence.set_node(node);
  evidence.set_instance(instance);
  return evidence;
}

}  // namespace

Member::Service::Service(const MemberConfig& config, const Recovered& recovered, Time now)
    : config_(config),
      replica_(config, recovered, now),
      raft_(log_config(config, state()), recovered, now),
      unwritten_(recovered.synced),
      peers_(config.bootstrap, config.self, config.incarnation, state(), unwritten_),
      history_(config.incarnation, recovered.starts),
      processes_(state()),
      detector_(config.self, peers_.others(), now),
      local_(config.self, config.incarnation, config.mistakes),
      leadership_(config_, peers_, detector_, replica_, raft_),
      bulletins_({peers_, replica_, raft_, detector_, local_, history_, lease_}, now),
      now_(now),
      promised_(now) {
  for (const EntryPtr& entry : recovered.entries) {
    if (entry->index() > replica_.applied()) processes_.read(*entry);
  }
}

// ---- One step -----------------------------------------------------------------------------------

void Member::Service::step(Time now, const Event& event, Effects& out) {
  assert(now >= now_);
  out_ = &out;
  // Time this member did not run although it should have: others may have spoken meanwhile.
  const Duration gap = now > promised_ ? now - promised_ : 0;
  now_ = now;
  const Duration missed = gap > state().heartbeat_interval() ? gap : 0;
  detector_.forgive(missed);
  if (!failed_) raft_.tick(now_, missed, log_);
  std::visit([this](const auto& what) { take(what); }, event);
  if (!failed_) follow_log();
  if (failed_) {  // before this step or in it: nothing is said any more
    log_ = raft::Output();
    out.send_now.clear();
    out.after.clear();
  }
  promised_ = next_deadline();
  out_ = nullptr;
}

void Member::Service::follow_log() {
  settle_log();
  if (!leaving_) send(bulletins_.beats(now_));
  if (!leaving_) send_if_any(bulletins_.lease_request(now_));
  serve_clients();
  settle_log();
  send_if_any(bulletins_.report(now_));
  settle_log();
  clients_.expire(now_, raft_.leader() != kNoNode, has_quorum(now_), out_->after);
  local_.hold(clients_.jobs_to_cancel(), state(), lease_, now_, *out_);
  if (failed_) return;
  compact_log();
  hand_over_durable();
}

Time Member::Service::next_deadline() const {
  if (failed_ || leaving_) return kNever;
  const Time next =
      std::min({raft_.next_deadline(), bulletins_.next_deadline(now_),
                clients_.next_deadline(raft_.leader() != kNoNode), leadership_.next_deadline()});
  return std::max(next, now_);
}

void Member::Service::fail(std::string kind, std::string text) {
  failed_ = true;
  out_->trace.push_back({std::move(kind), std::move(text)});
}

// ---- Events -------------------------------------------------------------------------------------

void Member::Service::take(const MessageReceived& event) {
  const pb::PeerMessage& message = event.message;
  if (failed_ || leaving_) return;
  if (message.version() != kWireVersion) return refuse_version(message);
  if (!peers_.accepts(message)) return;
  if (message.has_known_process()) return show_process(message.from(), message.known_process());
  if (message.has_goes_on_from()) return processes_.shown(message);
  if (!processes_.take(message)) return ask_process(message);
  receive(message);
}

void Member::Service::take(const GuestReport& event) {
  local_.take(event);
}

void Member::Service::take(const TransferReport& event) {
  local_.take(event);
}

void Member::Service::take(const Persisted& event) {
  const std::uint64_t mark = unwritten_.written(event.sequence);
  if (mark != 0 && !failed_) raft_.persisted(now_, mark, log_);
  if (retiring_ == 0 || event.sequence < retiring_) return;
  retiring_ = 0;
  fail_superseded();
}

void Member::Service::take(const StorageFailed& event) {
  retiring_ = 0;
  fail("storage-failed", event.reason);
}

void Member::Service::take(const ProcessDied& event) {
  const pb::PeerMessage::Evidence evidence = evidence_of(event.node, event.instance);
  receive_evidence(evidence);
  if (event.node != config_.self) spread(evidence);
}

void Member::Service::take(const Leaving&) {
  spread(evidence_of(config_.self, instance_of(config_.incarnation)));
  raft_.step_down(now_, log_);
  leaving_ = true;
}

// ---- Messages -----------------------------------------------------------------------------------

bool Member::Service::listens_to(const pb::PeerMessage& message) const {
  return message.version() == kWireVersion && processes_.hears(message);
}

// Said once of each node: it may go on for long.
void Member::Service::refuse_version(const pb::PeerMessage& message) {
  if (!refused_versions_.insert(message.from()).second) return;
  out_->trace.push_back(
      {"version-refused", node_name(message.from()) + " speaks version " +
                              std::to_string(message.version()) + " of the protocol, this node " +
                              std::to_string(kWireVersion) +
                              ": it is not heard; run the same version on all nodes"});
}

void Member::Service::ask_process(const pb::PeerMessage& message) {
  if (!processes_.asks(message, now_, state().heartbeat_interval())) return;
  const KnownProcess& known = processes_.known(message.from());
  pb::PeerMessage question = peers_.envelope(message.from());
  question.mutable_known_process()->set_incarnation(known.process);
  question.mutable_known_process()->set_synced(known.synced);
  const pb::Node& row = *state().node(message.from());
  question.mutable_known_process()->set_agreed(row.incarnation() == known.process);
  send(std::move(question));
}

// What was said before the answer was not listened to: the most urgent of it is said again.
void Member::Service::show_process(NodeId to, const pb::PeerMessage::KnownProcess& known) {
  if (!history_.holds({known.incarnation(), known.synced()})) {
    return learn_superseded(known.agreed());
  }
  pb::PeerMessage answer = peers_.envelope(to);
  answer.mutable_goes_on_from()->set_incarnation(known.incarnation());
  answer.mutable_goes_on_from()->set_synced(known.synced());
  send(std::move(answer));
  send(bulletins_.last_beat(to, now_));
  bulletins_.ask_soon();
  bulletins_.report_soon();
}

// The mark is for good, so hearsay is not enough for it: one node alone may have listened to an
// older copy that spoke in between.
void Member::Service::learn_superseded(bool is_agreed) {
  if (!is_agreed) return fail_superseded();
  failed_ = true;
  out_->durable.retired = true;
  unwritten_.number(out_->durable);
  out_->sequence = retiring_ = unwritten_.hand_over(now_, 0);
}

void Member::Service::fail_superseded() {
  fail(
      "store-superseded",
      "the others know promises of this node that its store does not hold: the store, opened " +
          std::to_string(start_of(config_.incarnation)) +
          " times, is an older copy, or its disk has lost what it acknowledged, or another process "
          "uses a copy of it; this node stops: put its newest store back");
}

void Member::Service::receive(const pb::PeerMessage& message) {
  const NodeId from = message.from();
  switch (message.body_case()) {
    case pb::PeerMessage::kRaft:
      for (const auto& entry : message.raft().append().entries()) processes_.read(entry);
      return raft_.receive(now_, from, message.raft(), log_);
    case pb::PeerMessage::kHeartbeat:
      // A store formatted anew knows nothing of the cluster: its node must not be taken for Up.
      if (message.heartbeat().store_id() != state().node(from)->store_id()) return;
      detector_.heard(from, message.incarnation(), message.heartbeat(), now_);
      return;
    case pb::PeerMessage::kLeaseRequest:
      return send(leadership_.lease_asked(now_, from, message.incarnation(),
                                          message.lease_request(), log_));
    case pb::PeerMessage::kLeaseGrant:
      return receive_lease_grant(message.lease_grant());
    case pb::PeerMessage::kReport:
      return leadership_.report(from, message.incarnation(), message.report());
    case pb::PeerMessage::kEvidence:
      return receive_evidence(message.evidence());
    case pb::PeerMessage::kForward:
      return take_request(message.forward().request());
    case pb::PeerMessage::kReadIndex:
      return send(leadership_.read_asked(now_, from, message.read_index().token(), log_));
    case pb::PeerMessage::kReadIndexReply:
      return receive_read_index_reply(from, message.read_index_reply());
    default:
      return;  // answered by the world (live queries), or of no meaning here
  }
}

// To be ordered here; or a cancel of what this node sends, which nobody may be there to order.
void Member::Service::take_request(const pb::Request& request) {
  if (leadership_.holds()) {
    pb::Command command;
    *command.mutable_request() = request;
    leadership_.propose(now_, std::move(command), log_);
    return;
  }
  const auto cancel = cancel_to_keep(state(), request, config_.self);
  if (cancel.has_value() && cancel->source == config_.self) keep(*cancel);
}

void Member::Service::receive_lease_grant(const pb::PeerMessage::LeaseGrant& grant) {
  const Time before = lease_.until();
  lease_.granted(grant.nonce(), grant.index(), grant.length_ns(), replica_.applied());
  lease_changed(before);
}

// Of another node that does not lead: asked again when its time is over or a leader is known.
void Member::Service::receive_read_index_reply(NodeId from,
                                               const pb::PeerMessage::ReadIndexReply& reply) {
  if (reply.not_leader()) {
    if (from == config_.self) clients_.question_failed(reply.token());
    return;
  }
  clients_.read_index(reply.token(), reply.index());
  clients_.applied(replica_.applied(), out_->after);  // it may be here already
}

void Member::Service::receive_evidence(const pb::PeerMessage::Evidence& evidence) {
  if (evidence.node() == config_.self) return;  // it lives
  leadership_.evidence(evidence.node(), evidence.instance());
}

void Member::Service::send(pb::PeerMessage message) {
  if (message.to() == config_.self) return receive(message);
  out_->send_now.push_back(std::move(message));
}

void Member::Service::send(std::vector<pb::PeerMessage> messages) {
  for (pb::PeerMessage& message : messages) send(std::move(message));
}

void Member::Service::send_if_any(std::optional<pb::PeerMessage> message) {
  if (message.has_value()) send(*std::move(message));
}

// To all but the node it is about.
void Member::Service::spread(const pb::PeerMessage::Evidence& evidence) {
  for (const NodeId peer : peers_.others()) {
    if (peer == evidence.node()) continue;
    pb::PeerMessage message = peers_.envelope(peer);
    *message.mutable_evidence() = evidence;
    send(std::move(message));
  }
}

// ---- The log ------------------------------------------------------------------------------------

// Performs what the log said until it has nothing more to say: applying may propose, and proposing
// may, in a cluster of one, commit.
void Member::Service::settle_log() {
  bool more = true;
  while (more) {
    if (log_.snapshot.has_value()) install(*std::exchange(log_.snapshot, std::nullopt));
    apply_committed();
    notice_leader();
    send(leadership_.answers(now_, log_));
    if (!leaving_) leadership_.decide(now_, lease_.in_force(now_), log_);
    if (std::exchange(log_.wants_snapshot, false)) {
      const pb::LogStart position = raft_.position_of(replica_.applied());
      raft_.provide_snapshot(now_, snapshot_of(state(), position), log_);
    }
    more = !log_.committed.empty() || log_.snapshot.has_value() || !log_.confirmed.empty() ||
           !log_.confirm_failed.empty();
  }
}

void Member::Service::apply_committed() {
  const std::vector<EntryPtr> committed = std::exchange(log_.committed, {});
  for (const EntryPtr& entry : committed) apply_entry(*entry);
  if (committed.empty()) return;
  const Time before = lease_.until();
  lease_.applied(replica_.applied());
  lease_changed(before);
  clients_.applied(replica_.applied(), out_->after);
  replica_.store(log_.durable);
}

void Member::Service::apply_entry(const pb::LogEntry& entry) {
  const auto [command, applied, agrees] = replica_.apply(entry, now_);
  if (entry.command().empty()) return;
  out_->new_events.insert(out_->new_events.end(), applied.events.begin(), applied.events.end());
  if (command.has_request()) {
    clients_.answered(command.request().client(), command.request().sequence(), *applied.reply,
                      out_->after);
  }
  if (!agrees) {
    return fail("state-diverged",
                "the state at entry " + std::to_string(command.check_state().former_index()) +
                    " is not that of the leader; this node stops: move its directory "
                    "away and let it join anew");
  }
  if (applied.nodes) bulletins_.ask_soon();  // this node may have become one that is granted leases
  leadership_.applied(applied, entry.index());
  for (const std::string& vm : applied.vms) local_.reconcile(state(), vm, lease_, now_, *out_);
  for (const std::string& vm : applied.vms) local_.row_changed(vm);
}

void Member::Service::install(const raft::InstalledSnapshot& snapshot) {
  replica_.install(snapshot, now_, log_.durable);
  processes_.joined(state());
  lease_.applied(replica_.applied());
  local_.reconcile_all(state(), lease_, now_, *out_);
  out_->trace.push_back({"snapshot-installed", std::to_string(replica_.applied())});
}

void Member::Service::notice_leader() {
  const bool changed = raft_.leader() != known_leader_;
  if (changed) {
    known_leader_ = raft_.leader();
    out_->trace.push_back({"leader", known_leader_ == kNoNode ? "none" : node_name(known_leader_)});
  }
  if (leadership_.begins(now_) || changed) {
    clients_.leader_changed();
    bulletins_.ask_soon();
    bulletins_.report_soon();
  }
  // A disk that does not answer: let another lead.
  const bool stalled = unwritten_.oldest_waits(now_) > state().detection_time();
  if (stalled && raft_.leads()) raft_.step_down(now_, log_);
}

// The lease ended at `before` until now.
void Member::Service::lease_changed(Time before) {
  if (lease_.until() != before) out_->lease_until = lease_.until();
  local_.lease_changed(state(), lease_, now_, *out_);
}

// ---- Clients
// --------------------------------------------------------------------------------------

void Member::Service::serve_clients() {
  const NodeId leader = raft_.leader();
  for (const pb::Request& request : clients_.due_requests(now_)) {
    const pb::Reply* known = state().reply(request.client(), request.sequence());
    if (known != nullptr) {
      clients_.answered(request.client(), request.sequence(), *known, out_->after);
    } else if (leader != kNoNode) {
      hand_over(request, leader);
    } else {
      ask_source(request);
    }
  }
  const std::uint64_t question = clients_.due_question(now_);
  if (question == 0 || leader == kNoNode) return;
  pb::PeerMessage message = peers_.envelope(leader);
  message.mutable_read_index()->set_token(question);
  send(std::move(message));
}

void Member::Service::hand_over(const pb::Request& request, NodeId to) {
  pb::PeerMessage message = peers_.envelope(to);
  *message.mutable_forward()->mutable_request() = request;
  send(std::move(message));
}

// Nobody is there to order it. The source of what it cancels sends nothing until somebody is.
void Member::Service::ask_source(const pb::Request& request) {
  const auto cancel = cancel_to_keep(state(), request, config_.self);
  if (!cancel.has_value()) return;
  keep(*cancel);
  if (cancel->source != config_.self) hand_over(cancel->request, cancel->source);
}

void Member::Service::keep(const CancelToKeep& cancel) {
  if (clients_.keep(now_, cancel)) {
    out_->trace.push_back({"cancel-kept", cancel.reply.message()});
  }
}

// ---- Durable things -----------------------------------------------------------------------------

void Member::Service::compact_log() {
  const Index kept = raft_.last_index() - raft_.first_index() + 1;
  if (kept < 2 * config_.compact_every) return;
  const Index applied = replica_.applied();
  raft_.compact(applied - std::min(applied, config_.compact_every), log_);
}

// Everything the log wants durable or sent in this step, in the form the world performs.
void Member::Service::hand_over_durable() {
  const auto wrap = [&](raft::Outgoing& outgoing) {
    pb::PeerMessage message = peers_.envelope(outgoing.to);
    *message.mutable_raft() = std::move(outgoing.message);
    return message;
  };
  for (raft::Outgoing& outgoing : log_.send_now) out_->send_now.push_back(wrap(outgoing));
  unwritten_.number(log_.durable);
  std::vector<After> after;
  for (raft::Outgoing& outgoing : log_.after) {
    pb::PeerMessage message = wrap(outgoing);
    message.set_synced(unwritten_.synced_then());  // it leaves then
    after.emplace_back(std::move(message));
  }
  out_->after.insert(out_->after.begin(), std::make_move_iterator(after.begin()),
                     std::make_move_iterator(after.end()));
  out_->durable = std::move(log_.durable);
  if (!out_->durable.empty()) out_->sequence = unwritten_.hand_over(now_, log_.mark);
  log_ = raft::Output();
}

}  // namespace failsim
