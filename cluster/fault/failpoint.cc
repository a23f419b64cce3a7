#include "cluster/fault/failpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cluster/fault/kind.h"
#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"
#include "cluster/state/cluster_state.h"

namespace failsim::fault {
namespace {

constexpr std::array<std::string_view, 3> kSides = {"leader", "source", "target"};
constexpr std::array<std::string_view, 8> kTransitions = {
    "setup", "transfer", "move", "complete", "pages", "cancel", "fail", "finish"};
constexpr std::array<std::string_view, 5> kStages = {"on-receive", "before-persist",
                                                     "after-persist", "before-send", "after-send"};
enum Side : std::size_t { kLeader, kSource, kTarget };

constexpr PointId kFirstRound =
    static_cast<PointId>(kSides.size() * kTransitions.size() * kStages.size());
constexpr PointId kFirstMoment = kFirstRound + 2 * kNamedRounds;
constexpr std::array<std::string_view, 9> kMoments = {
    "prepared",     "converged",  "blackout.begin", "blackout.released", "blackout.held",
    "blackout.end", "owner.flip", "arrived",        "verified"};
enum Moment : PointId {
  kPrepared,
  kConverged,
  kBlackoutBegin,
  kReleased,
  kHeld,
  kBlackoutEnd,
  kOwnerFlip,
  kArrived,
  kVerified
};

Passage passage(Moment moment, const std::string& vm) {
  return {kFirstMoment + moment, vm};
}

PointId point(Side side, Transition transition, Stage stage) {
  return static_cast<PointId>((side * kTransitions.size() + static_cast<std::size_t>(transition)) *
                                  kStages.size() +
                              static_cast<std::size_t>(stage));
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const std::string_view side : kSides) {
    for (const std::string_view transition : kTransitions) {
      for (const std::string_view stage : kStages) {
        names.push_back(std::string(side) + "." + std::string(transition) + "." +
                        std::string(stage));
      }
    }
  }
  for (std::uint32_t round = 1; round <= kNamedRounds; ++round) {
    names.push_back("round." + std::to_string(round) + ".begin");
    names.push_back("round." + std::to_string(round) + ".end");
  }
  names.insert(names.end(), kMoments.begin(), kMoments.end());
  return names;
}

// ---- Commands -----------------------------------------------------------------------------------

// Who takes part in the migration of this VM.
struct Sides {
  NodeId source = kNoNode;
  NodeId target = kNoNode;
};

Sides sides_of(const pb::MigrationJob& job) {
  return {job.source(), job.target()};
}

// As applied here, or, if this member has not applied it yet, from the entry that began the
// attempt.
Sides sides_of_attempt(const Member& member, const std::string& vm, TaskId job,
                       std::uint64_t attempt) {
  if (const pb::Task* task = member.state().task(job)) return sides_of(task->job());
  Sides sides;
  if (const pb::Vm* row = member.state().vm(vm)) sides.source = row->owner();
  const EntryPtr entry = member.log().entry(attempt);
  pb::Command command;
  if (entry != nullptr && command.ParseFromString(entry->command())) {
    sides.target = command.request().migrate().target();
  }
  return sides;
}

std::optional<Carried> make(const Member& member, Transition transition, const std::string& vm,
                            const Sides& sides) {
  return Carried{transition, vm, false, sides.source == member.self(),
                 sides.target == member.self()};
}

bool cancels(const pb::Request::RequestStateChange& change) {
  return change.requested_state() == static_cast<std::uint32_t>(RequestedState::kTerminate) ||
         change.requested_state() == static_cast<std::uint32_t>(RequestedState::kKill);
}

std::optional<Carried> cancel_of(const Member& member, const pb::Task* task) {
  if (task == nullptr || !task->has_job() || task->complete()) return std::nullopt;
  return make(member, Transition::kCancel, task->job().vm(), sides_of(task->job()));
}

const pb::Task* job_of(const Member& member, const std::string& vm) {
  const pb::Vm* row = member.state().vm(vm);
  return row == nullptr ? nullptr : member.state().job_of(*row);
}

std::optional<Carried> read(const Member& member, const pb::Request& request) {
  switch (request.body_case()) {
    case pb::Request::kMigrate: {
      const pb::Vm* vm = member.state().vm(request.migrate().vm());
      const NodeId source = vm == nullptr ? kNoNode : vm->owner();
      return make(member, Transition::kSetup, request.migrate().vm(),
                  {source, request.migrate().target()});
    }
    case pb::Request::kCancelMigration:
      return cancel_of(member, job_of(member, request.cancel_migration().vm()));
    case pb::Request::kCancelTask:
      return cancel_of(member, member.state().task(request.cancel_task().task()));
    case pb::Request::kRequestStateChange:
      if (!cancels(request.request_state_change())) return std::nullopt;
      return cancel_of(member, member.state().task(request.request_state_change().job()));
    default:
      return std::nullopt;
  }
}

std::optional<Carried> read(const Member& member, const pb::Command::Failover& failover) {
  for (const auto& assignment : failover.assignments()) {
    const pb::Task* task = job_of(member, assignment.vm());
    if (task == nullptr) continue;
    return make(member, Transition::kFail, assignment.vm(), sides_of(task->job()));
  }
  return std::nullopt;
}

template <typename Step>
std::optional<Carried> read_step(const Member& member, Transition transition, const Step& step) {
  return make(member, transition, step.vm(),
              sides_of_attempt(member, step.vm(), step.job(), step.attempt()));
}

std::optional<Carried> read(const Member& member, const pb::LogEntry& entry) {
  if (entry.command().empty()) return std::nullopt;
  pb::Command command;
  if (!command.ParseFromString(entry.command())) return std::nullopt;
  switch (command.body_case()) {
    case pb::Command::kRequest:
      return read(member, command.request());
    case pb::Command::kAdvanceMigration: {
      const auto& step = command.advance_migration();
      if (step.from_phase() == step.to_phase()) return std::nullopt;  // of the job, not the phase
      const bool moves = step.to_phase() == static_cast<std::uint32_t>(MigrationState::kMove);
      return read_step(member, moves ? Transition::kMove : Transition::kTransfer, step);
    }
    case pb::Command::kCompleteMigration:
      return read_step(member, Transition::kComplete, command.complete_migration());
    case pb::Command::kAbortMigration:
      return read_step(member, Transition::kFail, command.abort_migration());
    case pb::Command::kPagesComplete:
      return read_step(member, Transition::kPages, command.pages_complete());
    case pb::Command::kFinishMigration:
      return read_step(member, Transition::kFinish, command.finish_migration());
    case pb::Command::kFailover:
      return read(member, command.failover());
    default:
      return std::nullopt;
  }
}

void add_received(const Member& member, const pb::RaftMessage& message,
                  std::vector<Carried>& found) {
  const raft::Raft& log = member.log();
  for (const pb::LogEntry& entry : message.append().entries()) {
    const bool is_here = entry.index() <= log.last_index() &&
                         (entry.index() < log.first_index() ||
                          log.position_of(entry.index()).term() == entry.term());
    if (is_here) continue;
    if (const std::optional<Carried> one = read(member, entry)) found.push_back(*one);
  }
}

void add_acknowledged(const Member& member, const pb::RaftMessage& message,
                      std::vector<Carried>& found) {
  const raft::Raft& log = member.log();
  const pb::RaftMessage::AppendReply& reply = message.append_reply();
  if (!log.leads() || !reply.success() || message.term() != log.term()) return;
  const Index last = std::min(reply.match_index(), log.last_index());
  for (Index index = log.commit_index() + 1; index <= last; ++index) {
    const EntryPtr entry = log.entry(index);
    std::optional<Carried> one;
    if (entry != nullptr) one = read(member, *entry);
    if (!one) continue;
    *one = Carried{one->transition, one->vm, true, false, false};
    found.push_back(*one);
  }
}

// ---- Rounds -------------------------------------------------------------------------------------

void add_rounds(const TransferReport& report, RoundsSeen& seen, std::vector<Passage>& passed) {
  const bool is_streaming = report.status == pb::TRANSFER_STREAMING;
  if (!is_streaming && report.status != pb::TRANSFER_CONVERGED) return;
  const auto [known, is_first] = seen.emplace(report.job, 0);
  const std::uint32_t sent = std::min(report.statistics.rounds(), kNamedRounds);
  const std::uint32_t before = std::exchange(known->second, std::max(known->second, sent));
  if (is_first && is_streaming) passed.push_back({kFirstRound, report.vm});
  for (std::uint32_t round = before + 1; round <= sent; ++round) {
    passed.push_back({kFirstRound + 2 * (round - 1) + 1, report.vm});
    if (is_streaming && round < kNamedRounds) {
      passed.push_back({kFirstRound + 2 * round, report.vm});
    }
  }
}

// ---- What a side says ---------------------------------------------------------------------------

void add_said(const TransferReport& report, bool is_source, std::vector<Passage>& passed) {
  const auto says = [&](bool side, pb::TransferStatus status, Moment moment) {
    if (side && report.status == status) passed.push_back(passage(moment, report.vm));
  };
  says(is_source, pb::TRANSFER_CONVERGED, kConverged);
  says(is_source, pb::TRANSFER_RELEASED, kReleased);
  says(!is_source, pb::TRANSFER_READY, kPrepared);
  says(!is_source, pb::TRANSFER_HOLDS_ALL, kHeld);
  says(!is_source, pb::TRANSFER_HOLDS_STATE, kHeld);
  says(!is_source, pb::TRANSFER_RESUMED, kBlackoutEnd);
  says(!is_source, pb::TRANSFER_HOLDS_PAGES, kArrived);
  says(!is_source, pb::TRANSFER_VERIFIED, kVerified);
}

// ---- Terms --------------------------------------------------------------------------------------

bool may_return(PointId point, const std::string& word) {
  const std::string& name = point_names()[point];
  if (word == "EIO" || word == "ENOSPC") return name.ends_with(".before-persist");
  if (word == "DROP") return name.ends_with(".on-receive") || name.ends_with(".before-send");
  if (word == "NO_MEMORY") return name.starts_with("target.setup.");
  return false;
}

Error cannot_return(PointId point, const std::string& word) {
  constexpr std::array<std::string_view, 4> kWords = {"EIO", "ENOSPC", "DROP", "NO_MEMORY"};
  const bool is_known = std::find(kWords.begin(), kWords.end(), word) != kWords.end();
  const std::string near = is_known ? "" : nearest(word, kWords);
  return {Code::kInvalidParameter,
          "Nothing at " + point_names()[point] + " can return " + word + ".",
          near.empty() ? "EIO and ENOSPC belong to before-persist, DROP to on-receive and "
                         "before-send, NO_MEMORY to target.setup."
                       : "Did you mean \"" + near + "\"?"};
}

}  // namespace

std::span<const std::string> point_names() {
  static const std::vector<std::string> names = all_names();
  return names;
}

std::optional<PointId> find_point(std::string_view name) {
  const std::span<const std::string> names = point_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<PointId>(found - names.begin());
}

std::string nearest_point(std::string_view typed) {
  const std::vector<std::string_view> words(point_names().begin(), point_names().end());
  return nearest(typed, words);
}

std::optional<Error> terms_refused(PointId point, const std::vector<Term>& terms) {
  for (const Term& term : terms) {
    if (term.action == Term::Action::kReturn && !may_return(point, term.word)) {
      return cannot_return(point, term.word);
    }
  }
  return std::nullopt;
}

std::vector<Carried> carried(const Member& member, const std::vector<EntryPtr>& entries) {
  std::vector<Carried> found;
  for (const EntryPtr& entry : entries) {
    std::optional<Carried> one = read(member, *entry);
    if (!one) continue;
    one->leads = member.log().leads() && entry->term() == member.log().term();
    found.push_back(std::move(*one));
  }
  return found;
}

std::vector<Carried> carried(const Member& member, const Event& event) {
  std::vector<Carried> found;
  const auto* received = std::get_if<MessageReceived>(&event);
  if (received == nullptr || !received->message.has_raft()) return found;
  const pb::RaftMessage& message = received->message.raft();
  if (message.has_append()) add_received(member, message, found);
  if (message.has_append_reply()) add_acknowledged(member, message, found);
  return found;
}

std::vector<Passage> passages(const std::vector<Carried>& carried, Stage stage) {
  std::vector<Passage> passed;
  for (const Carried& one : carried) {
    if (one.leads) passed.push_back({point(kLeader, one.transition, stage), one.vm});
    if (one.is_source) passed.push_back({point(kSource, one.transition, stage), one.vm});
    if (one.is_target) passed.push_back({point(kTarget, one.transition, stage), one.vm});
  }
  return passed;
}

std::vector<Passage> passages(const Member& member, const Event& event, RoundsSeen& seen) {
  std::vector<Passage> passed;
  const auto* report = std::get_if<TransferReport>(&event);
  if (report == nullptr) return passed;
  const pb::Task* task = member.state().task(report->job);
  if (task == nullptr || !task->has_job()) return passed;
  const bool is_source = task->job().source() == member.self();
  if (is_source) add_rounds(*report, seen, passed);
  add_said(*report, is_source, passed);
  return passed;
}

std::vector<Passage> passages(const Member& member, const Effects& effects) {
  std::vector<Passage> passed;
  for (const TransferOrder& order : effects.transfers) {
    if (order.role == TransferRole::kSource && order.stage == TransferStage::kFinish) {
      passed.push_back(passage(kBlackoutBegin, order.vm));
    }
  }
  if (!member.log().leads()) return passed;
  for (const std::uint64_t number : effects.new_events) {
    const auto event = member.state().events().find(number);
    if (event == member.state().events().end() || event->second->kind() != "owner") continue;
    const std::string vm = event->second->object().substr(3);  // "vm/web"
    const pb::Vm* row = member.state().vm(vm);
    if (row != nullptr && row->origin() == pb::ORIGIN_IMAGE && row->image_job() == row->job()) {
      passed.push_back(passage(kOwnerFlip, vm));
    }
  }
  return passed;
}

}  // namespace failsim::fault
