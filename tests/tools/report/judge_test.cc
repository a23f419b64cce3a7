// A planted fact that breaks a rule is found in a history, whatever else happened.

#include "tools/report/judge.h"

#include <functional>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/tools/report/recorded_run.h"
#include "tools/report/history.h"

namespace failsim::history {
namespace {

// The facts of a good run, then whatever the test plants at a fact of its choice.
class Planted : public Sink {
 public:
  using Plant = std::function<void(Judge&, Time, const Fact&)>;
  explicit Planted(Plant plant) : plant_(std::move(plant)) {}
  void take(Time now, const Fact& fact) override {
    judge_.take(now, fact);
    plant_(judge_, now, fact);
  }
  bool found(const std::string& rule) const {
    for (const auto& violation : judge_.findings().violations()) {
      if (violation.label == rule) return true;
    }
    return false;
  }
  bool clean() const { return judge_.findings().violations().empty(); }

 private:
  Judge judge_;
  Plant plant_;
};

const RecordedRun& good_run() {
  static const RecordedRun run = record_seed(7);
  return run;
}

bool finds(const std::string& rule, const Planted::Plant& plant) {
  std::istringstream in(good_run().history);
  Planted planted(plant);
  EXPECT_TRUE(read_history(in, planted).ok());
  return planted.found(rule);
}

// Plants after every fact of one kind.
template <typename Kind>
Planted::Plant after(std::function<Fact(const Kind&)> make) {
  return [make](Judge& judge, Time now, const Fact& fact) {
    if (const Kind* one = std::get_if<Kind>(&fact)) judge.take(now, make(*one));
  };
}

TEST(Judge, AGoodRunIsClean) {
  std::istringstream in(good_run().history);
  Planted nothing([](Judge&, Time, const Fact&) {});
  ASSERT_TRUE(read_history(in, nothing).ok());
  EXPECT_TRUE(nothing.clean());
}

TEST(Judge, ASecondLeaderIsFound) {
  EXPECT_TRUE(finds("raft", after<Leads>([](const Leads& leads) {
                      return Leads{leads.node % 3 + 1, leads.term};
                    })));
}

TEST(Judge, AnotherEntryUnderTheSameIndexIsFound) {
  EXPECT_TRUE(finds("raft", after<Committed>([](Committed committed) {
                      committed.position.set_checksum(committed.position.checksum() + 1);
                      return committed;
                    })));
}

TEST(Judge, ASecondExecutionIsFound) {
  EXPECT_TRUE(finds("S1", after<Executes>([](Executes executes) {
                      executes.node = executes.node % 3 + 1;
                      return executes;
                    })));
}

TEST(Judge, AnExecutionWithoutAQuorumIsFound) {
  bool is_cut = false;
  EXPECT_TRUE(finds("S2", [&](Judge& judge, Time now, const Fact& fact) {
    const Executes* executes = std::get_if<Executes>(&fact);
    if (executes == nullptr || is_cut) return;
    is_cut = true;
    for (const NodeId other : {1u, 2u, 3u}) {
      if (other == executes->node) continue;
      judge.take(now, LinkChanged{executes->node, other, false});
    }
    Executes longer = *executes;
    longer.until = now + 60 * kSecond;
    judge.take(now, longer);
  }));
}

TEST(Judge, AnEpochOfTwoOwnersIsFound) {
  EXPECT_TRUE(finds("S3", after<VmRow>([](VmRow row) {
                      pb::Vm other = *row.vm;
                      other.set_owner(other.owner() + 1);
                      row.vm = std::make_shared<pb::Vm>(other);
                      return row;
                    })));
}

TEST(Judge, AJobThatNobodySeesIsFound) {
  EXPECT_TRUE(finds("S6", after<VmRow>([](VmRow row) {
                      row.migration_state = 2;
                      row.job = nullptr;
                      pb::Vm other = *row.vm;
                      other.set_job(99);
                      row.vm = std::make_shared<pb::Vm>(other);
                      return row;
                    })));
}

TEST(Judge, AMigrationTooManyIsFound) {
  bool is_planted = false;
  EXPECT_TRUE(finds("slots", [&](Judge& judge, Time now, const Fact& fact) {
    const TaskRow* row = std::get_if<TaskRow>(&fact);
    if (row == nullptr || row->task->job().attempt() == 0 || is_planted) return;
    is_planted = true;
    // As many more as no limit allows, between the same nodes.
    for (TaskId job = 9'000; job < 9'010; ++job) {
      pb::Task other = *row->task;
      other.set_id(job);
      judge.take(now, TaskRow{row->node, std::make_shared<pb::Task>(other)});
      pb::EventRecord begins;
      begins.set_number(1'000'000 + job);
      begins.set_kind("migration-state");
      const auto add = [&begins](const char* name) {
        begins.add_fields()->set_name(name);
        return begins.mutable_fields(begins.fields_size() - 1);
      };
      add("vm")->set_text("vm-" + std::to_string(job));
      add("from")->mutable_named()->set_value(0);
      add("to")->mutable_named()->set_value(1);
      add("job_id")->set_number(job);
      judge.take(now, EventApplied{row->node, std::make_shared<pb::EventRecord>(begins)});
    }
  }));
}

TEST(Judge, ALostWriteIsFound) {
  EXPECT_TRUE(finds("S7", after<WriteAcknowledged>([](const WriteAcknowledged& write) {
                      return ReadSaw{write.name, "a value of long ago"};
                    })));
}

TEST(Judge, AStoreThatForgotIsFound) {
  EXPECT_TRUE(finds("S8", after<Synced>([](const Synced& synced) {
                      return Stored{synced.node, 0, {}, {}};
                    })));
}

TEST(Judge, AReplicaThatDiffersIsFound) {
  EXPECT_TRUE(finds("S9", after<StateHash>([](const StateHash& state) {
                      return StateHash{state.node, state.index, state.hash + 1};
                    })));
}

TEST(Judge, AWrongPageIsFound) {
  EXPECT_TRUE(finds("S10", after<ImageVerified>([](ImageVerified verified) {
                      verified.match = false;
                      return verified;
                    })));
}

TEST(Judge, ACounterThatJumpsAndAStaleWriterAreFound) {
  EXPECT_TRUE(finds("S11", after<VolumeRecord>([](VolumeRecord record) {
                      record.counter += 2;
                      return record;
                    })));
  EXPECT_TRUE(finds("S12", after<VolumeRecord>([](VolumeRecord record) {
                      record.node = record.node % 3 + 1;
                      record.counter += 1;
                      return record;
                    })));
}

TEST(Judge, AMigrationThatFailedAndMovedTheVmIsFound) {
  pb::Task task;
  task.set_id(900);
  task.set_complete(true);
  task.mutable_job()->set_phase(5);
  EXPECT_TRUE(finds("S13", [&](Judge& judge, Time now, const Fact& fact) {
    const VmRow* row = std::get_if<VmRow>(&fact);
    if (row == nullptr) return;
    task.mutable_job()->set_vm(row->vm->name());
    *task.mutable_job()->mutable_epoch() = row->vm->epoch();
    task.mutable_job()->set_source(row->vm->owner() % 3 + 1);
    judge.take(now, TaskRow{row->node, std::make_shared<pb::Task>(task)});
    judge.take(now, *row);
  }));
}

TEST(Judge, AGuestThatIsLeftBehindIsFound) {
  EXPECT_TRUE(finds("S14", after<Held>([](Held held) {
                      held.holdings.guests.push_back({"a VM that nobody knows", 1, false});
                      return held;
                    })));
}

TEST(Judge, MoreThanTheMemoryIsFound) {
  EXPECT_TRUE(finds("S15", after<MemoryUsed>([](const MemoryUsed& memory) {
                      return MemoryUsed{memory.node, memory.memory + 1, memory.memory};
                    })));
}

TEST(Judge, TwoAnswersToOneRequestAreFound) {
  EXPECT_TRUE(finds("S20", after<Answered>([](const Answered& answered) {
                      return Answered{answered.request, "something else"};
                    })));
}

TEST(Judge, AnEventThatIsMissingIsFound) {
  EXPECT_TRUE(finds("S22", after<EventApplied>([](const EventApplied& applied) {
                      pb::EventRecord later = *applied.event;
                      later.set_number(later.number() + 5);
                      return EventApplied{applied.node, std::make_shared<pb::EventRecord>(later)};
                    })));
}

TEST(Judge, ARowThatContradictsItsEventsIsFound) {
  EXPECT_TRUE(finds("S22", after<NodeRow>([](NodeRow row) {
                      pb::Node other = *row.row;
                      other.set_state(pb::NODE_PAUSED);
                      row.row = std::make_shared<pb::Node>(other);
                      return row;
                    })));
}

TEST(Judge, AVmThatRestsWhereItsGuestIsNotIsFound) {
  EXPECT_TRUE(finds("S16", after<VmRow>([](VmRow row) {
                      pb::Vm other = *row.vm;
                      other.set_want(pb::GUEST_SAVED);
                      other.clear_operation();
                      row.vm = std::make_shared<pb::Vm>(other);
                      return row;
                    })));
}

TEST(Judge, AVmOnANodeThatIsDownIsFound) {
  EXPECT_TRUE(finds("S17", after<EventApplied>([](const EventApplied& applied) {
                      pb::EventRecord given;
                      given.set_number(applied.event->number() + 1);
                      given.set_kind("vm-created");
                      given.set_object("vm/new");
                      given.set_node(64);
                      return EventApplied{applied.node, std::make_shared<pb::EventRecord>(given)};
                    })));
}

TEST(Judge, ANodeThatIsHeardAndCalledSilentIsFound) {
  EXPECT_TRUE(finds("S19", after<Leads>([](const Leads& leads) {
                      return CalledSilent{leads.node, leads.node % 3 + 1};
                    })));
}

TEST(Judge, AFormerProcessThatComesBackIsFound) {
  EXPECT_TRUE(finds("S19", after<NodeRow>([](NodeRow row) {
                      pb::Node other = *row.row;
                      other.set_incarnation(0);
                      row.row = std::make_shared<pb::Node>(other);
                      return row;
                    })));
}

TEST(Judge, ADamagedFrameThatIsTakenIsFound) {
  EXPECT_TRUE(finds("S21", after<Leads>([](const Leads& leads) {
                      return DamagedFrame{leads.node, leads.node % 3 + 1, true};
                    })));
}

TEST(Judge, AProcessThatDiesOfItselfIsFound) {
  EXPECT_TRUE(finds("S23", after<ProcessStarted>([](const ProcessStarted& started) {
                      return Complaint{started.node, "Assertion `x' failed."};
                    })));
}

TEST(Judge, ElectionsWithoutEndAreFound) {
  EXPECT_TRUE(finds("L7", [](Judge& judge, Time now, const Fact& fact) {
    if (std::holds_alternative<Expectation>(fact)) judge.take(now, Leads{1, 1'000'000});
  }));
}

TEST(Judge, ARoundTooManyIsFound) {
  EXPECT_TRUE(finds("L9", after<RoundEnded>([](RoundEnded round) {
                      round.is_decided = false;
                      round.round = round.max_rounds + 3;
                      round.decision = PrecopyDecision::kContinue;
                      return round;
                    })));
}

TEST(Judge, StepsOfAnOwnershipThatAreNotAllowedAreFound) {
  EXPECT_TRUE(finds("handover", after<Executes>([](Executes executes) {
                      executes.epoch.counter += 1;  // that nobody agreed on
                      return executes;
                    })));
  EXPECT_TRUE(finds("handover", after<HandoverStep>([](HandoverStep step) {
                      step.action.step = handover::Step::kFinish;
                      step.action.job = 900;
                      return step;
                    })));
  EXPECT_TRUE(finds("handover", after<VolumeRecord>([](VolumeRecord record) {
                      record.epoch.counter += 1;
                      return record;
                    })));
}

TEST(Judge, AnOwnershipThatNobodyWatchedIsFound) {
  EXPECT_TRUE(finds("handover", after<TraceExpected>([](TraceExpected expected) {
                      expected.vm = "a VM that nobody watched";
                      return expected;
                    })));
}

TEST(Judge, WhatTheRunItselfSawIsFound) {
  EXPECT_TRUE(finds("L1", after<Expectation>([](const Expectation&) {
                      return Expectation{"L1", false, "there is no leader"};
                    })));
}

}  // namespace
}  // namespace failsim::history
