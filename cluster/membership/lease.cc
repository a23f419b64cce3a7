#include "cluster/membership/lease.h"

#include <algorithm>

namespace failsim {
namespace {

// Requests answered later than so many newer ones are of no use any more.
constexpr std::size_t kRequestsKept = 64;

}  // namespace

std::uint64_t LeaseHolder::ask(Time now) {
  const std::uint64_t nonce = next_nonce_++;
  asked_[nonce] = now;
  if (asked_.size() > kRequestsKept) asked_.erase(asked_.begin());
  last_asked_ = now;
  return nonce;
}

void LeaseHolder::granted(std::uint64_t nonce, Index index, Duration length, Index applied_index) {
  const auto request = asked_.find(nonce);
  if (request == asked_.end()) return;
  const Time until = request->second + shortened(length);
  asked_.erase(request);
  Time& waiting = waiting_[index];
  waiting = std::max(waiting, until);
  applied(applied_index);
}

void LeaseHolder::applied(Index index) {
  while (!waiting_.empty() && waiting_.begin()->first <= index) {
    const auto grant = waiting_.begin();
    until_ = std::max(until_, grant->second);
    if (grant->first >= newest_index_) {
      newest_index_ = grant->first;
      newest_until_ = grant->second;
    }
    waiting_.erase(grant);
  }
}

void LeaseGrantor::elected(Time now, Duration bound) {
  elected_at_ = now;
  all_end_ = now + lengthened(bound);
  ends_.clear();
  asked_.clear();
}

void LeaseGrantor::asked(NodeId node, Incarnation incarnation,
                         const pb::PeerMessage::LeaseRequest& request, Time now) {
  Asked& asked = asked_[node];
  if (asked.incarnation != incarnation) asked = {incarnation, now, elected_at_, 0};
  asked.at = now;
  if (request.held()) asked.held_at = now;
  asked.applied = std::max(asked.applied, request.applied_index());
}

void LeaseGrantor::grant(NodeId node, Time now, Duration length) {
  Time& end = ends_[node];
  end = std::max(end, now + lengthened(length));
}

Time LeaseGrantor::ends(NodeId node) const {
  const auto end = ends_.find(node);
  return end == ends_.end() ? all_end_ : std::max(all_end_, end->second);
}

Time LeaseGrantor::held_at(NodeId node, Incarnation incarnation) const {
  const auto asked = asked_.find(node);
  const bool known = asked != asked_.end() && asked->second.incarnation == incarnation;
  return known ? asked->second.held_at : elected_at_;
}

bool LeaseGrantor::follows(NodeId node, Incarnation incarnation, Index index, Time since) const {
  const auto asked = asked_.find(node);
  return asked != asked_.end() && asked->second.incarnation == incarnation &&
         asked->second.at >= since && asked->second.applied >= index;
}

}  // namespace failsim
