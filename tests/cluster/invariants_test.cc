// The checkers can fail: each is shown a history that breaks its rule, and one that does not.

#include "cluster/invariants.h"

#include "tests/cluster/findings_story.h"

namespace failsim::invariants {
namespace {

class CheckerStory : public FindingsStory {
 protected:
  static pb::LogStart position(Index index, Term term, std::uint32_t checksum) {
    pb::LogStart position;
    position.set_index(index);
    position.set_term(term);
    position.set_checksum(checksum);
    return position;
  }
  static pb::Vm vm(const std::string& name, NodeId owner, std::uint64_t epoch) {
    pb::Vm vm;
    vm.set_name(name);
    vm.set_owner(owner);
    vm.set_owner_incarnation(owner * 100);
    vm.mutable_epoch()->set_counter(epoch);
    return vm;
  }
};

TEST_F(CheckerStory, TwoLeadersOfOneTermAreFound) {
  Elections elections;
  elections.leads(1, 7, findings_);
  elections.leads(1, 7, findings_);
  elections.leads(2, 8, findings_);
  EXPECT_TRUE(clean());
  elections.leads(2, 7, findings_);
  EXPECT_TRUE(found("raft"));
}

TEST_F(CheckerStory, EntriesOfOneTermWithDifferentHistoriesAreFound) {
  Logs logs;
  logs.appended(1, position(5, 2, 100), findings_);
  logs.appended(2, position(5, 2, 100), findings_);
  logs.appended(3, position(5, 3, 200), findings_);
  EXPECT_TRUE(clean());
  logs.appended(3, position(5, 2, 101), findings_);
  EXPECT_TRUE(found("raft"));
}

TEST_F(CheckerStory, AnEntryCommittedTwiceWithDifferentContentsIsFound) {
  Logs logs;
  logs.committed(1, position(5, 2, 100), findings_);
  logs.committed(2, position(5, 2, 100), findings_);
  EXPECT_TRUE(clean());
  logs.committed(3, position(5, 3, 200), findings_);
  EXPECT_TRUE(found("raft"));
}

TEST_F(CheckerStory, ACommitIndexThatGoesBackIsFound) {
  Logs logs;
  logs.committed(1, position(5, 2, 100), findings_);
  logs.restarted(1);
  logs.committed(1, position(4, 2, 90), findings_);
  EXPECT_TRUE(clean()) << "a new process begins anew";
  logs.committed(1, position(3, 2, 80), findings_);
  EXPECT_TRUE(found("raft"));
}

TEST_F(CheckerStory, TwoNodesThatExecuteOneVmAreFound) {
  Executions executions;
  executions.executes("web", 1, 0, 100, findings_);
  executions.executes("web", 1, 50, 150, findings_);
  executions.executes("shop", 2, 60, 150, findings_);
  executions.executes("web", 2, 150, 300, findings_);
  EXPECT_TRUE(clean()) << "the first lease is over when the second starts";
  executions.executes("web", 1, 299, 400, findings_);
  EXPECT_TRUE(found("S1"));
}

TEST_F(CheckerStory, AStoppedGuestIsNoSecondOne) {
  Executions executions;
  executions.executes("web", 1, 0, 1000, findings_);
  executions.stops("web", 1, 10);
  executions.executes("web", 2, 10, 1000, findings_);
  executions.node_died(2, 20);
  EXPECT_FALSE(executions.is_executing("web", 20));
  executions.executes("web", 3, 20, 1000, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(CheckerStory, AnEpochOfTwoOwnersIsFound) {
  Ownership ownership;
  ownership.row(1, vm("web", 1, 5), findings_);
  ownership.row(2, vm("web", 1, 5), findings_);
  EXPECT_TRUE(clean());
  ownership.row(2, vm("web", 2, 5), findings_);
  EXPECT_TRUE(found("S3"));
}

TEST_F(CheckerStory, AnEpochThatFallsIsFound) {
  Ownership ownership;
  ownership.row(1, vm("web", 1, 5), findings_);
  ownership.restarted(1);
  ownership.row(1, vm("web", 2, 4), findings_);
  EXPECT_TRUE(clean());
  ownership.row(1, vm("web", 3, 3), findings_);
  EXPECT_TRUE(found("S3"));
}

TEST_F(CheckerStory, AMigrationStateThatJumpsIsFound) {
  MigrationEdges edges;
  edges.changed("web", 0, 1, 1, findings_);
  edges.changed("web", 1, 2, 1, findings_);
  edges.changed("web", 2, 3, 1, findings_);
  edges.changed("web", 3, 0, 1, findings_);
  edges.changed("web", 0, 1, 2, findings_);
  edges.changed("web", 1, 4, 2, findings_);
  edges.changed("web", 4, 0, 0, findings_);
  EXPECT_TRUE(clean());
  edges.changed("web", 0, 2, 3, findings_);
  EXPECT_TRUE(found("S4"));
}

TEST_F(CheckerStory, ACancelInMoveIsFound) {
  MigrationEdges edges;
  edges.changed("web", 0, 1, 1, findings_);
  edges.changed("web", 1, 2, 1, findings_);
  edges.changed("web", 2, 3, 1, findings_);
  edges.changed("web", 3, 4, 1, findings_);
  EXPECT_TRUE(found("S4"));
}

TEST_F(CheckerStory, OnlyTheJobThatHasMovedTheVmFailsAfterwards) {
  MigrationEdges edges;
  edges.changed("web", 0, 1, 1, findings_);
  edges.changed("web", 1, 2, 1, findings_);
  edges.changed("web", 2, 3, 1, findings_);
  edges.changed("web", 3, 0, 1, findings_);
  edges.changed("web", 0, 5, 1, findings_);
  edges.changed("web", 5, 0, 0, findings_);
  EXPECT_TRUE(clean());
  edges.changed("web", 0, 5, 1, findings_);
  EXPECT_TRUE(found("S4"));
}

TEST_F(CheckerStory, AFailureThatVanishesIsFound) {
  MigrationEdges edges;
  edges.changed("web", 0, 1, 1, findings_);
  edges.changed("web", 1, 5, 1, findings_);
  EXPECT_TRUE(clean());
  edges.changed("web", 0, 1, 2, findings_);
  EXPECT_TRUE(found("S5"));
}

TEST_F(CheckerStory, AClientsWriteDuringAMigrationIsFound) {
  MigrationEdges edges;
  edges.changed("web", 0, 3, 0, findings_);
  edges.changed("web", 3, 1, 1, findings_);
  EXPECT_TRUE(clean()) << "a start may follow whatever a client wrote";
  edges.changed("web", 1, 0, 0, findings_);
  EXPECT_TRUE(found("S4"));
}

TEST_F(CheckerStory, AJobAndAMigrationStateThatDisagreeAreFound) {
  pb::Vm row = vm("web", 1, 1);
  Jobs jobs;
  jobs.vm_row(row, nullptr, 0, false, findings_);
  jobs.vm_row(row, nullptr, 5, false, findings_);
  jobs.vm_row(row, nullptr, 2, true, findings_);
  EXPECT_TRUE(clean());
  jobs.vm_row(row, nullptr, 2, false, findings_);
  EXPECT_TRUE(found("S6")) << "under way without a job";

  findings_ = Findings();
  row.set_job(4);
  pb::Task task;
  task.set_id(4);
  task.mutable_job()->set_vm("web");
  task.mutable_job()->set_phase(2);
  jobs.vm_row(row, &task, 2, false, findings_);
  EXPECT_TRUE(clean());
  jobs.vm_row(row, &task, 0, false, findings_);
  EXPECT_TRUE(found("S6")) << "a job in flight that nobody sees";
}

TEST_F(CheckerStory, AProgressThatFallsIsFound) {
  Jobs jobs;
  pb::Task task;
  task.set_id(4);
  task.set_progress(50);
  jobs.task_row(1, task, findings_);
  EXPECT_TRUE(clean());
  task.set_progress(49);
  jobs.task_row(1, task, findings_);
  EXPECT_TRUE(found("S20"));
}

TEST_F(CheckerStory, ATaskThatChangesAfterItsEndIsFound) {
  Jobs jobs;
  pb::Task task;
  task.set_id(4);
  task.set_progress(100);
  task.set_complete(true);
  jobs.task_row(1, task, findings_);
  jobs.task_row(1, task, findings_);
  EXPECT_TRUE(clean());
  task.set_result(2);
  jobs.task_row(1, task, findings_);
  EXPECT_TRUE(found("S20"));
}

TEST_F(CheckerStory, ALostWriteIsFound) {
  Register value;
  value.read("it", "", findings_);
  value.write_begins("a");
  value.write_acknowledged("a");
  value.write_begins("b");
  value.read("it", "a", findings_);
  value.read("it", "b", findings_);
  value.write_begins("c");
  value.write_refused("c");
  EXPECT_TRUE(clean());
  value.read("it", "a", findings_);
  EXPECT_TRUE(found("S7")) << "b was read: nobody may see a any more";
}

TEST_F(CheckerStory, AnAcknowledgedWriteThatIsGoneIsFound) {
  Register value;
  value.write_begins("a");
  value.write_acknowledged("a");
  value.read("it", "", findings_);
  EXPECT_TRUE(found("S7"));
}

TEST_F(CheckerStory, ReplicasThatDifferAreFound) {
  StateHashes hashes;
  hashes.state(1, 10, 111, findings_);
  hashes.state(2, 10, 111, findings_);
  hashes.state(2, 11, 222, findings_);
  EXPECT_TRUE(clean());
  hashes.state(1, 11, 223, findings_);
  EXPECT_TRUE(found("S9"));
}

TEST_F(CheckerStory, AJournalWithAGapARepetitionOrAForkIsFound) {
  const Epoch epoch{0, 1};
  const auto counters = [&](std::vector<std::uint64_t> numbers) {
    findings_ = Findings();
    Journals journals;
    journals.record("web", epoch, 0, 1, 100, findings_);
    for (const std::uint64_t number : numbers) {
      journals.record("web", epoch, number, 1, 100, findings_);
    }
    return found("S11");
  };
  EXPECT_FALSE(counters({1, 2, 3}));
  EXPECT_TRUE(counters({1, 3}));
  EXPECT_TRUE(counters({1, 1}));
  EXPECT_TRUE(counters({1, 2, 1}));
}

TEST_F(CheckerStory, AJournalOfTwoWritersIsFound) {
  Journals journals;
  journals.record("web", Epoch{0, 1}, 1, 1, 100, findings_);
  journals.record("web", Epoch{0, 2}, 0, 2, 200, findings_);
  journals.record("web", Epoch{0, 2}, 2, 2, 200, findings_);
  EXPECT_TRUE(clean());
  journals.record("web", Epoch{0, 2}, 3, 1, 100, findings_);
  EXPECT_TRUE(found("S12")) << "two processes write one epoch";

  findings_ = Findings();
  journals.record("web", Epoch{0, 1}, 4, 1, 100, findings_);
  EXPECT_TRUE(found("S12")) << "a stale epoch writes";
}

TEST_F(CheckerStory, AGuestThatBeginsBeforeTheEndOfItsJournalIsFound) {
  Journals journals;
  journals.record("web", Epoch{0, 1}, 1, 1, 100, findings_);
  journals.begins("web", 2, 1, findings_);
  EXPECT_TRUE(clean());
  journals.begins("web", 2, 0, findings_);
  EXPECT_TRUE(found("S11"));
}

TEST_F(CheckerStory, AnImageThatTheProcessNeverHeldIsFound) {
  Images images;
  images.held(2, 200, 7);
  images.ordered("web", 2, 200, 7, findings_);
  EXPECT_TRUE(clean());
  images.ordered("web", 2, 201, 7, findings_);
  EXPECT_TRUE(found("S10")) << "another process of the node";
}

TEST_F(CheckerStory, ACancelThatWasLostIsFound) {
  Cancels cancels;
  cancels.accepted(7, findings_);
  cancels.ended(7, true, findings_);
  cancels.ended(8, false, findings_);
  EXPECT_TRUE(clean());
  cancels.accepted(8, findings_);
  EXPECT_TRUE(found("S13"));
}

TEST_F(CheckerStory, AWrongDigestAndTooMuchMemoryAreFound) {
  check_digest("web", 1, true, findings_);
  check_memory(1, 10, 10, findings_);
  EXPECT_TRUE(clean());
  check_digest("web", 1, false, findings_);
  EXPECT_TRUE(found("S10"));
  check_memory(1, 11, 10, findings_);
  EXPECT_TRUE(found("S15"));
}

TEST_F(CheckerStory, EventsWithAGapOrADifferenceAreFound) {
  pb::EventRecord event;
  event.set_number(1);
  event.set_kind("owner");
  Events events;
  events.applied(1, event, findings_);
  events.applied(2, event, findings_);
  EXPECT_TRUE(clean());
  event.set_number(3);
  events.applied(1, event, findings_);
  EXPECT_TRUE(found("S22")) << "event 2 is missing";

  findings_ = Findings();
  event.set_number(2);
  events.applied(2, event, findings_);
  event.set_number(3);
  event.set_kind("vm-state");
  events.applied(2, event, findings_);
  EXPECT_TRUE(found("S22")) << "event 3 was something else";
}

TEST_F(CheckerStory, WhatIsLeftBehindIsFound) {
  std::map<std::string, pb::Vm> vms;
  vms["web"] = vm("web", 1, 1);
  vms["web"].set_boot_id(9);
  Holdings good;
  good.node = 1;
  good.guests = {{"web", 9, false}};
  good.transfers = {{"web", 4}};
  check_leaks(good, vms, {4}, findings_);
  EXPECT_TRUE(clean());

  Holdings held = good;
  held.guests.front().held_by_transfer = true;
  check_leaks(held, vms, {4}, findings_);
  EXPECT_TRUE(found("S13"));

  findings_ = Findings();
  check_leaks(good, vms, {}, findings_);
  EXPECT_TRUE(found("S14")) << "the transfer of a job that has ended";

  findings_ = Findings();
  Holdings elsewhere = good;
  elsewhere.node = 2;
  check_leaks(elsewhere, vms, {4}, findings_);
  EXPECT_TRUE(found("S14")) << "a guest on a node that does not own it";

  findings_ = Findings();
  Holdings reserved;
  reserved.node = 2;
  reserved.memory_bytes = 4096;
  check_leaks(reserved, vms, {4}, findings_);
  EXPECT_TRUE(found("S14")) << "memory without a guest";
}

}  // namespace
}  // namespace failsim::invariants
