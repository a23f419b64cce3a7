#include "cluster/migration/handover_trace.h"

#include <utility>

namespace failsim::invariants {
namespace {

using handover::Action;
using handover::Process;
using handover::Step;
using handover::Verdict;

std::string text_of(const Process& process) {
  return process == handover::kNobody ? "nobody" : node_name(process.node);
}

std::string described(const Action& action) {
  std::string text(handover::name(action.step));
  if (action.process != handover::kNobody) text += " by or for " + text_of(action.process);
  if (action.job != handover::kNoJob) text += ", job " + std::to_string(action.job);
  if (action.epoch != Epoch{}) text += ", epoch " + to_string(action.epoch);
  return text;
}

}  // namespace

// ---- What is agreed -----------------------------------------------------------------------------

void HandoverTrace::created(const std::string& vm, const Process& owner, const Epoch& epoch) {
  Followed& followed = vms_[vm];  // of a VM that was deleted the volume keeps the epoch
  followed.agreed = {};
  followed.agreed.owner = owner;
  followed.agreed.epoch = epoch;
  ++followed.steps;
}

void HandoverTrace::deleted(const std::string& vm, Time now) {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return;
  let_lease_end(found->second, now);
  if (found->second.world.runner != handover::kNobody) {
    findings_.add("handover", "VM " + vm + " is deleted while it executes on " +
                                  text_of(found->second.world.runner));
  }
  found->second.agreed.owner = handover::kNobody;
}

const handover::Agreed* HandoverTrace::agreed(const std::string& vm) const {
  const auto found = vms_.find(vm);
  return found == vms_.end() ? nullptr : &found->second.agreed;
}

// ---- Leases -------------------------------------------------------------------------------------

void HandoverTrace::leased(const Process& process, Time until) {
  leases_[process] = until;
}

void HandoverTrace::gone(const Process& process, Time now) {
  gone_.insert(process);
  for (auto& [vm, followed] : vms_) {
    if (followed.world.runner == process) stops(vm, process, now);
  }
}

bool HandoverTrace::is_leased(const Process& process, Time now) const {
  const auto lease = leases_.find(process);
  return lease != leases_.end() && now < lease->second && !gone_.contains(process);
}

// Nobody tells when a lease ends: the guest stands still from then on.
void HandoverTrace::let_lease_end(Followed& followed, Time now) {
  if (followed.runs_until <= now) followed.world.runner = handover::kNobody;
}

// ---- Steps --------------------------------------------------------------------------------------

void HandoverTrace::executes(const std::string& vm, const Process& process, const Epoch& epoch,
                             Time now, Time until) {
  if (until <= now) return;
  Action action;
  action.step = Step::kExecute;
  action.process = process;
  action.epoch = epoch;
  takes(vm, action, now);
  Followed& followed = vms_[vm];
  if (followed.world.runner == process) followed.runs_until = until;
  followed.has_executed = true;
}

void HandoverTrace::stops(const std::string& vm, const Process& process, Time now) {
  Action action;
  action.step = Step::kStop;
  action.process = process;
  takes(vm, action, now);
}

void HandoverTrace::takes(const std::string& vm, Action action, Time now) {
  Followed& followed = vms_[vm];
  let_lease_end(followed, now);
  action.leased = is_leased(action.process, now);
  action.owner_leased = is_leased(followed.agreed.owner, now);
  take(vm, followed, action);
}

void HandoverTrace::take(const std::string& vm, Followed& followed, const Action& action) {
  findings_.evaluated("handover");
  ++followed.steps;
  const Verdict verdict = handover::take(action, followed.agreed, followed.world);
  if (verdict.outcome == Verdict::kTaken || verdict.outcome == Verdict::kOfThePast) return;
  findings_.add("handover", "VM " + vm + " takes the step " + described(action) +
                                ", which is not allowed: the owner is " +
                                text_of(followed.agreed.owner) + " with epoch " +
                                to_string(followed.agreed.epoch) +
                                ", and this does not hold: " + std::string(verdict.rule));
}

// ---- The end ------------------------------------------------------------------------------------

void HandoverTrace::expect_trace(const std::string& vm, bool runs) {
  const auto found = vms_.find(vm);
  if (found == vms_.end() || found->second.steps == 0) {
    findings_.add("handover", "VM " + vm + " has an empty trace: nobody watched its ownership");
  } else if (runs && !found->second.has_executed) {
    findings_.add("handover", "VM " + vm + " runs and its trace does not say since when");
  }
}

}  // namespace failsim::invariants
