#include "node/faults/node_faults.h"

#include <utility>

#include <boost/asio/post.hpp>

#include "cluster/fault/value.h"
#include "node/faults/hypervisor_faults.h"
#include "node/runtime/log.h"

namespace failsim::node {

NodeFaults::NodeFaults(boost::asio::io_context& io, Switchboard& switchboard, FailpointBoard& board,
                       Config config)
    : io_(io),
      switchboard_(switchboard),
      config_(std::move(config)),
      desk_(config_.self, config_.incarnation, switchboard, outside_of_desk()),
      points_(failpoints(config_.self, board, switchboard, outside_of_points())),
      hypervisor_faults_(hypervisor_faults(config_.self, switchboard)) {}

FaultDesk::Outside NodeFaults::outside_of_desk() {
  FaultDesk::Outside outside;
  outside.ask = config_.ask;
  outside.call_after = config_.call_after;
  outside.changed = [this] { faults_changed(); };
  outside.observations = config_.observations;
  return outside;
}

FailpointsOutside NodeFaults::outside_of_points() {
  FailpointsOutside outside;
  outside.reset = [this](NodeId from, NodeId to) { links_->reset(from, to); };
  outside.isolate = [this](Duration duration) { isolate(duration); };
  // Behind the step that passes the point.
  outside.cancel = [this](const std::string& vm) {
    boost::asio::post(io_, [this, vm] { cancel_migration(vm); });
  };
  return outside;
}

void NodeFaults::enter(MemberLoop::Outside& loop) {
  loop.timer_lateness = [this] { return switchboard_.timer_lateness(); };
  loop.points = points_.get();
}

void NodeFaults::enter(PeerLinksConfig& links) {
  links.is_passable = [this](NodeId from, NodeId to) {
    return !switchboard_.is_cut(from, to, Traffic::kControl);
  };
  links.receive = [this, receive = std::move(links.receive)](pb::PeerMessage message) {
    if (hears(message)) receive(std::move(message));
  };
}

void NodeFaults::enter(HypervisorConfig& hypervisor) {
  hypervisor.faults = hypervisor_faults_.get();
}

void NodeFaults::put_around(std::unique_ptr<PeerLinks>& links,
                            std::unique_ptr<HeartbeatSocket>& heartbeats) {
  auto faulty_links =
      FaultyLinks::around(std::move(links), config_.self, config_.bootstrap, io_, switchboard_);
  links_ = faulty_links.get();
  links = std::move(faulty_links);
  auto faulty_heartbeats =
      FaultyHeartbeats::around(std::move(heartbeats), config_.self, io_, switchboard_);
  heartbeats_ = faulty_heartbeats.get();
  heartbeats = std::move(faulty_heartbeats);
}

// A fault of a link acts at its sender; but who is isolated hears nothing either. To a node that
// speaks another version it is the others who do.
bool NodeFaults::hears(pb::PeerMessage& message) const {
  const Traffic traffic = message.has_heartbeat() ? Traffic::kHeartbeat : Traffic::kControl;
  if (switchboard_.is_cut(message.from(), config_.self, traffic)) return false;
  if (switchboard_.speaks_another_version()) message.set_version(message.version() + 1);
  return true;
}

void NodeFaults::isolate(Duration duration) {
  const std::string order =
      "isolate " + node_name(config_.self) + " for=" + fault::exact_duration(duration);
  const auto isolated = desk_.inject(order, 0, "failpoint");
  if (!isolated) log(Level::kError, "failpoint: " + isolated.error().message);
}

void NodeFaults::cancel_migration(const std::string& vm) {
  pb::Request request;
  request.set_client("failpoint-" + std::to_string(config_.self) + "-" +
                     std::to_string(config_.incarnation));
  request.set_sequence(++cancels_);
  request.mutable_cancel_migration()->set_vm(vm);
  config_.ask(std::move(request), [](const pb::Reply& reply) {
    if (reply.code() != 0) log(Level::kInfo, "failpoint: cancel: " + reply.message());
  });
}

// The decorators ask by themselves whenever something passes; this is for what has to be done at
// once.
void NodeFaults::faults_changed() {
  links_->faults_changed();
  heartbeats_->faults_changed();
  config_.set_memory_pressure(switchboard_.memory_pressure_bytes());
  const std::int64_t ppm = switchboard_.clock_drift_ppm();
  if (std::exchange(clock_drift_ppm_, ppm) != ppm) set_clock_drift(ppm);
}

}  // namespace failsim::node
