#include "node/faults/fault_desk.h"

#include <algorithm>
#include <utility>

#include "node/runtime/log.h"

namespace failsim::node {
namespace {

constexpr Duration kLook = 20 * kMillisecond;  // how late an end is noticed at most
constexpr Duration kRepeat = kSecond;
// A number that this node chooses is neither the launcher's nor another node's.
constexpr std::uint64_t kNumbersPerNode = 100'000;
constexpr std::size_t kUntoldMax = 256;  // then the oldest stays untold; it stands in the log

const char* text_of(pb::Request::NoteFault::What what) {
  switch (what) {
    case pb::Request::NoteFault::HEALED:
      return "healed";
    case pb::Request::NoteFault::EXPIRED:
      return "expired";
    default:
      return "injected";
  }
}

}  // namespace

FaultDesk::FaultDesk(NodeId self, Incarnation incarnation, Switchboard& switchboard,
                     Outside outside)
    : self_(self),
      client_("faults-" + std::to_string(self) + "-" + std::to_string(incarnation)),
      switchboard_(switchboard),
      outside_(std::move(outside)) {}

Result<FaultInForce> FaultDesk::inject(const std::string& order_line, std::uint64_t id,
                                       const std::string& by) {
  const Result<fault::Order> order = fault::parse_order(order_line);
  if (!order) return order.error();
  const bool is_renewal = is_in_force(id);
  const Result<FaultInForce> fault =
      switchboard_.inject(id == 0 ? own_id() : id, order.value(), by);
  if (!fault || is_renewal) return fault;
  note(pb::Request::NoteFault::INJECTED, fault.value());
  outside_.changed();
  if (!is_looking_) {
    is_looking_ = true;
    look();
  }
  return fault;
}

bool FaultDesk::is_in_force(std::uint64_t id) const {
  const std::vector<FaultInForce> known = switchboard_.in_force();
  return std::any_of(known.begin(), known.end(),
                     [id](const FaultInForce& fault) { return fault.id == id; });
}

std::uint64_t FaultDesk::own_id() const {
  return std::max(kNumbersPerNode * self_, switchboard_.highest_id()) + 1;
}

// Leases end whether or not anybody looks; this tells of it.
void FaultDesk::look() {
  const std::vector<FaultInForce> ended = switchboard_.take_ended();
  for (const FaultInForce& fault : ended) note(pb::Request::NoteFault::EXPIRED, fault);
  if (!ended.empty()) outside_.changed();
  is_looking_ = !switchboard_.in_force().empty();
  if (is_looking_) outside_.call_after(kLook, [this] { look(); });
}

Result<FaultInForce> FaultDesk::heal(std::uint64_t id) {
  const std::optional<FaultInForce> fault = switchboard_.heal(id);
  if (!fault) {
    return Error{Code::kNotFound,
                 "No fault " + std::to_string(id) + " is in force on " + node_name(self_) + ".",
                 "See 'failsim fault list'."};
  }
  note(pb::Request::NoteFault::HEALED, *fault);
  outside_.changed();
  return *fault;
}

std::vector<FaultInForce> FaultDesk::heal_all() {
  std::vector<FaultInForce> healed;
  for (const FaultInForce& fault : switchboard_.in_force()) {
    if (heal(fault.id)) healed.push_back(fault);
  }
  return healed;
}

void FaultDesk::note(pb::Request::NoteFault::What what, const FaultInForce& fault) {
  const std::string order = fault::to_text(fault.order);
  log(Level::kWarning, "fault: " + std::to_string(fault.id) + " " + text_of(what) + ": " + order);
  observe(what, fault);
  pb::Request request;
  request.set_client(client_);
  request.set_sequence(++sequence_);
  pb::Request::NoteFault& note = *request.mutable_note_fault();
  note.set_what(what);
  note.set_node(self_);
  note.set_fault(fault.id);
  note.set_order(order);
  note.set_by(fault.by);
  untold_.push_back(std::move(request));
  if (untold_.size() > kUntoldMax) untold_.pop_front();
  if (!is_telling_) tell_next();
}

void FaultDesk::observe(pb::Request::NoteFault::What what, const FaultInForce& fault) const {
  if (outside_.observations == nullptr) return;
  pb::Observation observation;
  if (what == pb::Request::NoteFault::INJECTED) {
    observation.mutable_fault_began()->set_id(fault.id);
    observation.mutable_fault_began()->set_order(fault::to_text(fault.order));
  } else {
    const bool is_late =
        what == pb::Request::NoteFault::EXPIRED && fault.until < switchboard_.now();
    observation.mutable_fault_ended()->set_id(fault.id);
    if (is_late) observation.mutable_fault_ended()->set_since_ns(fault.until);
  }
  outside_.observations->note(std::move(observation));
}

// One at a time, in order, and again until the cluster has it.
void FaultDesk::tell_next() {
  is_telling_ = !untold_.empty();
  if (!is_telling_) return;
  outside_.ask(untold_.front(), [this, sequence = untold_.front().sequence()](pb::Reply reply) {
    const bool is_told =
        reply.code() == 0 || reply.code() == static_cast<std::uint32_t>(Code::kNodeNotFound);
    if (!is_told) return outside_.call_after(kRepeat, [this] { tell_next(); });
    if (!untold_.empty() && untold_.front().sequence() == sequence) untold_.pop_front();
    tell_next();
  });
}

}  // namespace failsim::node
