#include "node/faults/leased_faults.h"

#include <algorithm>

namespace failsim::node {
namespace {

auto is_numbered(std::uint64_t id) {
  return [id](const LeasedFaults::Rule& rule) { return rule.fault.id == id; };
}

}  // namespace

Result<FaultInForce> LeasedFaults::inject(std::uint64_t id, const fault::Order& order,
                                          const std::string& by, NodeId self, Reach reach) {
  if (healed_.contains(id)) {
    return Error{Code::kOperationAborted,
                 "The fault " + std::to_string(id) + " was healed on " + node_name(self) + ".",
                 "Inject it again under another number if it is still wanted."};
  }
  const Time since = now();
  const Time until = since + order.lease;
  const auto known = std::find_if(rules_.begin(), rules_.end(), is_numbered(id));
  if (known != rules_.end()) {
    fault::Order former = known->fault.order;
    former.lease = order.lease;
    if (former != order) {
      return Error{Code::kInvalidState,
                   "The number " + std::to_string(id) + " is that of another fault on " +
                       node_name(self) + ": " + fault::to_text(known->fault.order) + ".",
                   "Choose another number."};
    }
    known->fault.until = until;
    return known->fault;
  }
  highest_id_ = std::max(highest_id_, id);
  Rule& rule = rules_.emplace_back();
  rule.fault = {id, order, by, since, until};
  rule.reach = std::move(reach);
  return rule.fault;
}

std::optional<FaultInForce> LeasedFaults::heal(std::uint64_t id) {
  const auto known = std::find_if(rules_.begin(), rules_.end(), is_numbered(id));
  if (known == rules_.end()) return std::nullopt;
  const FaultInForce healed = known->fault;
  rules_.erase(known);
  healed_.insert(id);
  return healed;
}

std::vector<FaultInForce> LeasedFaults::in_force() const {
  std::vector<FaultInForce> faults;
  for (const Rule& rule : rules_) {
    if (is_in_force(rule)) faults.push_back(rule.fault);
  }
  return faults;
}

std::vector<FaultInForce> LeasedFaults::take_ended() {
  std::vector<FaultInForce> ended;
  std::erase_if(rules_, [&](const Rule& rule) {
    if (is_in_force(rule)) return false;
    ended.push_back(rule.fault);
    return true;
  });
  return ended;
}

bool LeasedFaults::is_in_force(const Rule& rule) const {
  return !is_closed_ && !rule.is_used_up && now() < rule.fault.until;
}

const LeasedFaults::Rule* LeasedFaults::find(std::string_view kind) const {
  for (const Rule& rule : rules_) {
    if (rule.fault.order.kind->name == kind && is_in_force(rule)) return &rule;
  }
  return nullptr;
}

bool LeasedFaults::knows(std::uint64_t id) const {
  return std::any_of(rules_.begin(), rules_.end(), is_numbered(id));
}

}  // namespace failsim::node
