#include "tools/explore/coverage.h"

#include <array>

#include "cluster/fault/failpoint.h"
#include "cluster/fault/kind.h"
#include "tools/report/judge.h"

namespace failsim::explore {
namespace {

// Of the faults and named points there are tables elsewhere.
constexpr std::array kSometimes = {
    // migrations
    Sometimes{"migrations", "migration No Migration -> Setup", "a migration began"},
    Sometimes{"migrations", "migration Canceled -> Setup",
              "a migration began after a canceled one"},
    Sometimes{"migrations", "migration Failure -> Setup", "a migration began after a failed one"},
    Sometimes{"migrations", "migration Setup -> Data Transfer", "a migration began to send pages"},
    Sometimes{"migrations", "migration Data Transfer -> Move", "a migration paused its guest"},
    Sometimes{"migrations", "migration Move -> No Migration", "a migration completed"},
    Sometimes{"migrations", "migration Setup -> Canceled", "a migration was canceled in Setup"},
    Sometimes{"migrations", "migration Data Transfer -> Canceled",
              "a migration was canceled in Data Transfer"},
    Sometimes{"migrations", "migration Setup -> Failure", "a migration failed in Setup"},
    Sometimes{"migrations", "migration Data Transfer -> Failure",
              "a migration failed in Data Transfer"},
    Sometimes{"migrations", "migration Move -> Failure", "a migration failed in Move"},
    Sometimes{"migrations", "migration No Migration -> Failure",
              "a migration failed after its VM had moved"},
    Sometimes{"migrations", "migration reset by a client", "a client reset MigrationState"},
    Sometimes{"migrations", "answer migrate cancel ERROR_SUCCESS", "a cancel won"},
    Sometimes{"migrations", "answer migrate cancel ERROR_INVALID_STATE", "a cancel lost"},
    Sometimes{"migrations", "answer migrate ERROR_SUCCESS", "a migration was accepted"},
    Sometimes{"migrations", "answer migrate ERROR_INVALID_STATE", "a migration was refused"},
    Sometimes{"migrations", "answer task cancel ERROR_SUCCESS", "a task was canceled"},
    Sometimes{"migrations", "answer job request-state-change ERROR_SUCCESS",
              "a job was asked to change its state"},
    Sometimes{"migrations", "event queued", "a migration waited for its turn"},
    Sometimes{"migrations", "event job-state", "a job was suspended, held, resumed or terminated"},
    Sometimes{"migrations", "event digest", "the pages of a migrated guest were checked"},
    // ownership
    Sometimes{"ownership", "owner changed by migration", "a VM changed its owner by migration"},
    Sometimes{"ownership", "owner changed by failover", "a VM changed its owner by failover"},
    Sometimes{"ownership", "owner restarted in place", "a VM was restarted where it was"},
    Sometimes{"ownership", "volume refused a stale epoch", "the volume refused a stale epoch"},
    Sometimes{"ownership", "guest frozen when its lease ended, and resumed",
              "a guest stood still when its lease ended, and went on"},
    // VMs
    Sometimes{"VMs", "vm Running", "a VM ran"},
    Sometimes{"VMs", "vm Paused", "a VM was paused"},
    Sometimes{"VMs", "vm Saving", "a VM was being saved"},
    Sometimes{"VMs", "vm TurningOff", "a VM was being turned off"},
    Sometimes{"VMs", "answer vm reset ERROR_SUCCESS", "a VM was reset"},
    Sometimes{"VMs", "answer vm resume ERROR_SUCCESS", "a paused VM was resumed"},
    Sometimes{"VMs", "answer vm create ERROR_SUCCESS", "a VM was created again"},
    Sometimes{"VMs", "vm Restoring", "a VM was started from its saved state"},
    Sometimes{"VMs", "event vm-operation-failed", "an operation of a VM failed"},
    Sometimes{"VMs", "event vm-deleted", "a VM was deleted"},
    // nodes and the log
    Sometimes{"nodes and the log", "node Down", "a node was given up"},
    Sometimes{"nodes and the log", "node Up", "a node came up"},
    Sometimes{"nodes and the log", "event node-fenced", "a node was fenced"},
    Sometimes{"nodes and the log", "leader elected", "a leader was elected"},
    Sometimes{"nodes and the log", "leader change", "the leader changed in the middle of a run"},
    Sometimes{"nodes and the log", "leader lost sight of", "a node lost sight of the leader"},
    Sometimes{"nodes and the log", "fact snapshot-installed",
              "a node was sent the state instead of the log"},
    Sometimes{"nodes and the log", "fact storage-failed", "a disk failed a write"},
    Sometimes{"nodes and the log", "fact store-superseded",
              "a process found out that its store is an old one"},
    Sometimes{"nodes and the log", "store refused at its start", "a node refused its store"},
    Sometimes{"nodes and the log", "recovery with a damaged core",
              "a damaged core had to recover alone"},
    Sometimes{"nodes and the log", "acknowledged write", "a write was acknowledged"},
    Sometimes{"nodes and the log", "reaction", "a moment that was lain in wait for came"},
};

// Only called while sometimes() begins: the keys last as long as the process.
std::string_view fault_key(std::string_view kind) {
  static std::map<std::string_view, std::string> keys;
  return keys.emplace(kind, "fault " + std::string(kind)).first->second;
}

bool is_to_be_passed(std::string_view point) {
  return !point.starts_with("round.") || point.starts_with("round.1.") ||
         point.starts_with("round.2.");
}

}  // namespace

// A page that the sender forgets is a mistake of its own, which a correct product must not show.
const std::vector<Sometimes>& sometimes() {
  static const std::vector<Sometimes> all = [] {
    std::vector<Sometimes> found(kSometimes.begin(), kSometimes.end());
    for (const failsim::fault::Kind& kind : failsim::fault::kinds()) {
      if (!kind.in_virtual.is_performed || kind.name == "forget-page") continue;
      found.push_back({"faults", fault_key(kind.name), kind.name});
    }
    return found;
  }();
  return all;
}

const std::vector<std::string_view>& invariant_labels() {
  static const std::vector<std::string_view> labels = [] {
    std::vector<std::string_view> all;
    for (const history::Rule& rule : history::rules()) all.push_back(rule.label);
    return all;
  }();
  return labels;
}

std::string point_key(std::string_view point) {
  return "point " + std::string(point);
}

const std::vector<std::string>& points_to_pass() {
  static const std::vector<std::string> points = [] {
    std::vector<std::string> found;
    for (const std::string& point : failsim::fault::point_names()) {
      if (is_to_be_passed(point)) found.push_back(point);
    }
    return found;
  }();
  return points;
}

Gaps gaps(const Counts& coverage, const Counts& evaluations) {
  Gaps missing;
  for (const Sometimes& one : sometimes()) {
    if (!coverage.contains(std::string(one.key))) missing.never_happened.emplace_back(one.key);
  }
  for (const std::string& point : points_to_pass()) {
    if (!coverage.contains(point_key(point))) missing.never_happened.push_back(point_key(point));
  }
  for (const std::string_view label : invariant_labels()) {
    if (!evaluations.contains(std::string(label))) missing.never_evaluated.emplace_back(label);
  }
  return missing;
}

void add(Counts& to, const Counts& more) {
  for (const auto& [what, count] : more) to[what] += count;
}

}  // namespace failsim::explore
