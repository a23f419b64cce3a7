#include "cluster/member/service.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/member/state_snapshot.h"
#include "cluster/membership/process_start.h"

namespace failsim {
namespace {

constexpr std::uint32_t kWireVersion = 1;

std::vector<NodeId> node_ids(const pb::Bootstrap& bootstrap) {
  std::vector<NodeId> ids;
  for (const auto& node : bootstrap.nodes()) ids.push_back(node.id());
  return ids;
}

ClusterState recovered_state(const pb::Bootstrap& bootstrap, const Recovered& recovered) {
  return recovered.rows.empty() ? ClusterState::born(bootstrap)
                                : ClusterState::from_rows(recovered.rows);
}

raft::Config log_config(const MemberConfig& config, const ClusterState& state) {
  raft::Config log;
  log.self = config.self;
  for (const auto& node : config.bootstrap.nodes()) {
    pb::Voter& voter = *log.voters.add_voters();
    voter.set_node(node.id());
    voter.set_store_id(node.store_id());
    if (node.id() != config.self) continue;
    const bool is_trusted =
        config.store_id == 0 || config.mistakes.has(Mistake::kVoteWithBlankStore);
    log.store_id = is_trusted ? node.store_id() : config.store_id;
  }
  log.election_timeout = Duration{state.cluster_dword("LogElectionTimeout")} * kMillisecond;
  log.heartbeat_interval = log.election_timeout / 5;
  log.random_seed = config.random_seed;
  log.mistakes = config.mistakes;
  return log;
}

}  // namespace

Member::Service::Service(const MemberConfig& config, const Recovered& recovered, Time now)
    : config_(config),
      state_(recovered_state(config.bootstrap, recovered)),
      applied_(recovered.applied),
      raft_(log_config(config, state_), recovered, now),
      detector_(config.self, node_ids(config.bootstrap), now),
      local_(config.self, config.incarnation, config.mistakes),
      audit_(config.check_state_every),
      now_(now),
      promised_(now),
      applied_at_(now),
      next_beat_(now),
      next_report_(kNever) {
  for (const auto& [id, node] : state_.nodes()) incarnations_[id] = node->incarnation();
  for (const EntryPtr& entry : recovered.entries) {
    if (entry->index() > applied_) note_process(*entry);
  }
}

template <typename Visit>
void Member::Service::for_each_peer(Visit&& visit) {
  for (const auto& node : config_.bootstrap.nodes()) {
    if (node.id() != config_.self) visit(node.id());
  }
}

// ---- One step -----------------------------------------------------------------------------------

void Member::Service::step(Time now, const Event& event, Effects& out) {
  assert(now >= now_);
  out_ = &out;
  // Time this member did not run although it should have: others may have spoken meanwhile.
  const Duration gap = now > promised_ ? now - promised_ : 0;
  now_ = now;
  if (gap > heartbeat_interval()) detector_.forgive(gap);
  if (!failed_) raft_.tick(now_, gap > heartbeat_interval() ? gap : 0, log_);
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
  send_heartbeats();
  ask_for_lease();
  serve_clients();
  settle_log();
  report_to_leader();
  settle_log();
  clients_.expire(now_, has_quorum(now_), out_->after);
  if (failed_) return;
  compact_log();
  hand_over_durable();
}

Time Member::Service::next_deadline() const {
  if (failed_ || leaving_) return kNever;
  Time next = std::min(raft_.next_deadline(), next_beat_);
  next = std::min(next, next_report_);
  next = std::min(next, lease_due_ ? now_ : lease_.last_asked() + lease_interval());
  next = std::min(next, clients_.next_deadline());
  if (leads()) next = std::min(next, coordinator_.next_deadline());
  return std::max(next, now_);
}

Duration Member::Service::heartbeat_interval() const {
  return state_.heartbeat_interval();
}

Duration Member::Service::lease_interval() const {
  return std::min(heartbeat_interval(), state_.detection_time() / 4);
}

bool Member::Service::has_quorum(Time now) const {
  return raft_.has_quorum(now);
}

// ---- Events -------------------------------------------------------------------------------------

void Member::Service::take(const MessageReceived& event) {
  const pb::PeerMessage& message = event.message;
  if (failed_ || leaving_ || !acceptable(message)) return;
  Incarnation& known = incarnations_[message.from()];
  if (is_superseded(message.incarnation(), known)) return tell_superseded(message);
  known = message.incarnation();
  receive(message.from(), message);
}

void Member::Service::take(const GuestReport& event) {
  if (local_.take(event)) report_due_ = true;
}

void Member::Service::take(const TransferReport& event) {
  if (local_.take(event)) report_due_ = true;
}

void Member::Service::take(const Persisted& event) {
  const auto end = marks_.upper_bound(event.sequence);
  std::uint64_t mark = 0;
  for (auto entry = marks_.begin(); entry != end; ++entry) mark = entry->second;
  marks_.erase(marks_.begin(), end);
  unwritten_.erase(unwritten_.begin(), unwritten_.upper_bound(event.sequence));
  if (mark != 0 && !failed_) raft_.persisted(now_, mark, log_);
}

void Member::Service::take(const StorageFailed& event) {
  failed_ = true;
  out_->trace.push_back({"storage-failed", event.reason});
}

void Member::Service::take(const ProcessDied& event) {
  pb::PeerMessage::Evidence evidence;
  evidence.set_node(event.node);
  evidence.set_instance(event.instance);
  receive_evidence(evidence, true);
}

void Member::Service::take(const Leaving&) {
  pb::PeerMessage::Evidence evidence;
  evidence.set_node(config_.self);
  evidence.set_instance(instance_of(config_.incarnation));
  for_each_peer([&](NodeId peer) {
    pb::PeerMessage farewell = envelope(peer);
    *farewell.mutable_evidence() = evidence;
    send(std::move(farewell));
  });
  raft_.step_down(now_, log_);
  leaving_ = true;
}

// ---- Messages -----------------------------------------------------------------------------------

pb::PeerMessage Member::Service::envelope(NodeId to) const {
  pb::PeerMessage message;
  message.set_version(kWireVersion);
  message.set_cluster_id(config_.bootstrap.cluster_id());
  message.set_recovery_epoch(state_.cluster().recovery_epoch());
  message.set_from(config_.self);
  message.set_to(to);
  message.set_incarnation(config_.incarnation);
  return message;
}

// Of this cluster, version and recovery epoch.
bool Member::Service::acceptable(const pb::PeerMessage& message) const {
  if (message.version() != kWireVersion) return false;
  if (message.cluster_id() != config_.bootstrap.cluster_id()) return false;
  if (message.recovery_epoch() < state_.cluster().recovery_epoch()) return false;
  if (message.to() != config_.self || message.from() == config_.self) return false;
  return state_.node(message.from()) != nullptr;
}

// ---- Processes of one node ----------------------------------------------------------------------

// A process that joins is known from the moment its entry is in the log, committed or not: its
// leader has heard it.
void Member::Service::note_process(const pb::LogEntry& entry) {
  pb::Command command;
  if (entry.command().empty() || !command.ParseFromString(entry.command())) return;
  if (!command.has_node_joined()) return;
  Incarnation& known = incarnations_[command.node_joined().node()];
  known = std::max(known, command.node_joined().incarnation());
}

// Once a beat: it is to stop. Of a message that was only late nobody is there to hear it.
void Member::Service::tell_superseded(const pb::PeerMessage& message) {
  if (!message.has_heartbeat()) return;
  pb::PeerMessage answer = envelope(message.from());
  answer.mutable_evidence()->set_node(message.from());
  answer.mutable_evidence()->set_instance(instance_of(message.incarnation()));
  send(std::move(answer));
}

void Member::Service::learn_superseded() {
  failed_ = true;
  out_->trace.push_back(
      {"store-superseded",
       "the others know a later start of this node than start " +
           std::to_string(start_of(config_.incarnation)) +
           ", which its store has counted: the store is an older copy, or another process uses "
           "it; this node stops, because it no longer knows what it has promised: put the newest "
           "store back"});
}

void Member::Service::receive(NodeId from, const pb::PeerMessage& message) {
  switch (message.body_case()) {
    case pb::PeerMessage::kRaft:
      for (const pb::LogEntry& entry : message.raft().append().entries()) note_process(entry);
      return raft_.receive(now_, from, message.raft(), log_);
    case pb::PeerMessage::kHeartbeat:
      // A store formatted anew knows nothing of the cluster: its node must not be taken for Up.
      if (message.heartbeat().store_id() != state_.node(from)->store_id()) return;
      detector_.heard(from, message.incarnation(), message.heartbeat(), now_);
      return;
    case pb::PeerMessage::kLeaseRequest:
      return receive_lease_request(from, message.incarnation(), message.lease_request());
    case pb::PeerMessage::kLeaseGrant:
      return receive_lease_grant(message.lease_grant());
    case pb::PeerMessage::kReport:
      if (leads()) coordinator_.report(from, message.incarnation(), message.report());
      return;
    case pb::PeerMessage::kEvidence:
      return receive_evidence(message.evidence(), false);
    case pb::PeerMessage::kForward: {
      if (!leads()) return;
      pb::Command command;
      *command.mutable_request() = message.forward().request();
      propose(std::move(command));
      return;
    }
    case pb::PeerMessage::kReadIndex:
      return receive_read_index(from, message.read_index().token());
    case pb::PeerMessage::kReadIndexReply:
      return receive_read_index_reply(message.read_index_reply());
    default:
      return;  // answered by the world (live queries), or of no meaning here
  }
}

void Member::Service::receive_lease_request(NodeId from, Incarnation incarnation,
                                            const pb::PeerMessage::LeaseRequest& request) {
  if (!leads()) return;
  grantor_.asked(from, incarnation, request, now_);
  const std::uint64_t number = ++last_confirmation_;
  if (config_.mistakes.has(Mistake::kLeaseWithoutProof)) {
    return grant_lease(LeaseAsked{from, incarnation, request.nonce()});
  }
  confirmations_[number] = LeaseAsked{from, incarnation, request.nonce()};
  raft_.confirm(now_, number, log_);
}

void Member::Service::receive_lease_grant(const pb::PeerMessage::LeaseGrant& grant) {
  const Time before = lease_.until();
  lease_.granted(grant.nonce(), grant.index(), grant.length_ns(), applied_);
  if (lease_.until() != before) out_->lease_until = lease_.until();
  local_.lease_changed(state_, lease_, now_, *out_);
}

void Member::Service::receive_read_index(NodeId from, std::uint64_t question) {
  if (!leads()) {
    if (from == config_.self) return clients_.question_failed(question);
    pb::PeerMessage reply = envelope(from);
    reply.mutable_read_index_reply()->set_token(question);
    reply.mutable_read_index_reply()->set_not_leader(true);
    return send(std::move(reply));
  }
  const std::uint64_t number = ++last_confirmation_;
  confirmations_[number] = ReadAsked{from, question, raft_.commit_index()};
  if (config_.mistakes.has(Mistake::kReadWithoutProof)) return log_.confirmed.push_back(number);
  raft_.confirm(now_, number, log_);
}

void Member::Service::receive_read_index_reply(const pb::PeerMessage::ReadIndexReply& reply) {
  if (reply.not_leader()) return;  // asked again when its time is over or a leader is known
  clients_.read_index(reply.token(), reply.index());
  clients_.applied(applied_, out_->after);  // it may be here already
}

void Member::Service::receive_evidence(const pb::PeerMessage::Evidence& evidence, bool spread) {
  if (evidence.node() == config_.self) {
    if (evidence.instance() == instance_of(config_.incarnation)) learn_superseded();
    return;
  }
  coordinator_.evidence(evidence.node(), evidence.instance());
  if (!spread) return;
  for_each_peer([&](NodeId peer) {
    if (peer == evidence.node()) return;
    pb::PeerMessage message = envelope(peer);
    *message.mutable_evidence() = evidence;
    send(std::move(message));
  });
}

// ---- The log ------------------------------------------------------------------------------------

// Performs what the log said until it has nothing more to say: applying may propose, and proposing
// may, in a cluster of one, commit.
void Member::Service::settle_log() {
  bool more = true;
  while (more) {
    if (log_.snapshot.has_value()) install(*std::exchange(log_.snapshot, std::nullopt));
    apply_committed();
    notice_leadership();
    answer_confirmations();
    decide();
    if (log_.wants_snapshot) {
      log_.wants_snapshot = false;
      raft_.provide_snapshot(now_, snapshot_of(state_, raft_.position_of(applied_)), log_);
    }
    more = !log_.committed.empty() || log_.snapshot.has_value() || !log_.confirmed.empty() ||
           !log_.confirm_failed.empty();
  }
}

void Member::Service::apply_committed() {
  std::vector<EntryPtr> committed;
  committed.swap(log_.committed);
  for (const EntryPtr& entry : committed) apply_entry(*entry);
  if (committed.empty()) return;
  const Time before = lease_.until();
  lease_.applied(applied_);
  if (lease_.until() != before) out_->lease_until = lease_.until();
  local_.lease_changed(state_, lease_, now_, *out_);
  clients_.applied(applied_, out_->after);
  DurableBatch& durable = log_.durable;
  for (RowChange& row : state_.take_changes()) durable.rows.push_back(std::move(row));
  durable.applied = applied_;
}

void Member::Service::apply_entry(const pb::LogEntry& entry) {
  assert(entry.index() == applied_ + 1);
  applied_ = entry.index();
  if (entry.command().empty()) return;  // the no-op of a new term
  pb::Command command;
  const bool well_formed = command.ParseFromString(entry.command());
  assert(well_formed);
  const Applied applied = apply(state_, command, entry.index(), config_.mistakes);
  applied_at_ = now_;
  out_->new_events.insert(out_->new_events.end(), applied.events.begin(), applied.events.end());
  if (command.has_request()) {
    clients_.answered(command.request().client(), command.request().sequence(), *applied.reply,
                      out_->after);
  }
  if (command.has_check_state() && !audit_.check(command.check_state(), entry.index(), state_)) {
    failed_ = true;
    out_->trace.push_back(
        {"state-diverged", "the state at entry " +
                               std::to_string(command.check_state().former_index()) +
                               " is not that of the leader; this node stops: move its directory "
                               "away and let it join anew"});
    return;
  }
  if (applied.nodes) lease_due_ = true;  // this node may have become one that is granted leases
  if (leads()) coordinator_.applied(state_, applied, entry.index());
  for (const std::string& vm : applied.vms) local_.reconcile(state_, vm, lease_, now_, *out_);
  if (!applied.vms.empty()) report_due_ = true;
}

void Member::Service::install(const raft::InstalledSnapshot& snapshot) {
  const auto rows = rows_of(snapshot.chunks);
  assert(rows.has_value());  // checked link by link on its way here
  state_ = ClusterState::from_rows(*rows);
  applied_ = snapshot.position.index();
  applied_at_ = now_;
  DurableBatch& durable = log_.durable;
  durable.replace_rows = true;
  durable.rows = *rows;
  durable.applied = applied_;
  lease_.applied(applied_);
  local_.reconcile_all(state_, lease_, now_, *out_);
  out_->trace.push_back({"snapshot-installed", std::to_string(applied_)});
}

void Member::Service::notice_leadership() {
  if (raft_.leader() != known_leader_) {
    known_leader_ = raft_.leader();
    clients_.leader_changed();
    lease_due_ = true;
    report_due_ = true;
    out_->trace.push_back({"leader", known_leader_ == kNoNode ? "none" : node_name(known_leader_)});
  }
  if (leads() && led_term_ != raft_.term()) {
    led_term_ = raft_.term();
    const bool waits = !config_.mistakes.has(Mistake::kNewLeaderReassignsAtOnce);
    grantor_.elected(now_, waits ? state_.cluster().lease_bound_ns() : 0);
    coordinator_.elected(state_, applied_);
    clients_.leader_changed();
    lease_due_ = true;
    report_due_ = true;
  }
  // A disk that does not answer: let another lead.
  const bool stalled =
      !unwritten_.empty() && now_ - unwritten_.begin()->second > state_.detection_time();
  if (stalled && raft_.leads()) raft_.step_down(now_, log_);
}

void Member::Service::answer_confirmations() {
  std::vector<std::uint64_t> confirmed;
  confirmed.swap(log_.confirmed);
  for (const std::uint64_t number : confirmed) {
    const auto found = confirmations_.find(number);
    if (found == confirmations_.end()) continue;
    const Confirmation confirmation = found->second;
    confirmations_.erase(found);
    if (const auto* lease = std::get_if<LeaseAsked>(&confirmation)) {
      grant_lease(*lease);
      continue;
    }
    const ReadAsked& read = std::get<ReadAsked>(confirmation);
    if (read.node == config_.self) {
      clients_.read_index(read.question, read.index);
      clients_.applied(applied_, out_->after);
      continue;
    }
    pb::PeerMessage reply = envelope(read.node);
    reply.mutable_read_index_reply()->set_token(read.question);
    reply.mutable_read_index_reply()->set_index(read.index);
    send(std::move(reply));
  }
  std::vector<std::uint64_t> refused;
  refused.swap(log_.confirm_failed);
  for (const std::uint64_t number : refused) {
    const auto found = confirmations_.find(number);
    if (found == confirmations_.end()) continue;
    const auto* read = std::get_if<ReadAsked>(&found->second);
    if (read != nullptr && read->node == config_.self) clients_.question_failed(read->question);
    confirmations_.erase(found);
  }
}

// The grant names the last entry appended, committed or not: it helps the node only once it has
// applied whatever reassignment may be among them.
void Member::Service::grant_lease(const LeaseAsked& asked) {
  if (!leads()) return;
  const pb::Node* node = state_.node(asked.node);
  if (node->incarnation() != asked.incarnation || node->state() != pb::NODE_UP) return;
  const Duration length = state_.detection_time();
  grantor_.grant(asked.node, now_, length);
  pb::PeerMessage message = envelope(asked.node);
  pb::PeerMessage::LeaseGrant& grant = *message.mutable_lease_grant();
  grant.set_nonce(asked.nonce);
  const bool by_commit = config_.mistakes.has(Mistake::kLeaseByCommitIndex);
  grant.set_index(by_commit ? raft_.commit_index() : raft_.last_index());
  grant.set_length_ns(length);
  if (asked.node == config_.self) return receive_lease_grant(grant);
  send(std::move(message));
}

// ---- What is said again and again ---------------------------------------------------------------

void Member::Service::send_heartbeats() {
  if (now_ < next_beat_ || leaving_) return;
  next_beat_ = now_ + heartbeat_interval();
  ++beat_;
  const std::uint64_t view = detector_.view(now_, state_.detection_time());
  for_each_peer([&](NodeId peer) {
    pb::PeerMessage message = envelope(peer);
    pb::PeerMessage::Heartbeat& beat = *message.mutable_heartbeat();
    beat.set_sequence(beat_);
    beat.set_view(view);
    beat.set_applied_index(applied_);
    beat.set_store_id(raft_.store_id());
    beat.set_disk_wait_ns(unwritten_.empty() ? 0 : now_ - unwritten_.begin()->second);
    send(std::move(message));
  });
}

void Member::Service::ask_for_lease() {
  if (leaving_) return;
  const bool wanted_now = local_.wants_lease() && now_ >= lease_.last_asked() + 2 * kMillisecond;
  const bool due = lease_due_ || wanted_now || now_ >= lease_.last_asked() + lease_interval();
  if (!due) return;
  lease_due_ = false;
  pb::PeerMessage::LeaseRequest request;
  request.set_nonce(lease_.ask(now_));
  request.set_held(lease_.in_force(now_));
  request.set_applied_index(applied_);
  const NodeId leader = raft_.leader();
  if (leader == config_.self) return receive_lease_request(leader, config_.incarnation, request);
  if (leader == kNoNode) return;
  pb::PeerMessage message = envelope(leader);
  *message.mutable_lease_request() = request;
  send(std::move(message));
}

void Member::Service::serve_clients() {
  const NodeId leader = raft_.leader();
  for (pb::Request& request : clients_.due_requests(now_)) {
    const pb::Reply* known = state_.reply(request.client(), request.sequence());
    if (known != nullptr) {
      clients_.answered(request.client(), request.sequence(), *known, out_->after);
    } else if (leads()) {
      pb::Command command;
      *command.mutable_request() = std::move(request);
      propose(std::move(command));
    } else if (leader != kNoNode && leader != config_.self) {
      pb::PeerMessage message = envelope(leader);
      *message.mutable_forward()->mutable_request() = std::move(request);
      send(std::move(message));
    }
  }
  const std::uint64_t question = clients_.due_question(now_);
  if (question == 0) return;
  if (leader == config_.self) return receive_read_index(leader, question);
  if (leader == kNoNode) return;
  pb::PeerMessage message = envelope(leader);
  message.mutable_read_index()->set_token(question);
  send(std::move(message));
}

void Member::Service::report_to_leader() {
  if (!report_due_ && now_ < next_report_) return;
  report_due_ = false;
  pb::PeerMessage::Report report = local_.report(state_);
  const bool nothing = report.guests().empty() && report.transfers().empty();
  next_report_ = nothing ? kNever : now_ + heartbeat_interval();
  if (nothing) return;
  report.set_applied_index(applied_);
  const NodeId leader = raft_.leader();
  if (leader == config_.self) {
    if (leads()) coordinator_.report(config_.self, config_.incarnation, report);
    return;
  }
  if (leader == kNoNode) return;
  pb::PeerMessage message = envelope(leader);
  *message.mutable_report() = std::move(report);
  send(std::move(message));
}

// ---- Leading ------------------------------------------------------------------------------------

void Member::Service::decide() {
  if (!leads() || leaving_) return;
  const LeaderView view{state_,
                        detector_,
                        grantor_,
                        config_.self,
                        config_.incarnation,
                        static_cast<std::size_t>(config_.bootstrap.nodes().size()) / 2 + 1,
                        lease_.in_force(now_),
                        now_,
                        cluster_now(),
                        config_.mistakes};
  for (Proposal& proposal : coordinator_.decide(view)) {
    const std::optional<Index> index = propose(std::move(proposal.command));
    if (index.has_value()) coordinator_.proposed(proposal, *index);
  }
  if (std::optional<pb::Command> check = audit_.due(applied_)) {
    const std::optional<Index> index = propose(std::move(*check));
    if (index.has_value()) audit_.proposed(*index);
  }
}

std::optional<Index> Member::Service::propose(pb::Command command) {
  command.set_cluster_time_ns(cluster_now());
  command.set_wall_time_ns(config_.wall_time_origin_ns + now_);
  command.set_proposer(config_.self);
  coordinator_.observe(state_, command);
  return raft_.propose(now_, command.SerializeAsString(), log_);
}

// ---- Durable things -----------------------------------------------------------------------------

void Member::Service::compact_log() {
  const Index kept = raft_.last_index() - raft_.first_index() + 1;
  if (kept < 2 * config_.compact_every) return;
  raft_.compact(applied_ - std::min(applied_, config_.compact_every), log_);
}

// Everything the log wants durable or sent in this step, in the form the world performs.
void Member::Service::hand_over_durable() {
  const auto wrap = [&](raft::Outgoing& outgoing) {
    pb::PeerMessage message = envelope(outgoing.to);
    *message.mutable_raft() = std::move(outgoing.message);
    return message;
  };
  for (raft::Outgoing& outgoing : log_.send_now) out_->send_now.push_back(wrap(outgoing));
  std::vector<After> after;
  for (raft::Outgoing& outgoing : log_.after) after.push_back(wrap(outgoing));
  out_->after.insert(out_->after.begin(), std::make_move_iterator(after.begin()),
                     std::make_move_iterator(after.end()));
  out_->durable = std::move(log_.durable);
  if (!out_->durable.empty()) {
    out_->sequence = ++sequence_;
    unwritten_[sequence_] = now_;
    if (log_.mark != 0) marks_[sequence_] = log_.mark;
  }
  log_ = raft::Output();
}

}  // namespace failsim
