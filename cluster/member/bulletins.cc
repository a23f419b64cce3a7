#include "cluster/member/bulletins.h"

#include <algorithm>
#include <utility>

namespace failsim {
namespace {

// A source that waits for a lease asks this often.
constexpr Duration kUrgentLeaseInterval = 2 * kMillisecond;

}  // namespace

Duration Bulletins::lease_interval() const {
  return std::min(beat_interval(), parts_.replica.state().detection_time() / 4);
}

Time Bulletins::next_deadline(Time now) const {
  const Time request = lease_due_ ? now : parts_.lease.last_asked() + lease_interval();
  const Time report = parts_.local.has_news() ? now : next_report_;
  return std::min({next_beat_, report, request});
}

pb::PeerMessage::Heartbeat Bulletins::beat(Time now) const {
  pb::PeerMessage::Heartbeat beat;
  beat.set_sequence(beat_);
  beat.set_view(parts_.detector.view(now, parts_.replica.state().detection_time()));
  beat.set_store_id(parts_.log.store_id());
  const KnownProcess former = parts_.history.former();
  beat.mutable_former()->set_incarnation(former.process);
  beat.mutable_former()->set_synced(former.synced);
  return beat;
}

pb::PeerMessage Bulletins::last_beat(NodeId peer, Time now) const {
  pb::PeerMessage message = parts_.peers.envelope(peer);
  *message.mutable_heartbeat() = beat(now);
  return message;
}

std::vector<pb::PeerMessage> Bulletins::beats(Time now) {
  if (now < next_beat_) return {};
  next_beat_ = now + beat_interval();
  ++beat_;
  const pb::PeerMessage::Heartbeat said = beat(now);
  std::vector<pb::PeerMessage> beats;
  for (const NodeId peer : parts_.peers.others()) {
    *beats.emplace_back(parts_.peers.envelope(peer)).mutable_heartbeat() = said;
  }
  return beats;
}

std::optional<pb::PeerMessage> Bulletins::lease_request(Time now) {
  LeaseHolder& lease = parts_.lease;
  const bool is_urgent =
      parts_.local.wants_lease() && now >= lease.last_asked() + kUrgentLeaseInterval;
  if (!lease_due_ && !is_urgent && now < lease.last_asked() + lease_interval()) {
    return std::nullopt;
  }
  lease_due_ = false;
  const std::uint64_t nonce = lease.ask(now);
  if (parts_.log.leader() == kNoNode) return std::nullopt;
  pb::PeerMessage message = parts_.peers.envelope(parts_.log.leader());
  pb::PeerMessage::LeaseRequest& request = *message.mutable_lease_request();
  request.set_nonce(nonce);
  request.set_held(lease.in_force(now));
  request.set_applied_index(parts_.replica.applied());
  return message;
}

// News at once, and all that is open once an interval: what was lost is said again, and a new
// leader hears it.
std::optional<pb::PeerMessage> Bulletins::report(Time now) {
  const bool is_due = now >= next_report_;
  if (!is_due && !parts_.local.has_news()) return std::nullopt;
  const ClusterState& state = parts_.replica.state();
  pb::PeerMessage::Report report =
      is_due ? parts_.local.report(state) : parts_.local.report_news(state);
  const bool nothing = report.guests().empty() && report.transfers().empty();
  if (is_due) next_report_ = nothing ? kNever : now + beat_interval();
  if (nothing) return std::nullopt;
  next_report_ = std::min(next_report_, now + beat_interval());
  if (parts_.log.leader() == kNoNode) return std::nullopt;
  report.set_applied_index(parts_.replica.applied());
  pb::PeerMessage message = parts_.peers.envelope(parts_.log.leader());
  *message.mutable_report() = std::move(report);
  return message;
}

}  // namespace failsim
