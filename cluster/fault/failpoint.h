// The named points of a migration at which a fault can be placed exactly, and where a run passes
// them. A pure function of what a member is told and wants done: the core has no hooks, and both
// worlds pass the same points at the same effects.
//
// A transition is a command of the log:
//
//   setup      Migrate                           transfer  AdvanceMigration to Data Transfer
//   move       AdvanceMigration to Move          complete  CompleteMigration
//   pages      PagesComplete, of a post-copy
//   cancel     CancelMigration, CancelTask, RequestStateChange, of a migration in flight
//   fail       AbortMigration, and a Failover that ends a migration
//   finish     FinishMigration
//
// `<side>.<transition>.<point>`: the side is what the node is to that migration, leader, source or
// target; a node may be two of them and then passes the points of both. With E the log entry of the
// command:
//
//   on-receive      leader: the first reply of a follower that covers E arrives while E is not
//                   committed there; others: the message that brings E arrives. Not yet delivered.
//   before-send     leader: the messages of the step that proposes E are about to leave
//                   (Effects::send_now); others: the acknowledgement of E is about to leave
//                   (Effects::after of the step that appended E).
//   after-send      the same messages have left.
//   before-persist  the batch with E in DurableBatch::append is about to be written.
//   after-persist   it is written and synced; Persisted is not delivered yet.
//
// The leader sends while it writes, so it passes before-send, after-send, before-persist,
// after-persist; the others on-receive, before-persist, after-persist, before-send, after-send.
//
//   round.N.begin   the source reports STREAMING with N - 1 rounds sent (TransferReport), for the
//                   first time
//   round.N.end     the source reports N rounds sent, or more, for the first time
//   prepared        the target reports READY
//   converged       the source reports CONVERGED: the policy has decided; rounds go on meanwhile
//   blackout.begin  the source is ordered to finish (TransferStage::kFinish); not handed over yet
//   blackout.released  the source reports RELEASED: paused, all is sent
//   blackout.held   the target reports HOLDS_ALL, or, of post-copy, HOLDS_STATE
//   blackout.end    the target reports RESUMED
//   arrived         the target reports HOLDS_PAGES, of post-copy
//   verified        the target reports VERIFIED
//   owner.flip      the leader applies CompleteMigration; nothing of that step is performed yet
//
// A report is on its way to the member of its side then: not delivered yet.
//
// What a term may `return` depends on the point: EIO and ENOSPC at before-persist (the write
// fails), DROP at on-receive and before-send (the message is lost, its connection breaks),
// NO_MEMORY at the points of target.setup (the target cannot reserve the memory).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/effects.h"
#include "cluster/error.h"
#include "cluster/fault/term.h"
#include "cluster/member.h"

namespace failsim::fault {

enum class Transition { kSetup, kTransfer, kMove, kComplete, kPages, kCancel, kFail, kFinish };
enum class Stage { kOnReceive, kBeforePersist, kAfterPersist, kBeforeSend, kAfterSend };

// The position of a point in point_names().
using PointId = std::uint32_t;

inline constexpr std::uint32_t kNamedRounds = 32;  // later rounds have no points

// All of them, in the order of the documentation.
std::span<const std::string> point_names();
std::optional<PointId> find_point(std::string_view name);
// Empty if none is near.
std::string nearest_point(std::string_view typed);
// Nothing if the terms may stand at this point: kInvalidParameter with a sentence otherwise.
std::optional<Error> terms_refused(PointId point, const std::vector<Term>& terms);

// A command of a migration that is on its way into the log of a member.
struct Carried {
  Transition transition = Transition::kSetup;
  std::string vm;
  bool leads = false;  // this member proposed it
  bool is_source = false;
  bool is_target = false;
};

// The transitions in these entries, which the member has appended or is about to.
std::vector<Carried> carried(const Member& member, const std::vector<EntryPtr>& entries);
// Those that `event`, not delivered yet, brings or acknowledges.
std::vector<Carried> carried(const Member& member, const Event& event);

struct Passage {
  PointId point = 0;
  std::string vm;
};

// The points of these transitions at this stage.
std::vector<Passage> passages(const std::vector<Carried>& carried, Stage stage);
// How many rounds the sources of a process have reported so far, by job: a report may be repeated
// or leave rounds out. Kept by the world, with the process.
using RoundsSeen = std::map<TaskId, std::uint32_t>;

// round.N and what is reported: of an event that is not delivered yet.
std::vector<Passage> passages(const Member& member, const Event& event, RoundsSeen& seen);
// blackout.begin, owner.flip: of effects of which nothing is performed yet.
std::vector<Passage> passages(const Member& member, const Effects& effects);

}  // namespace failsim::fault
