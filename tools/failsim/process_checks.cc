#include "tools/failsim/process_checks.h"

#include "cluster/invariants.h"
#include "storage/volume.h"
#include "storage/volume_files.h"

namespace failsim::cli {
namespace {

void check_migration(const json::object& event, invariants::MigrationEdges& edges,
                     invariants::Findings& findings) {
  const std::string kind = text_in(event, "kind");
  const std::string object = text_in(event, "object");
  const std::string vm = object.substr(object.find('/') + 1);
  if (kind == "vm-deleted") edges.deleted(vm);
  if (kind == "digest") {
    invariants::check_digest(vm, number_in(event, "job_id"), flag_in(event, "match"), findings);
  }
  if (kind != "migration-state") return;
  edges.changed(vm, static_cast<std::uint32_t>(enum_value_in(event, "from")),
                static_cast<std::uint32_t>(enum_value_in(event, "to")), number_in(event, "job_id"),
                findings);
}

}  // namespace

void check_events(const std::vector<json::object>& events, scenario::Outcome& outcome) {
  invariants::MigrationEdges edges;
  invariants::Findings findings;
  std::uint64_t last = 0;
  for (const json::object& event : events) {
    const std::uint64_t number = number_in(event, "number");
    findings.evaluated("S22");
    if (number != last + 1) {
      findings.add("S22",
                   "event " + std::to_string(number) + " came after " + std::to_string(last));
    }
    last = number;
    ++outcome.coverage["event " + text_in(event, "kind")];
    check_migration(event, edges, findings);
  }
  for (const invariants::Violation& found : findings.violations()) {
    outcome.add(found.label, found.text);
  }
  for (const auto& [label, times] : findings.evaluations()) outcome.evaluations[label] += times;
}

void check_journals(const ClusterDirectory& directory, scenario::Outcome& outcome) {
  const auto journals = VolumeFiles::read_journals(directory.volume().string());
  if (!journals.ok()) {
    outcome.add("S11", "The journals cannot be read: " + journals.error().message);
    return;
  }
  for (const auto& [vm, records] : journals.value()) {
    ++outcome.evaluations["S11"];
    if (const auto wrong = check_journal(records)) {
      outcome.add("S11", "The journal of " + vm + " is not sound: " + *wrong);
    }
  }
}

}  // namespace failsim::cli
