// How one VM changes hands: the steps its ownership can take, and when each of them is allowed.
//
// The steps are declared once, in handover_steps.inc. Here they are a function, by which recorded
// histories are checked (handover_trace.h); the model in tests/model/ is made of the same lines,
// and there every order of events is tried.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "cluster/ids.h"
#include "cluster/migration/migration_state.h"

namespace failsim::handover {

// One start of one node.
struct Process {
  NodeId node = kNoNode;
  Incarnation incarnation = 0;
  auto operator<=>(const Process&) const = default;
};
inline constexpr Process kNobody;
inline constexpr TaskId kNoJob = 0;

// What the log has agreed on, up to the newest entry that anybody has applied.
struct Agreed {
  Process owner;
  Epoch epoch;
  MigrationState phase = MigrationState::kNoMigration;  // of the job in flight
  TaskId job = kNoJob;                                  // until it has ended
  Process target;                                       // of the job, until it is the owner
};

// What is so, whether anybody knows it or not.
struct World {
  Process runner;            // whose guest executes
  Epoch executed;            // the newest epoch under which a guest ever executed
  Epoch registered;          // at the shared volume
  TaskId paused = kNoJob;    // the job for which the source's guest stands still
  TaskId image_of = kNoJob;  // the newest job whose image is complete ...
  Process image_at;          // ... and the process that holds it
  TaskId state_of = kNoJob;  // the newest job whose state is complete, but for pages that follow ...
  Process state_at;          // ... and the process that holds it
};

enum class Step : std::uint8_t {
#define HANDOVER_COMMAND(name, guard, required, effect) k##name,
#define HANDOVER_FACT(name, concerns, required, effect) k##name,
#include "cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT
};

// For example "BeginMove".
std::string_view name(Step step);

// A step and what belongs to it; the rest keeps its default.
struct Action {
  Step step = Step::kStop;
  TaskId job = kNoJob;
  MigrationState phase = MigrationState::kNoMigration;  // that an abort was decided on
  Process process;            // who acts, who is the target, who becomes the owner
  Epoch decided_on;           // the epoch that a failover takes the VM from
  Epoch epoch;                // the new one, or the one acted under
  bool leased = false;        // the lease of `process` is in force
  bool owner_leased = false;  // the owner lives and its lease is in force
};

struct Verdict {
  enum Outcome : std::uint8_t {
    kTaken,         // the states have moved on
    kWithoutGuard,  // a command whose guard does not hold: it must not change anything
    kOfThePast,     // a fact that does not concern the present job
    kNotAllowed     // what the step requires is not so
  };
  Outcome outcome = kTaken;
  std::string_view rule;  // the condition that does not hold, as it is declared
};

// Takes the step if it is allowed; otherwise `agreed` and `world` stay as they are.
Verdict take(const Action& action, Agreed& agreed, World& world);

}  // namespace failsim::handover
