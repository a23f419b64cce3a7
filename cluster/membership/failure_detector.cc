#include "cluster/membership/failure_detector.h"

#include <algorithm>
#include <cassert>

namespace failsim {
namespace {

std::uint64_t bit(NodeId node) {
  assert(node >= 1);
  assert(node <= 64);
  return std::uint64_t{1} << (node - 1);
}

}  // namespace

FailureDetector::FailureDetector(NodeId self, const std::vector<NodeId>& nodes, Time now)
    : self_(self) {
  for (const NodeId node : nodes) {
    if (node != self) peers_[node].last_heard = now;
  }
}

bool FailureDetector::heard(NodeId node, Incarnation incarnation,
                            const pb::PeerMessage::Heartbeat& beat, Time now) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return false;
  Peer& peer = found->second;
  const bool newer = incarnation > peer.incarnation ||
                     (incarnation == peer.incarnation && beat.sequence() > peer.sequence);
  if (!newer) return false;
  peer = {now, incarnation, beat.sequence(), beat.view()};
  return true;
}

void FailureDetector::forgive(Duration gap) {
  for (auto& [node, peer] : peers_) peer.last_heard += gap;
}

bool FailureDetector::hears(NodeId node, Time now, Duration detection_time) const {
  if (node == self_) return true;
  const auto peer = peers_.find(node);
  return peer != peers_.end() && now < peer->second.last_heard + detection_time;
}

std::uint64_t FailureDetector::view(Time now, Duration detection_time) const {
  std::uint64_t view = bit(self_);
  for (const auto& [node, peer] : peers_) {
    if (now < peer.last_heard + detection_time) view |= bit(node);
  }
  return view;
}

Incarnation FailureDetector::incarnation(NodeId node) const {
  const auto peer = peers_.find(node);
  return peer == peers_.end() ? 0 : peer->second.incarnation;
}

std::size_t FailureDetector::silent_votes(NodeId node, std::uint64_t voters, Time now,
                                          Duration detection_time) const {
  std::size_t votes = hears(node, now, detection_time) ? 0 : 1;
  for (const auto& [other, peer] : peers_) {
    const bool says_so =
        other != node && (voters & bit(other)) != 0 && (peer.view & bit(node)) == 0;
    if (says_so && now < peer.last_heard + detection_time) ++votes;
  }
  return votes;
}

Time FailureDetector::next_silence(Time now, Duration detection_time) const {
  Time next = kNever;
  for (const auto& [node, peer] : peers_) {
    const Time silent_at = peer.last_heard + detection_time;
    if (now < silent_at) next = std::min(next, silent_at);
  }
  return next;
}

}  // namespace failsim
