#include "tools/scenario/field.h"

#include <algorithm>
#include <array>
#include <limits>

#include "cluster/migration/migration_state.h"
#include "cluster/units.h"
#include "cluster/vm/vm_state.h"

namespace failsim::scenario {
namespace {

using Type = FieldType;

constexpr std::array<std::string_view, 11> kVmStates = {
    "Invalid", "TurnedOff", "Saved",      "TurningOn",     "Restoring",    "Running",
    "Paused",  "Saving",    "TurningOff", "MergingDrives", "DeleteMachine"};
constexpr std::array<std::string_view, 6> kMigrationStates = {
    "NoMigration", "Setup", "DataTransfer", "Move", "Canceled", "Failure"};
constexpr std::array<std::string_view, 11> kResults = {"none",
                                                       "Success",
                                                       "Cancelled",
                                                       "UnexpectedError",
                                                       "OutOfMemoryError",
                                                       "DiskRelatedError",
                                                       "IncompatibleSavedStateError",
                                                       "TimeOutError",
                                                       "IllegalValueError",
                                                       "ThreadCrashError",
                                                       "ShutdownAbort"};
constexpr std::array<std::string_view, 11> kJobStates = {
    "none",      "New",        "Starting", "Running",   "Suspended", "ShuttingDown",
    "Completed", "Terminated", "Killed",   "Exception", "Service"};
constexpr std::array<std::string_view, 3> kReasons = {"S_OK", "E_BUSY", "E_FAIL"};
constexpr std::array<std::string_view, 3> kDigests = {"Unknown", "Match", "Mismatch"};
constexpr std::array<std::string_view, 4> kNodeStates = {"Up", "Down", "Paused", "Joining"};

constexpr std::array<std::string_view, 4> kRoles = {"Follower", "PreCandidate", "Candidate",
                                                    "Leader"};

constexpr std::array kSubjects = {
    Subject{"vm", "VM"},
    Subject{"migration", "VM"},
    Subject{"node", "NODE"},
    Subject{"cluster", ""},
    Subject{"task", "last or number"},
    Subject{"answer", ""},
    Subject{"property", "OBJECT/NAME"},
    Subject{"fault", "LABEL"},
};

constexpr std::array kFields = {
    Field{"vm", "exists", Type::kFlag, {}, false, "there is such a VM"},
    Field{"vm", "state", Type::kChoice, kVmStates, false, "VMVMState"},
    Field{"vm", "owner", Type::kNode, {}, false, "the node that owns it"},
    Field{"vm", "executing", Type::kFlag, {}, false, "its guest executes somewhere"},
    Field{"vm", "executes_on", Type::kNode, {}, false, "where its guest executes"},
    Field{"vm", "counter", Type::kNumber, {}, false, "of its guest, where it executes"},
    Field{"vm", "boot", Type::kNumber, {}, false, "the number of its guest's boot"},
    Field{"migration", "state", Type::kChoice, kMigrationStates, false, "MigrationState"},
    Field{"migration", "result", Type::kChoice, kResults, false, "VMTaskResult of the newest"},
    Field{"migration", "job_state", Type::kChoice, kJobStates, false, "of the newest"},
    Field{"migration", "reason", Type::kChoice, kReasons, false, "MigrationFailureReason"},
    Field{"migration", "source", Type::kNode, {}, false, "of the newest"},
    Field{"migration", "target", Type::kNode, {}, false, "of the newest"},
    Field{"migration", "round", Type::kNumber, {}, false, "of pre-copy: how many have ended"},
    Field{"migration", "not_converging", Type::kFlag, {}, false, "its pre-copy will not converge"},
    Field{"migration", "forced", Type::kFlag, {}, false, "it switched with too much left"},
    Field{"migration", "throttle", Type::kNumber, {}, false, "percent of the guest's time taken"},
    Field{"migration", "restarted", Type::kFlag, {}, false, "it failed and the VM was restarted"},
    Field{"migration", "digest", Type::kChoice, kDigests, false, "the check of every page"},
    Field{"node", "state", Type::kChoice, kNodeStates, false, "CLUSTER_NODE_STATE"},
    Field{"node", "running", Type::kFlag, {}, false, "its process lives and is not stopped"},
    Field{"node", "leads", Type::kFlag, {}, false, "it leads the log"},
    Field{"node", "role", Type::kChoice, kRoles, true,
          "its part in the log; also before it may act"},
    Field{"node", "caught_up", Type::kFlag, {}, true, "it has applied what the leader has"},
    Field{"node", "quorum", Type::kFlag, {}, false, "it is in contact with a quorum"},
    Field{"node", "memory", Type::kNumber, {}, false, "bytes that its VMs use or have reserved"},
    Field{"cluster", "leader", Type::kNode, {}, false, "who leads the log now"},
    Field{"cluster", "quorum", Type::kFlag, {}, false, "some node is in contact with a quorum"},
    Field{"cluster",
          "compacted_at_once",
          Type::kNumber,
          {},
          true,
          "changes of owner that were committed and compacted in one step"},
    Field{"task", "complete", Type::kFlag, {}, false, "it has ended"},
    Field{"task", "result", Type::kChoice, kResults, false, "VMTaskResult; none before the end"},
    Field{"answer", "code", Type::kText, {}, false, "of the last action: ERROR_SUCCESS, ..."},
    Field{"answer", "return_value", Type::kNumber, {}, false, "of RequestStateChange, vm control"},
    Field{"answer", "job_state", Type::kChoice, kJobStates, false, "after RequestStateChange"},
    Field{"property", "value", Type::kText, {}, false, "as `property get` shows it"},
    Field{"fault", "active", Type::kFlag, {}, false, "the fault of this label is in force"},
};

std::optional<std::string> canonical_choice(const Field& field, std::string_view typed) {
  std::string text(typed);
  std::erase(text, ' ');
  if (std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end()) {
    return text;
  }
  if (field.choices.data() == kMigrationStates.data()) {
    const auto number = parse_count(typed, 0, kMigrationStateCount - 1);
    if (number) return std::string(kMigrationStates[number.value()]);
  }
  return std::nullopt;
}

bool is_node_name(std::string_view text) {
  return text.starts_with("node-") && parse_count(text.substr(5), 1, 64).ok();
}

}  // namespace

std::span<const Subject> subjects() {
  return kSubjects;
}

std::span<const Field> fields() {
  return kFields;
}

const Subject* find_subject(std::string_view name) {
  const auto found = std::find_if(kSubjects.begin(), kSubjects.end(),
                                  [name](const Subject& subject) { return subject.name == name; });
  return found == kSubjects.end() ? nullptr : &*found;
}

const Field* find_field(std::string_view subject, std::string_view name) {
  const auto found = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) {
    return field.subject == subject && field.name == name;
  });
  return found == kFields.end() ? nullptr : &*found;
}

std::optional<std::string> canonical(const Field& field, std::string_view typed) {
  switch (field.type) {
    case Type::kFlag:
      if (typed == "true" || typed == "false") return std::string(typed);
      return std::nullopt;
    case Type::kNumber: {
      const auto number = parse_count(typed, 0, std::numeric_limits<std::uint64_t>::max());
      if (!number) return std::nullopt;
      return std::to_string(number.value());
    }
    case Type::kNode:
      if (typed == "none" || is_node_name(typed)) return std::string(typed);
      return std::nullopt;
    case Type::kChoice:
      return canonical_choice(field, typed);
    case Type::kText:
      return std::string(typed);
  }
  return std::nullopt;
}

}  // namespace failsim::scenario
