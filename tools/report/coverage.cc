#include "tools/report/coverage.h"

#include <string_view>

namespace failsim::history {
namespace {

const pb::EventRecord::Field& field(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return field;
  }
  return pb::EventRecord::Field::default_instance();
}

}  // namespace

void Coverage::event(const pb::EventRecord& event) {
  happened("event " + event.kind());
  if (event.kind() == "migration-state") return migration_state(event);
  if (event.kind() == "owner") return owner(event);
  if (event.kind() == "vm-state") happened("vm " + field(event, "to").named().name());
  if (event.kind() == "node-state") happened("node " + field(event, "to").named().name());
}

void Coverage::migration_state(const pb::EventRecord& event) {
  // A client resets the property; its edges are none of the engine's.
  if (field(event, "job_id").number() == 0) return happened("migration reset by a client");
  happened("migration " + field(event, "from").named().name() + " -> " +
           field(event, "to").named().name());
}

void Coverage::owner(const pb::EventRecord& event) {
  const std::string& reason = field(event, "reason").text();
  if (reason == "live migration") return happened("owner changed by migration");
  happened(reason.ends_with("restarted in place") ? "owner restarted in place"
                                                  : "owner changed by failover");
}

void Coverage::fact(const failsim::Fact& fact) {
  if (fact.kind != "leader") return happened("fact " + fact.kind);
  happened(fact.text == "none" ? "leader lost sight of" : "leader found");
}

void Coverage::guest_executes(NodeId node, const std::string& vm, Time now, Time until) {
  if (until <= now) return;
  const auto [known, added] = executes_until_.try_emplace({node, vm}, until);
  if (added) return;
  if (known->second < now) happened("guest frozen when its lease ended, and resumed");
  known->second = until;
}

}  // namespace failsim::history
