#include "tools/failsim/replay.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "cluster/raft/checksum.h"
#include "tests/storage/recorded_run.h"
#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/replay_text.h"
#include "tools/report/wording.h"

namespace failsim::cli {
namespace {

json::object replay_bytes(const std::string& bytes, const ReplayOptions& options = {}) {
  Result<Recording> recording = Recording::decode(bytes, "it");
  EXPECT_TRUE(recording.ok()) << recording.error().message;
  return replay_in_child(recording.value(), options);
}

// What no leader says: an entry that is whole, committed, and holds no command.
MessageReceived nonsense_entry() {
  MessageReceived received;
  received.message.set_version(1);
  received.message.set_cluster_id(99);
  received.message.set_recovery_epoch(1);
  received.message.set_from(2);
  received.message.set_to(1);
  received.message.set_incarnation(Incarnation{1} << 32);
  pb::RaftMessage& raft = *received.message.mutable_raft();
  raft.set_term(1);
  raft.set_store_id(102);
  raft.set_recovery_epoch(1);
  pb::LogEntry& entry = *raft.mutable_append()->add_entries();
  entry.set_term(1);
  entry.set_index(1);
  entry.set_command("\xff\xff\xff");
  entry.set_checksum(raft::chain_checksum(0, entry));
  raft.mutable_append()->set_commit_index(1);
  return received;
}

TEST(Replay, TheSameStepsLeadToTheSameState) {
  RecordedRun run;
  run.run(4);
  run.create_vm("web");
  run.run(4);
  const json::object outcome = replay_bytes(run.bytes());
  EXPECT_EQ(text_in(outcome, "verdict"), "same");
  EXPECT_EQ(number_in(outcome, "steps"), run.steps());
  EXPECT_EQ(text_in(outcome, "effects_hash"), history::hexadecimal(run.hash()));
  const json::object& end = object_in(outcome, "end");
  EXPECT_EQ(text_in(end, "role"), "leader");
  EXPECT_EQ(number_in(end, "term"), run.member().log().term());
  EXPECT_EQ(number_in(end, "applied_index"), run.member().log().commit_index());
  EXPECT_EQ(text_in(end, "state_hash"), history::hexadecimal(run.member().state().hash()));
  ASSERT_EQ(array_in(end, "vms").size(), 1u);
  EXPECT_EQ(text_in(array_in(end, "vms")[0].as_object(), "name"), "web");
}

TEST(Replay, EndsAfterTheStepThatIsAskedFor) {
  RecordedRun run;
  run.run(4);
  std::ostringstream lines;
  ReplayOptions options;
  options.until = 2;
  options.lines = &lines;
  std::atomic<std::uint64_t> under_way = 0;
  const Result<Recording> recording = Recording::decode(run.bytes(), "it");
  const json::object outcome = replay(recording.value(), options, under_way);
  EXPECT_EQ(number_in(outcome, "steps"), 2u);
  EXPECT_EQ(under_way, 2u);
  const std::string text = lines.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.rfind("#1 +", 0), 0u) << text;
}

TEST(Replay, NamesTheFirstStepThatDiffers) {
  RecordedRun run;
  run.run(3);
  const std::size_t differing = run.steps() + 1;
  std::string bytes = run.bytes() + encode_recorded_step(run.now(), ClientReads{77}) +
                      encode_recorded_hash(run.hash() + 1) +
                      encode_recorded_step(run.now(), Tick{}) + encode_recorded_hash(1);
  const json::object outcome = replay_bytes(bytes);
  EXPECT_EQ(text_in(outcome, "verdict"), "diverged");
  const json::object& divergence = object_in(outcome, "divergence");
  EXPECT_EQ(number_in(divergence, "step"), differing);
  EXPECT_EQ(text_in(divergence, "event"), "client 77 reads");
  EXPECT_EQ(text_in(divergence, "recorded_hash"), history::hexadecimal(run.hash() + 1));
  EXPECT_NE(text_in(divergence, "replayed_hash"), text_in(divergence, "recorded_hash"));
}

TEST(Replay, AStepThatEndedTheRecordedProcessEndsTheReplay) {
  RecordedRun run(3);
  run.step(kMillisecond, Tick{});
  run.begin_step(nonsense_entry());
  const json::object outcome = replay_bytes(run.bytes());
  EXPECT_EQ(text_in(outcome, "verdict"), "crashed");
  const json::object& crash = object_in(outcome, "crash");
  EXPECT_EQ(number_in(crash, "step"), 2u);
  EXPECT_EQ(text_in(crash, "process"), "was killed by signal 6");
  EXPECT_EQ(text_in(crash, "event").rfind("message from node-2", 0), 0u);
}

TEST(Replay, ACrashWhereTheRecordedProcessWentOnIsADivergence) {
  RecordedRun run(3);
  run.begin_step(nonsense_entry());
  const json::object outcome = replay_bytes(run.bytes() + encode_recorded_hash(1));
  EXPECT_EQ(text_in(outcome, "verdict"), "diverged");
  EXPECT_EQ(number_in(object_in(outcome, "crash"), "step"), 1u);
}

class ReplayVerb : public testing::Test {
 protected:
  test::Outcome replay(const std::string& words) {
    std::vector<std::string> list = test::split("--output json replay " + words);
    list.insert(list.begin(), FAILSIM_PROGRAM);
    return test::run_program(list);
  }
  std::string file(const std::string& name, const std::string& bytes) {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }

  const TemporaryDirectory directory_;
};

TEST_F(ReplayVerb, SaysTheVerdictWithItsExitStatus) {
  RecordedRun run(3);
  run.step(kMillisecond, Tick{});
  const std::string same = file("recording-1.fsrec", run.bytes());
  EXPECT_EQ(replay(same).exit, 0);
  EXPECT_EQ(replay(directory_.path()).exit, 0);
  const std::string torn = file("recording-2.fsrec", run.bytes().substr(0, run.bytes().size() - 1));
  EXPECT_EQ(replay(torn).exit, 0);
  const std::string crashed =
      file("recording-3.fsrec", run.bytes() + encode_recorded_step(run.now(), nonsense_entry()));
  EXPECT_EQ(replay(crashed).exit, 1);
  EXPECT_EQ(replay(directory_.path()).exit, 1);
  std::string flipped = run.bytes();
  flipped[40] = static_cast<char>(flipped[40] ^ 1);
  EXPECT_EQ(replay(file("recording-4.fsrec", flipped)).exit, 70);
  EXPECT_EQ(replay(directory_.path()).exit, 70);
  const std::string diverged =
      file("recording-5.fsrec", run.bytes() + encode_recorded_step(run.now(), Tick{}) +
                                    encode_recorded_hash(run.hash()));
  EXPECT_EQ(replay(diverged).exit, 4);
  const test::Outcome all = replay(directory_.path());
  EXPECT_EQ(all.exit, 4);
  const json::object answer = parse_object(all.out).value_or(json::object{});
  EXPECT_EQ(text_in(answer, "verdict"), "diverged");
  EXPECT_EQ(array_in(answer, "recordings").size(), 5u);
  EXPECT_EQ(replay(directory_ / "missing.fsrec").exit, 105);
  EXPECT_EQ(replay("").exit, 64);
}

}  // namespace
}  // namespace failsim::cli
