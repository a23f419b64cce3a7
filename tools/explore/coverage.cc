#include "tools/explore/coverage.h"

#include <array>

namespace failsim::explore {
namespace {

constexpr std::array kSometimes = {
    // migrations
    Sometimes{"migration No Migration -> Setup", "a migration began"},
    Sometimes{"migration Canceled -> Setup", "a migration began after a canceled one"},
    Sometimes{"migration Failure -> Setup", "a migration began after a failed one"},
    Sometimes{"migration Setup -> Data Transfer", "a migration began to send pages"},
    Sometimes{"migration Data Transfer -> Move", "a migration paused its guest"},
    Sometimes{"migration Move -> No Migration", "a migration completed"},
    Sometimes{"migration Setup -> Canceled", "a migration was canceled in Setup"},
    Sometimes{"migration Data Transfer -> Canceled", "a migration was canceled in Data Transfer"},
    Sometimes{"migration Setup -> Failure", "a migration failed in Setup"},
    Sometimes{"migration Data Transfer -> Failure", "a migration failed in Data Transfer"},
    Sometimes{"migration Move -> Failure", "a migration failed in Move"},
    Sometimes{"migration No Migration -> Failure", "a migration failed after its VM had moved"},
    Sometimes{"migration reset by a client", "a client reset MigrationState"},
    Sometimes{"answer migrate cancel ERROR_SUCCESS", "a cancel won"},
    Sometimes{"answer migrate cancel ERROR_INVALID_STATE", "a cancel lost"},
    Sometimes{"event digest", "the pages of a migrated guest were checked"},
    // ownership
    Sometimes{"owner changed by migration", "a VM changed its owner by migration"},
    Sometimes{"owner changed by failover", "a VM changed its owner by failover"},
    Sometimes{"owner restarted in place", "a VM was restarted where it was"},
    Sometimes{"volume refused a stale epoch", "the volume refused a stale epoch"},
    Sometimes{"guest frozen when its lease ended, and resumed",
              "a guest stood still when its lease ended, and went on"},
    // VMs
    Sometimes{"vm Running", "a VM ran"},
    Sometimes{"vm Paused", "a VM was paused"},
    Sometimes{"vm Saving", "a VM was being saved"},
    Sometimes{"vm Restoring", "a VM was started from its saved state"},
    Sometimes{"event vm-operation-failed", "an operation of a VM failed"},
    Sometimes{"event vm-deleted", "a VM was deleted"},
    // nodes and the log
    Sometimes{"node Down", "a node was given up"},
    Sometimes{"node Up", "a node came up"},
    Sometimes{"event node-fenced", "a node was fenced"},
    Sometimes{"leader elected", "a leader was elected"},
    Sometimes{"leader lost sight of", "a node lost sight of the leader"},
    Sometimes{"fact snapshot-installed", "a node was sent the state instead of the log"},
    Sometimes{"fact storage-failed", "a disk failed a write"},
    Sometimes{"fact store-superseded", "a process found out that its store is an old one"},
    Sometimes{"store refused at its start", "a node refused its store"},
    Sometimes{"recovery with a damaged core", "a damaged core had to recover alone"},
    // faults
    Sometimes{"fault kill", "kill"},
    Sometimes{"fault power-off", "power-off"},
    Sometimes{"fault crash-loop", "crash-loop"},
    Sometimes{"fault terminate", "terminate"},
    Sometimes{"fault freeze", "freeze"},
    Sometimes{"fault grey", "grey"},
    Sometimes{"fault link-cut", "link-cut"},
    Sometimes{"fault link-flap", "link-flap"},
    Sometimes{"fault isolate", "isolate"},
    Sometimes{"fault link-hold", "link-hold"},
    Sometimes{"fault link-delay", "link-delay"},
    Sometimes{"fault link-loss", "link-loss"},
    Sometimes{"fault link-duplicate", "link-duplicate"},
    Sometimes{"fault link-reorder", "link-reorder"},
    Sometimes{"fault link-corrupt", "link-corrupt"},
    Sometimes{"fault link-rate", "link-rate"},
    Sometimes{"fault link-reset", "link-reset"},
    Sometimes{"fault api-cut", "api-cut"},
    Sometimes{"fault clock-jump", "clock-jump"},
    Sometimes{"fault clock-strobe", "clock-strobe"},
    Sometimes{"fault clock-drift", "clock-drift"},
    Sometimes{"fault timer-late", "timer-late"},
    Sometimes{"fault disk-stall", "disk-stall"},
    Sometimes{"fault disk-slow", "disk-slow"},
    Sometimes{"fault disk-fail", "disk-fail"},
    Sometimes{"fault disk-tear", "disk-tear"},
    Sometimes{"fault disk-flip", "disk-flip"},
    Sometimes{"fault disk-restore", "disk-restore"},
    Sometimes{"fault disk-replace", "disk-replace"},
    Sometimes{"fault volume-stall", "volume-stall"},
    Sometimes{"fault volume-slow", "volume-slow"},
    Sometimes{"fault volume-restart", "volume-restart"},
    Sometimes{"fault volume-fail", "volume-fail"},
    Sometimes{"fault guest-fail", "guest-fail"},
    Sometimes{"fault guest-crash", "guest-crash"},
    Sometimes{"fault guest-dirty", "guest-dirty"},
    Sometimes{"fault memory-pressure", "memory-pressure"},
    Sometimes{"fault failpoint", "a named point was armed"},
    // named points
    Sometimes{"point leader.setup.before-persist", "leader.setup.before-persist was passed"},
    Sometimes{"point leader.transfer.before-persist", "leader.transfer.before-persist was passed"},
    Sometimes{"point leader.move.before-persist", "leader.move.before-persist was passed"},
    Sometimes{"point leader.complete.before-persist", "leader.complete.before-persist was passed"},
    Sometimes{"point leader.cancel.before-persist", "leader.cancel.before-persist was passed"},
    Sometimes{"point leader.fail.before-persist", "leader.fail.before-persist was passed"},
    Sometimes{"point source.move.after-persist", "source.move.after-persist was passed"},
    Sometimes{"point target.complete.after-persist", "target.complete.after-persist was passed"},
    Sometimes{"point source.cancel.on-receive", "source.cancel.on-receive was passed"},
    Sometimes{"point target.fail.on-receive", "target.fail.on-receive was passed"},
    Sometimes{"point blackout.begin", "blackout.begin was passed"},
    Sometimes{"point blackout.end", "blackout.end was passed"},
    Sometimes{"point owner.flip", "owner.flip was passed"},
};

constexpr std::array<std::string_view, 20> kLabels = {
    "raft", "S1",  "S3",  "S4",  "S6",  "S7", "S9", "S10", "S11", "S12",
    "S13",  "S14", "S15", "S20", "S22", "L1", "L2", "L3",  "L4",  "L8"};

}  // namespace

std::span<const Sometimes> sometimes() {
  return kSometimes;
}

std::span<const std::string_view> invariant_labels() {
  return kLabels;
}

Gaps gaps(const Counts& coverage, const Counts& evaluations) {
  Gaps missing;
  for (const Sometimes& one : kSometimes) {
    if (!coverage.contains(std::string(one.key))) {
      missing.never_happened.emplace_back(one.key);
    }
  }
  for (const std::string_view label : kLabels) {
    if (!evaluations.contains(std::string(label))) missing.never_evaluated.emplace_back(label);
  }
  return missing;
}

void add(Counts& to, const Counts& more) {
  for (const auto& [what, count] : more) to[what] += count;
}

}  // namespace failsim::explore
