// The hand-over of one VM, for every order of events: spin looks at each of them (README.md).
//
// What may happen to the ownership is not written here: it is cluster/migration/handover_steps.inc,
// which the C++ checker of simulated traces is made of as well. Here is who takes those steps, when,
// and what breaks: a leader that grants leases and proposes, an agreed log that nodes apply late,
// processes that die, messages that are lost, a volume that takes writes under one epoch.
//
// One process with one choice: every interleaving is a path of it, and its globals are the state.
// check.sh runs it. -D of a mistake (see MISTAKES below) plants it; -DOUTCOMES_ONLY leaves the
// `required` of the steps unchecked, so that only what a user would suffer is an error.

#define NODES 2
// The bounds: what may happen how often, in any order.
#ifndef JOBS
#define JOBS 1       // migrations
#endif
#ifndef EPOCHS
#define EPOCHS 3     // owners, one after the other
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
// -DPOST_COPY: the migrations are post-copy; otherwise none is.
#define ENTRIES 3    // of the log that a node may lag behind
#define IN_FLIGHT 2  // of them, that are not committed

// MISTAKES: SKIP_LEASE_WAIT, LEASE_BY_COMMIT_INDEX, NEW_LEADER_AT_ONCE, COMPLETE_WITHOUT_INCARNATION,
// RESUME_BY_TIMER, REGISTER_AT_FIRST_WRITE, COMPLETE_BEFORE_CONFIRMED, REUSE_EPOCH, UNGUARDED_COMMAND;
// of post-copy: SOURCE_RESUMES, PAGES_COMPLETE_EARLY, RESUME_KEPT_COPY
#ifdef SKIP_LEASE_WAIT
#define waits_for_lease(node) false
#else
#define waits_for_lease(node) wait[node]
#endif
#ifdef LEASE_BY_COMMIT_INDEX
#define granted_index committed
#else
#define granted_index last
#endif
#ifdef NEW_LEADER_AT_ONCE
#define wait_of_new_leader 0
#else
#define wait_of_new_leader 1
#endif
#ifdef COMPLETE_BEFORE_CONFIRMED
#define is_confirmed true
#else
#define is_confirmed (told == g.job)
#endif
#ifdef PAGES_COMPLETE_EARLY
#define pages_are_confirmed true
#else
#define pages_are_confirmed (told == g.job)
#endif
#ifdef REUSE_EPOCH
#define next_epoch g.epoch
#else
#define next_epoch (g.epoch + 1)
#endif
#ifdef UNGUARDED_COMMAND
#define holds(guard) true
#else
#define holds(guard) (guard)
#endif
#ifdef OUTCOMES_ONLY
#define must(required) skip
#else
#define must(required) assert(required)
#endif
// -DNEVER=Step claims that a step never takes effect: to be refuted, or the rest proves nothing.
#ifdef NEVER
#define taken(name) assert(name != NEVER)
#else
#define taken(name) skip
#endif

// ---- The table ----------------------------------------------------------------------------------

#define kNobody 0
#define kNoJob 0
mtype = { kNoMigration, kSetup, kDataTransfer, kMove };

typedef Agreed { byte owner; byte epoch; mtype phase; byte job; byte target };
typedef World {
  byte runner; byte executed;        // who executes, and the newest epoch that ever did
  byte registered;                   // at the volume
  byte paused;                       // the job for which the source stands still
  byte image_of; byte image_at;      // the job whose image is complete, and the process that has it
  byte state_of; byte state_at;      // the same of an image that pages follow
};
typedef Step {
  mtype step;
  byte job; mtype phase; byte process; byte decided_on; byte epoch;
  bool leased; bool owner_leased
};

// The names of the steps.
#define HANDOVER_COMMAND(name, guard, required, effect) mtype = { name };
#define HANDOVER_FACT(name, concerns, required, effect) mtype = { name };
#include "../../cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT

// commit_X: the command takes effect for the first time; apply_X: a node catches up with it.
#define HANDOVER_COMMAND(name, guard, required, effect)                                             \
  inline commit_##name(a, c) { if :: holds(guard) -> must(required); effect; taken(name) :: else fi } \
  inline apply_##name(a, c) { if :: holds(guard) -> effect :: else fi }
#define HANDOVER_FACT(name, concerns, required, effect)                                             \
  inline fact_##name(a, c) { if :: (concerns) -> must(required); effect; taken(name) :: else fi }
#include "../../cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT
#define HANDOVER_FACT(name, concerns, required, effect)

// ---- The state ----------------------------------------------------------------------------------

Agreed g;                   // after the last committed entry
World w;
Step log[ENTRIES + 1];      // from 1: what not every node has applied
byte last; byte committed;  // indices

// The leader's own knowledge; a new one begins without.
byte told;                  // the job whose target has said that it holds all, or the state
bool wait[NODES];           // a lease of this node may be in force

// Nodes. What they have applied is on disk; the rest dies with the process.
Agreed r[NODES];
byte applied[NODES];
bool up[NODES];
byte starts[NODES];
bool lease[NODES];
byte grant[NODES];          // the index named by a grant that is not yet of use; 0 = none
byte registered[NODES];     // the epoch its guest is registered under; 0 = none
bool executes[NODES];
byte paused[NODES];         // the job its guest stands still for, or whose pages it keeps
byte lost[NODES];           // the epoch of a guest that was given up
byte write;                 // the epoch of a write on its way to the volume: lost if it never comes
byte release;               // the job of a release on its way to the target: lost if it never comes

byte crashes; byte jobs;
hidden Step f;              // the fact of the step being taken
hidden byte followed;       // pages did, before it
#ifdef RESUME_KEPT_COPY
byte kept_since[NODES];     // the epoch that had executed last when the copy was made
#endif

#define process_of(n) (1 + n + NODES * starts[n])
#define node_of(p) ((p + NODES - 1) % NODES)
#define lives(p) (up[node_of(p)] && process_of(node_of(p)) == p)
#define owns(n) (r[n].owner == process_of(n))
#define pages_follow(a) (a.phase == kMove && a.target == kNobody)

// ---- The log ------------------------------------------------------------------------------------

// Entries of one leader on their way: a few, and no two of a kind.
#define may_propose(kind) (last < ENTRIES && last - committed < IN_FLIGHT && (last == committed || log[last].step != kind))

inline propose(kind, for_job, in_phase, to, on) {
  last++;
  log[last].step = kind;
  log[last].job = for_job;
  log[last].phase = in_phase;
  log[last].process = to;
  log[last].decided_on = on
}

inline assign(to, from) {
  to.step = from.step;
  to.job = from.job;
  to.phase = from.phase;
  to.process = from.process;
  to.decided_on = from.decided_on;
  to.epoch = from.epoch
}

inline drop_last() {
  assign(log[last], log[0]);
  last--
}

// What every node has applied leaves the log.
inline compact() {
  do
  :: applied[0] > 0 && applied[1] > 0 ->
    assign(log[1], log[2]);
    assign(log[2], log[3]);
    assign(log[3], log[0]);
    last--;
    committed--;
    applied[0]--;
    applied[1]--;
    if :: grant[0] > 0 -> grant[0]-- :: else fi;
    if :: grant[1] > 0 -> grant[1]-- :: else fi
  :: else -> break
  od;
  skip
}

#ifdef COMPLETE_WITHOUT_INCARNATION
// The owner becomes whatever process its node has by now.
inline take_incarnation(a, e) { if :: e.step == Complete -> a.target = e.process :: else fi }
inline forget_incarnation(e) {
  if :: e.step == Complete -> e.process = process_of(node_of(e.process)) :: else fi
}
#else
inline take_incarnation(a, e) { skip }
inline forget_incarnation(e) { skip }
#endif

inline commit(e) {
  followed = pages_follow(g);
  forget_incarnation(e);
  take_incarnation(g, e);
  e.epoch = next_epoch;
  e.owner_leased = lives(g.owner) && lease[node_of(g.owner)];
  if
#define HANDOVER_COMMAND(name, guard, required, effect) :: e.step == name -> commit_##name(g, e)
#include "../../cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
  fi;
  e.owner_leased = 0;
  // What a user would suffer: a guest without its memory.
  if
  :: e.step == Complete && g.owner == e.process && g.epoch == e.epoch -> assert(w.image_at == g.owner)
  :: e.step == PagesComplete && followed && !pages_follow(g) -> assert(w.image_at == g.owner)
  :: !followed && pages_follow(g) -> assert(w.state_at == g.owner); told = 0
  :: else
  fi;
  // What is of the past alike makes states alike.
  if
  :: g.phase == kNoMigration ->
    told = 0;
    release = 0;
    w.paused = 0;
    w.image_of = 0;
    w.image_at = 0;
    w.state_of = 0;
    w.state_at = 0
  :: else
  fi
}

inline apply(n, e) {
  if
  :: e.step == GiveUpPages && pages_follow(r[n]) && r[n].job == e.job && up[n] && owns(n) -> lost[n] = r[n].epoch
  :: else
  fi;
  take_incarnation(r[n], e);
  if
#define HANDOVER_COMMAND(name, guard, required, effect) :: e.step == name -> apply_##name(r[n], e)
#include "../../cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
  fi
}

// A process that is dead has to apply what it missed before anything names its successor: when it
// does so makes no difference, so it does so at once.
inline catch_up(n) {
  if
  :: !up[n] ->
    applied[n] = committed;
    r[n].owner = g.owner;
    r[n].epoch = g.epoch;
    r[n].phase = g.phase;
    r[n].job = g.job;
    r[n].target = g.target
  :: else
  fi
}

// ---- Guests -------------------------------------------------------------------------------------

inline stop(n) {
  if
  :: executes[n] ->
    executes[n] = 0;
    f.process = process_of(n);
    fact_Stop(g, f)
  :: else
  fi
}

// The orders that follow from what the node has applied.
inline reconcile(n) {
  if :: !owns(n) || lost[n] != r[n].epoch -> lost[n] = 0 :: else fi;
  if :: !owns(n) || registered[n] != r[n].epoch || lost[n] != 0 -> stop(n) :: else fi;
  if :: !owns(n) -> registered[n] = 0 :: else fi;
#ifndef RESUME_KEPT_COPY
  if :: (!owns(n) && !pages_follow(r[n])) || paused[n] != r[n].job -> paused[n] = 0 :: else fi
#endif
}

#ifdef REGISTER_AT_FIRST_WRITE
#define may_execute(n) (up[n] && owns(n) && lease[n] && !executes[n] && paused[n] == 0 && lost[n] == 0)
#else
#define may_execute(n) (up[n] && owns(n) && registered[n] == r[n].epoch && lease[n] && !executes[n] && paused[n] == 0 && lost[n] == 0)
#endif
#define may_register(n) (up[n] && owns(n) && registered[n] != r[n].epoch && r[n].epoch >= w.registered)

inline execute(n) {
  executes[n] = 1;
  f.process = process_of(n);
  f.epoch = r[n].epoch;
  f.leased = lease[n];
  fact_Execute(g, f);
  // What a user would suffer: two copies at once.
  assert(executes[0] + executes[1] == 1);
  w.executed = (r[n].epoch > w.executed -> r[n].epoch : w.executed)
}

inline register(n) {
  registered[n] = r[n].epoch;
  f.process = process_of(n);
  f.epoch = r[n].epoch;
  fact_Register(g, f);
  if :: write < w.registered -> write = 0 :: else fi  // refused, whenever it comes
}

// The volume, asked to write under this epoch.
inline ask_to_write(under) {
  if
  :: under == w.registered ->
    // What a user would suffer: a disk that changes under the guest that runs.
    assert(under >= w.executed);
    f.epoch = under;
    fact_Write(g, f)
  :: else
  fi
}

inline hold_pages(n) {
  f.process = process_of(n);
  f.job = r[n].job;
  fact_HoldPages(g, f);
  if :: pages_follow(g) && g.job == r[n].job -> told = g.job :: else fi
}

inline write_now(n) {
#ifdef REGISTER_AT_FIRST_WRITE
  if :: registered[n] != r[n].epoch && r[n].epoch >= w.registered -> register(n) :: else fi;
#endif
  ask_to_write(r[n].epoch)
}

// A guest that is stopped unawares may have a write on its way, which comes late or never.
inline stop_unawares(n) {
  if :: executes[n] -> write = r[n].epoch :: else fi;
  stop(n)
}

inline lose_lease(n) {
  lease[n] = 0;
  stop_unawares(n)
}

// The leader grants after a quorum round, so a former leader does not. What the node has not applied
// yet may take the VM from it: it waits.
inline grant_lease(n) {
  wait[n] = 1;
  grant[n] = granted_index;
  use_grant(n)
}

inline use_grant(n) {
  if
  :: applied[n] >= grant[n] -> grant[n] = 0; lease[n] = 1
  :: else
  fi
}

inline crash(n) {
  stop_unawares(n);
  up[n] = 0;
  lease[n] = 0;
  grant[n] = 0;
  registered[n] = 0;
  paused[n] = 0;
  lost[n] = 0;
  crashes++;
  wait[n] = 0;  // of a process that is dead nobody waits for the lease
  if :: release != 0 && !lives(g.target) -> release = 0 :: else fi;
  catch_up(n);
  compact()
}

inline apply_next(n) {
  applied[n]++;
  apply(n, log[applied[n]]);
  reconcile(n);
  if :: grant[n] != 0 -> use_grant(n) :: else fi;
  compact()
}

inline commit_next() {
  committed++;
  commit(log[committed]);
  catch_up(0);
  catch_up(1);
  compact()
}

// ---- Who does what ------------------------------------------------------------------------------

inline node_steps(n) {
  if
  // The log.
  :: d_step { up[n] && applied[n] < committed -> apply_next(n) }

  // The lease. A grant that comes late or never is one that is not used yet.
  :: d_step { up[n] && !lease[n] -> grant_lease(n) }
  // Over by its holder's clock, over by the leader's.
  :: d_step { lease[n] -> lose_lease(n) }
  :: d_step { wait[n] -> wait[n] = 0; grant[n] = 0; lose_lease(n) }

  // The guest and its disk.
#ifndef REGISTER_AT_FIRST_WRITE
  :: d_step { may_register(n) -> register(n) }
#endif
  :: d_step { may_execute(n) -> execute(n) }
  :: d_step { executes[n] -> write_now(n) }

  // Move: the source pauses and releases, the target holds all and says so.
  :: d_step { up[n] && owns(n) && r[n].phase == kMove && r[n].target != kNobody && paused[n] == 0 && write == 0 ->
       stop(n);
       paused[n] = r[n].job;
#ifdef RESUME_KEPT_COPY
       kept_since[n] = w.executed;
#endif
       release = (g.phase == kMove -> r[n].job : 0);
       f.process = process_of(n);
       f.job = r[n].job;
       fact_Pause(g, f) }
  :: d_step { up[n] && release != 0 && release == r[n].job && r[n].target == process_of(n) ->
       f.process = process_of(n);
       f.job = release;
#ifdef POST_COPY
       fact_HoldState(g, f);
#else
       fact_HoldAll(g, f);
#endif
       if :: g.phase == kMove && g.target != kNobody && g.job == release -> told = release :: else fi;
       release = 0 }
#ifdef POST_COPY
  // The pages follow, as long as the source lives and has heard of no end.
  :: d_step { up[n] && owns(n) && pages_follow(r[n]) && up[1 - n] && paused[1 - n] == r[n].job && w.image_of != r[n].job ->
       hold_pages(n) }
#ifdef SOURCE_RESUMES
  :: d_step { up[n] && paused[n] != 0 && !owns(n) && lease[n] && !executes[n] -> execute(n) }
#endif
#ifdef RESUME_KEPT_COPY
  :: d_step { up[n] && owns(n) && paused[n] != 0 && r[n].job == kNoJob && registered[n] == r[n].epoch && lease[n] && !executes[n] ->
       assert(w.executed == kept_since[n]);
       paused[n] = 0;
       execute(n) }
#endif
  // The owner has given its guest up and said so.
  :: d_step { up[n] && lost[n] == g.epoch && process_of(n) == g.owner && g.epoch < EPOCHS && may_propose(TakeAway) ->
       propose(TakeAway, 0, 0, g.owner, g.epoch) }
#endif
#ifdef RESUME_BY_TIMER
  :: d_step { up[n] && paused[n] != 0 && lease[n] && registered[n] == r[n].epoch -> paused[n] = 0; execute(n) }
#endif

  // Processes die and are started again.
  :: d_step { up[n] && crashes < CRASHES -> crash(n) }
  :: d_step { !up[n] -> up[n] = 1; starts[n]++ }

  // The leader, about this node.
  :: d_step { up[n] && g.job == 0 && process_of(n) != g.owner && jobs < JOBS && may_propose(StartMigration) ->
       jobs++;
       propose(StartMigration, jobs, 0, process_of(n), 0) }
  :: d_step { up[n] && (!lives(g.owner) || !waits_for_lease(node_of(g.owner))) && g.epoch < EPOCHS && may_propose(FailOver) ->
       propose(FailOver, 0, 0, process_of(n), g.epoch) }
  fi
}

inline leader_steps() {
  if
  :: d_step { write != 0 -> ask_to_write(write); write = 0 }
  :: d_step { committed < last -> 
       committed++;
       commit(log[committed]);
       catch_up(0);
       catch_up(1);
       compact() }
  :: d_step { g.phase == kSetup && may_propose(BeginTransfer) -> propose(BeginTransfer, g.job, 0, 0, 0) }
  :: d_step { g.phase == kDataTransfer && may_propose(BeginMove) -> propose(BeginMove, g.job, 0, 0, 0) }
#ifdef POST_COPY
  :: d_step { g.phase == kMove && g.target != kNobody && is_confirmed && g.epoch < EPOCHS && may_propose(CompletePostCopy) ->
       propose(CompletePostCopy, g.job, 0, g.target, 0) }
  :: d_step { pages_follow(g) && may_propose(GiveUpPages) -> propose(GiveUpPages, g.job, 0, 0, 0) }
  :: d_step { pages_follow(g) && pages_are_confirmed && may_propose(PagesComplete) -> propose(PagesComplete, g.job, 0, 0, 0) }
#else
  :: d_step { g.phase == kMove && is_confirmed && g.epoch < EPOCHS && may_propose(Complete) -> propose(Complete, g.job, 0, g.target, 0) }
#endif
  :: d_step { g.phase == kNoMigration && g.job != 0 && w.registered == g.epoch && may_propose(Finish) ->
       propose(Finish, g.job, 0, 0, 0) }
  :: d_step { (g.phase == kSetup || g.phase == kDataTransfer) && may_propose(Cancel) -> propose(Cancel, g.job, 0, 0, 0) }
  :: d_step { g.phase == kMove && g.target != kNobody && may_propose(Abort) -> propose(Abort, g.job, g.phase, 0, 0) }

  // Another leader, which has all of the entries on their way or none.
  :: d_step { true -> elect() }
  :: d_step { committed < last ->
       elect();
       do :: last > committed -> drop_last() :: else -> break od;
       skip }
  fi
}

inline elect() {
  // The target says it again, while it lives.
#ifdef POST_COPY
  if :: told != 0 && !lives(w.state_at) -> told = 0 :: else fi;
#else
  if :: told != 0 && !lives(w.image_at) -> told = 0 :: else fi;
#endif
  wait[0] = up[0] && wait_of_new_leader;
  wait[1] = up[1] && wait_of_new_leader
}

// ---- The end ------------------------------------------------------------------------------------

#define h node_of(g.owner)

// Wherever the model stands: when nothing breaks any more and everybody does what it may do anyway,
// the VM runs at its owner, and no job is left.
inline heal() {
  up[0] = 1;
  up[1] = 1;
  do
  :: committed < last -> d_step { commit_next() }
  :: else -> if
  :: applied[0] < committed -> d_step { apply_next(0) }
  :: else -> if
  :: applied[1] < committed -> d_step { apply_next(1) }
  :: else -> if
  :: g.phase != kNoMigration && g.target != kNobody -> d_step { propose(Abort, g.job, g.phase, 0, 0) }
  :: else -> if
  :: pages_follow(g) && lives(g.owner) && w.image_of == g.job -> d_step { propose(PagesComplete, g.job, 0, 0, 0) }
  :: pages_follow(g) && lives(g.owner) && w.image_of != g.job && paused[1 - h] == g.job -> d_step { hold_pages(h) }
  :: pages_follow(g) && lives(g.owner) && w.image_of != g.job && paused[1 - h] != g.job -> d_step { propose(GiveUpPages, g.job, 0, 0, 0) }
  :: !pages_follow(g) && lives(g.owner) && lost[h] == g.epoch -> d_step { propose(TakeAway, 0, 0, g.owner, g.epoch) }
  :: else -> if
  :: !lives(g.owner) -> d_step { propose(FailOver, 0, 0, process_of(0), g.epoch) }
  :: else -> if
  :: h == 0 && may_register(0) -> d_step { register(0) }
  :: h == 1 && may_register(1) -> d_step { register(1) }
  :: else -> if
  :: g.job != kNoJob -> d_step { propose(Finish, g.job, 0, 0, 0) }
  :: else -> if
  :: !lease[h] -> d_step { grant_lease(h) }
  :: else -> if
  :: h == 0 && may_execute(0) -> d_step { execute(0) }
  :: h == 1 && may_execute(1) -> d_step { execute(1) }
  :: else -> break
  fi fi fi fi fi fi fi fi fi
  od;
  assert(executes[h] && !executes[1 - h] && last == 0)
}

// ---- The beginning: the VM belongs to the first node and runs nowhere ---------------------------

inline begin(a) {
  a.owner = 1;
  a.epoch = 1;
  a.phase = kNoMigration
}

active proctype cluster() {
  d_step {
    begin(g);
    begin(r[0]);
    begin(r[1]);
    up[0] = 1;
    up[1] = 1
  };
  do
  :: node_steps(0)
  :: node_steps(1)
  :: leader_steps()
#ifndef OUTCOMES_ONLY
  :: atomic { true -> heal(); break }
#endif
  od
}
