#include "tools/scenario/labelled_faults.h"

#include <algorithm>

namespace failsim::scenario {
namespace {

// "node-1, node-3" or "node-1->node-2".
bool names(const std::string& hit, const std::string& node) {
  for (std::size_t at = hit.find(node); at != std::string::npos; at = hit.find(node, at + 1)) {
    const std::size_t end = at + node.size();
    if (end == hit.size() || hit[end] < '0' || hit[end] > '9') return true;
  }
  return false;
}

}  // namespace

Result<sim::FaultId> LabelledFaults::inject(const Inject& inject) {
  const auto injected = injector_.inject(inject.order);
  if (injected) ids_[inject.label].push_back(injected.value());
  return injected;
}

void LabelledFaults::heal(const std::string& label) {
  if (label.empty()) return injector_.heal_all();
  for (const sim::FaultId id : ids_[label]) injector_.heal(id);  // or its lease is over already
}

void LabelledFaults::heal_all_but(const std::set<std::string>& left_broken) {
  if (left_broken.empty()) return injector_.heal_all();
  for (const sim::ActiveFault& fault : injector_.list()) {
    const bool stays = std::any_of(left_broken.begin(), left_broken.end(),
                                   [&](const std::string& node) { return names(fault.hit, node); });
    if (!stays) injector_.heal(fault.id);
  }
}

void LabelledFaults::count(std::map<std::string, std::uint64_t>& coverage) const {
  for (const auto& [kind, times] : injector_.injected()) coverage["fault " + kind] = times;
  for (const auto& [point, times] : injector_.hits()) {
    if (times != 0) coverage["point " + point] = times;
  }
}

bool LabelledFaults::is_active(const std::string& label) const {
  const auto ids = ids_.find(label);
  if (ids == ids_.end()) return false;
  return std::any_of(ids->second.begin(), ids->second.end(),
                     [this](sim::FaultId id) { return injector_.is_in_force(id); });
}

}  // namespace failsim::scenario
