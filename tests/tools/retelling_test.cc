// What processes left behind, told to the judge of the virtual world.
#include "tools/failsim/retelling.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cluster/wire/frame.h"
#include "tests/storage/recorded_run.h"

namespace failsim::cli {
namespace {

using history::Fact;

// Every fact, for those who look.
class Heard : public history::Sink {
 public:
  void take(Time now, const Fact& fact) override { facts_.emplace_back(now, fact); }
  template <typename Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const auto& [at, fact] : facts_) {
      if (const auto* one = std::get_if<Kind>(&fact)) found.push_back(*one);
    }
    return found;
  }
  template <typename Kind>
  Time at() const {  // of the first; -1 if there is none
    for (const auto& [at, fact] : facts_) {
      if (std::holds_alternative<Kind>(fact)) return at;
    }
    return -1;
  }

 private:
  std::vector<std::pair<Time, Fact>> facts_;
};

class RetellingTest : public testing::Test {
 protected:
  RetellingTest() {
    cluster_.description.name = "recorded";
    cluster_.description.nodes = 3;
    cluster_.description.node_memory_bytes = std::uint64_t{1} << 30;
    cluster_.known_until = kNever;
  }

  void recorded(const std::string& bytes) {
    Result<Recording> recording = Recording::decode(bytes, "it");
    ASSERT_TRUE(recording.ok()) << recording.error().message;
    cluster_.recordings.push_back(recording.take());
  }
  void observed(Time at, handover::Process by, const pb::Observation& what) {
    cluster_.observed.push_back({at, by, what});
  }
  void executes(Time at, NodeId node, std::uint64_t epoch) {
    pb::Observation what;
    what.mutable_guest_executes()->set_vm("web");
    what.mutable_guest_executes()->mutable_epoch()->set_counter(epoch);
    observed(at, {node, node}, what);
  }
  void stops(Time at, NodeId node, Time last_quantum) {
    pb::Observation what;
    what.mutable_guest_stops()->set_vm("web");
    what.mutable_guest_stops()->set_last_quantum_ns(last_quantum);
    observed(at, {node, node}, what);
  }
  void wrote(Time at, NodeId node, std::uint64_t counter, std::uint64_t last) {
    pb::Observation what;
    auto& wrote = *what.mutable_volume_wrote();
    wrote.set_vm("web");
    wrote.mutable_epoch()->set_recovery(1);
    wrote.mutable_epoch()->set_counter(node);
    wrote.set_counter(counter);
    wrote.set_last_counter(last);
    wrote.set_node(node);
    wrote.set_writer(node);
    observed(at, {}, what);
  }
  void fault_began(Time at, NodeId node, std::uint64_t id, const std::string& order) {
    pb::Observation what;
    what.mutable_fault_began()->set_id(id);
    what.mutable_fault_began()->set_order(order);
    observed(at, {node, node}, what);
  }
  void fault_ended(Time at, NodeId node, std::uint64_t id) {
    pb::Observation what;
    what.mutable_fault_ended()->set_id(id);
    observed(at, {node, node}, what);
  }

  // Everything, and what the judge says of it.
  Retelling& tell() {
    retelling_.emplace(cluster_, seen_, &heard_);
    retelling_->tell_until(kNever);
    return *retelling_;
  }
  std::vector<std::string> broken() const {
    std::vector<std::string> labels;
    for (const auto& violation : retelling_->checker().violations()) {
      labels.push_back(violation.label);
    }
    return labels;
  }
  std::uint64_t times(const std::string& rule) const {
    const auto& evaluations = retelling_->checker().findings().evaluations();
    const auto found = evaluations.find(rule);
    return found == evaluations.end() ? 0 : found->second;
  }

  RecordedCluster cluster_;
  std::vector<SeenFact> seen_;
  Heard heard_;
  std::optional<Retelling> retelling_;
};

// ---- members ------------------------------------------------------------------------------------

TEST_F(RetellingTest, ARecordedMemberTellsWhatItsStepsShow) {
  RecordedRun run;
  run.run(4);
  run.create_vm("web");
  run.run(4);
  recorded(run.bytes());
  cluster_.began_at = 9 * kSecond;
  tell();
  EXPECT_EQ(broken(), std::vector<std::string>());
  EXPECT_EQ(heard_.at<history::ProcessStarted>(), 1 * kSecond) << "time begins with the run";
  ASSERT_EQ(heard_.all<history::Leads>().size(), 1u);
  EXPECT_FALSE(heard_.all<history::LeaseLasts>().empty());
  const auto answers = heard_.all<history::Answered>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].request, "test:1");
  EXPECT_GT(times("raft"), 0u);
  EXPECT_GT(times("S22"), 0u);
  EXPECT_GT(times("S20"), 0u);
}

TEST_F(RetellingTest, AMemberThatDoesSomethingElseEndsTheTale) {
  RecordedRun run;
  run.run(2);
  recorded(run.bytes() + encode_recorded_step(run.now(), Tick{}) + encode_recorded_hash(1));
  tell();
  EXPECT_EQ(broken(), std::vector<std::string>{"replay"});
}

TEST(RecordedMail, WhatASenderNeverSentIsNotGenuine) {
  pb::PeerMessage message;
  message.set_version(kWireVersion);
  message.set_from(2);
  message.set_to(1);
  message.set_incarnation(7);
  message.mutable_heartbeat()->set_sequence(12);
  RecordedMail mail;
  EXPECT_TRUE(mail.is_genuine(message)) << "nothing is known of this process";
  mail.begins({2, 7});
  EXPECT_FALSE(mail.is_genuine(message));
  mail.sent(message);
  EXPECT_TRUE(mail.is_genuine(message));
  EXPECT_TRUE(mail.is_genuine(message)) << "it may come twice";
  pb::PeerMessage damaged = message;
  damaged.mutable_heartbeat()->set_sequence(13);
  EXPECT_FALSE(mail.is_genuine(damaged));
  damaged.set_version(kWireVersion + 1);
  EXPECT_TRUE(mail.is_genuine(damaged)) << "it is refused, whatever it says";
}

TEST_F(RetellingTest, AStoreThatLostWhatWasSyncedIsFound) {
  RecordedRun run;
  run.run(4);
  recorded(run.bytes());
  RecordedRun again;  // its store is empty
  MemberConfig config = again.config();
  config.incarnation += std::uint64_t{1} << 32;
  recorded(encode_recording_start(config, Recovered(), run.now() + kSecond));
  tell();
  EXPECT_EQ(broken(), std::vector<std::string>{"S8"});
  EXPECT_EQ(heard_.all<history::ProcessEnded>().size(), 1u) << "though nobody saw it end";
}

TEST_F(RetellingTest, AProcessThatAnAssertionEndedIsAFinding) {
  RecordedRun run;
  run.run(4);
  recorded(run.bytes() + encode_recorded_step(run.now(), Tick{}));
  pb::Observation what;
  what.mutable_process_ended()->set_node(1);
  what.mutable_process_ended()->set_instance(4711);
  what.mutable_process_ended()->set_signal(6);
  observed(run.now() + kSecond, {}, what);
  tell();
  EXPECT_EQ(broken(), std::vector<std::string>{"crash"});
}

TEST_F(RetellingTest, ADriftingClockIsTakenOff) {
  RecordedRun run;
  run.run(1);
  const Time fast = run.now() + 50 * kMillisecond;
  recorded(run.bytes() + encode_recorded_step(fast, Tick{}, 50 * kMillisecond));
  tell();
  EXPECT_EQ(retelling_->now(), run.now());
}

// ---- guests and the volume ----------------------------------------------------------------------

TEST_F(RetellingTest, AQuantumWithoutALeaseIsToldAsExecuted) {
  executes(1000, 1, 1);
  stops(5000, 1, 4000);
  tell();
  const auto told = heard_.all<history::Executes>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].until, 0) << "it has no lease";
  EXPECT_EQ(told[1].until, 4001) << "and executed still";
}

TEST(RecordedGuests, AGuestThatOutlivesItsLeaseMeetsTheNextOne) {
  Time now = 0;
  history::Checker checker([&now] { return now; }, nullptr);
  RecordedGuests guests(checker);
  const handover::Process first{1, 1};
  const handover::Process second{2, 2};
  const auto executes = [&guests](const handover::Process& process) {
    pb::Observation what;
    what.mutable_guest_executes()->set_vm("web");
    guests.happened(process, what);
  };
  const auto broken = [&checker] {
    const auto& found = checker.violations();
    return std::count_if(found.begin(), found.end(),
                         [](const auto& violation) { return violation.label == "S1"; });
  };
  guests.lease_lasts(first, 1000);
  executes(first);
  guests.lease_lasts(second, 3000);
  now = 1500;
  executes(second);
  EXPECT_EQ(broken(), 0) << "the lease of the first was over";
  now = 2000;
  guests.ran_last(first, "web", now);
  EXPECT_EQ(broken(), 1);
}

TEST_F(RetellingTest, AGapThatTheVolumeCouldNotNoteIsFilledByWhatItFound) {
  wrote(1000, 1, 0, 0);
  wrote(2000, 1, 1, 1);
  // It wrote 2, was killed before it could say so, and the next owner registers.
  wrote(3000, 2, 0, 2);
  wrote(4000, 2, 3, 3);
  wrote(4500, 2, 3, 3);  // asked again
  tell();
  EXPECT_GT(times("S11"), 0u);
  const std::vector<std::string> labels = broken();
  EXPECT_EQ(std::count(labels.begin(), labels.end(), "S11"), 0);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), "S12"), 0);
  EXPECT_EQ(heard_.all<history::VolumeRecord>().size(), 5u);
}

TEST_F(RetellingTest, ACounterThatJumpsIsFound) {
  wrote(1000, 1, 1, 1);
  wrote(2000, 1, 3, 3);
  tell();
  const std::vector<std::string> labels = broken();
  EXPECT_EQ(std::count(labels.begin(), labels.end(), "S11"), 1);
}

// ---- faults -------------------------------------------------------------------------------------

TEST_F(RetellingTest, AFaultOfSeveralPartsIsToldOnce) {
  fault_began(1000, 1, 7, "isolate node-1,node-2");
  fault_began(2000, 2, 7, "isolate node-1,node-2");
  fault_ended(3000, 1, 7);
  fault_ended(4000, 2, 7);
  tell();
  const auto injected = heard_.all<history::FaultInjected>();
  ASSERT_EQ(injected.size(), 1u);
  EXPECT_EQ(injected[0].nodes, (std::vector<NodeId>{1, 2}));
  EXPECT_EQ(injected[0].text, "isolate node-1,node-2");
  EXPECT_EQ(heard_.all<history::FaultHealed>().size(), 1u);
  EXPECT_EQ(heard_.at<history::FaultHealed>(), 4000);
}

TEST_F(RetellingTest, AnIsolatedNodeReachesNobodyUntilItIsHealed) {
  fault_began(1000, 1, 7, "isolate node-1");
  fault_ended(2000, 1, 7);
  tell();
  const auto links = heard_.all<history::LinkChanged>();
  ASSERT_EQ(links.size(), 8u) << "to two others, both ways, closed and open again";
  EXPECT_EQ(std::count_if(links.begin(), links.end(), [](const auto& link) { return link.open; }),
            4);
}

TEST_F(RetellingTest, TwoCutsOfOneLinkAreOneUntilTheLastIsHealed) {
  fault_began(1000, 1, 7, "link-cut node-1->node-2");
  fault_began(2000, 1, 8, "link-cut node-1->node-2");
  fault_ended(3000, 1, 7);
  tell();
  ASSERT_EQ(heard_.all<history::LinkChanged>().size(), 1u);
  EXPECT_FALSE(heard_.all<history::LinkChanged>()[0].open);
}

TEST_F(RetellingTest, AFaultWhosePartsDifferSaysHowManyThereAre) {
  fault_began(1000, 1, 7, "link-cut node-1->node-2");
  fault_began(1100, 2, 7, "link-cut node-2->node-1");
  tell();
  ASSERT_EQ(heard_.all<history::FaultInjected>().size(), 1u);
  EXPECT_EQ(heard_.all<history::FaultInjected>()[0].text, "link-cut node-1->node-2 (and 1 more)");
}

TEST_F(RetellingTest, ACutOfDataAloneLeavesTheLogItsLink) {
  fault_began(1000, 1, 7, "link-cut node-1->node-2 class=data");
  tell();
  EXPECT_TRUE(heard_.all<history::LinkChanged>().empty());
  EXPECT_EQ(heard_.all<history::FaultInjected>().size(), 1u);
}

// ---- what is known ------------------------------------------------------------------------------

TEST_F(RetellingTest, WhatIsNotKnownIsNotToldButWhatWasSeenIs) {
  cluster_.known_until = 1500;
  executes(1000, 1, 1);
  executes(2000, 1, 1);
  seen_.push_back({3000, history::Expectation{"L1", false, "there is no leader"}});
  tell();
  EXPECT_EQ(heard_.all<history::Executes>().size(), 1u);
  EXPECT_EQ(broken(), std::vector<std::string>{"L1"});
}

TEST_F(RetellingTest, ARuleThatNothingWasToldAboutIsNotPutToTheTest) {
  RecordedRun run;
  run.run(4);
  recorded(run.bytes());
  tell();
  for (const char* rule : {"S1", "S2", "S10", "S11", "S12", "S14", "L5", "L9"}) {
    EXPECT_EQ(times(rule), 0u) << rule;
  }
}

}  // namespace
}  // namespace failsim::cli
