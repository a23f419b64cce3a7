#include "cluster/member.h"

#include "cluster/member/service.h"

namespace failsim {

Member::Member(const MemberConfig& config, const Recovered& recovered, Time now)
    : service_(std::make_unique<Service>(config, recovered, now)) {}

Member::~Member() = default;

void Member::step(Time now, const Event& event, Effects& out) {
  service_->step(now, event, out);
}
Time Member::next_deadline() const {
  return service_->next_deadline();
}
const ClusterState& Member::state() const {
  return service_->state();
}
const raft::Raft& Member::log() const {
  return service_->log();
}
NodeId Member::self() const {
  return service_->config().self;
}
Incarnation Member::incarnation() const {
  return service_->config().incarnation;
}
NodeId Member::leader() const {
  return service_->log().leader();
}
bool Member::has_quorum(Time now) const {
  return service_->has_quorum(now);
}

bool Member::listens_to(const pb::PeerMessage& message) const {
  return service_->listens_to(message);
}

bool Member::hears(NodeId node, Time now) const {
  return service_->detector().hears(node, now, service_->state().detection_time());
}

Time Member::lease_until() const {
  return service_->lease().until();
}
bool Member::is_failed() const {
  return service_->failed();
}

}  // namespace failsim
