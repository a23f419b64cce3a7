#include "storage/recording.h"

#include <fstream>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/core_fingerprint.h"
#include "storage/event_codec.h"
#include "tests/storage/recorded_run.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

Result<Recording> decode(const std::string& bytes) {
  return Recording::decode(bytes, "it");
}

// One of every kind, no field left at its default.
std::vector<Event> every_event() {
  MessageReceived received;
  received.message.set_version(1);
  received.message.set_from(2);
  received.message.set_to(1);
  received.message.mutable_raft()->mutable_append()->add_entries()->set_command("\x00\xff", 2);
  ClientAsks asks{5, {}};
  asks.request.set_client("client");
  asks.request.set_sequence(6);
  asks.request.mutable_cancel_task()->set_task(7);
  GuestReport guest{"web", {1, 2}, 3, pb::CONDITION_FAILED, 4, "not UTF-8: \xff"};
  TransferReport transfer{"web", 1, 2, pb::TRANSFER_FAILED, 3, "\xfe", {}};
  transfer.statistics.set_rounds(4);
  return {Tick{},
          received,
          asks,
          ClientReads{8},
          guest,
          transfer,
          Persisted{9},
          StorageFailed{"\x80"},
          ProcessDied{3, 10},
          Leaving{}};
}

TEST(Recording, KeepsEveryKindOfEvent) {
  const std::vector<Event> events = every_event();
  ASSERT_EQ(events.size(), std::variant_size_v<Event>) << "a kind is missing in this test";
  RecordedRun run;
  std::string bytes = run.bytes();
  Time now = run.now();
  for (const Event& event : events) {
    ++now;
    bytes += encode_recorded_step(now, event) + encode_recorded_hash(static_cast<unsigned>(now));
  }
  const Result<Recording> recording = decode(bytes);
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  ASSERT_EQ(recording.value().steps(), events.size());
  now = run.now();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Recording::Step step = recording.value().step(i + 1);
    EXPECT_EQ(step.now, ++now);
    EXPECT_EQ(step.effects_hash, static_cast<unsigned>(now));
    EXPECT_EQ(step.event.index(), i);
    EXPECT_EQ(encode_event(step.event).SerializeAsString(),
              encode_event(events[i]).SerializeAsString());
  }
}

TEST(Recording, GivesBackTheFieldsOfReports) {
  const std::vector<Event> events = every_event();
  const Event guest_event = *decode_event(encode_event(events[4]));
  const auto& guest = std::get<GuestReport>(guest_event);
  EXPECT_EQ(guest.vm, "web");
  EXPECT_EQ(guest.epoch, (Epoch{1, 2}));
  EXPECT_EQ(guest.boot_id, 3u);
  EXPECT_EQ(guest.condition, pb::CONDITION_FAILED);
  EXPECT_EQ(guest.task_result, 4u);
  EXPECT_EQ(guest.error, "not UTF-8: \xff");
  const Event transfer_event = *decode_event(encode_event(events[5]));
  const auto& transfer = std::get<TransferReport>(transfer_event);
  EXPECT_EQ(transfer.vm, "web");
  EXPECT_EQ(transfer.job, 1u);
  EXPECT_EQ(transfer.attempt, 2u);
  EXPECT_EQ(transfer.status, pb::TRANSFER_FAILED);
  EXPECT_EQ(transfer.task_result, 3u);
  EXPECT_EQ(transfer.error, "\xfe");
  EXPECT_EQ(transfer.statistics.rounds(), 4u);
  EXPECT_FALSE(decode_event(pb::RecordedEvent()).has_value());
}

TEST(Recording, KeepsHowTheMemberBegan) {
  MemberConfig config = RecordedRun().config();
  config.compact_every = 3;
  config.check_state_every = 4;
  Recovered recovered;
  recovered.hard_state.set_term(3);
  recovered.hard_state.set_voted_for(2);
  recovered.log_start.set_index(10);
  recovered.log_start.set_term(2);
  recovered.applied = 17;
  for (Index index = 11; index < 200; ++index) {  // more than one piece
    pb::LogEntry entry;
    entry.set_index(index);
    entry.set_term(3);
    entry.set_command(std::string(5'000, static_cast<char>(index)));
    recovered.entries.push_back(std::make_shared<const pb::LogEntry>(entry));
  }
  for (int row = 0; row < 100; ++row) {
    recovered.rows.push_back({"row/" + std::to_string(row), std::string(4'000, '\xff')});
  }
  recovered.rows.push_back({"row/empty", ""});
  const Result<Recording> recording = decode(encode_recording_start(config, recovered, kSecond));
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  const Recording& found = recording.value();
  EXPECT_EQ(found.version(), FAILSIM_VERSION);
  EXPECT_EQ(found.core(), core_fingerprint());
  EXPECT_EQ(found.started_at(), kSecond);
  EXPECT_EQ(found.steps(), 0u);
  EXPECT_EQ(found.config().self, config.self);
  EXPECT_EQ(found.config().incarnation, config.incarnation);
  EXPECT_EQ(found.config().store_id, config.store_id);
  EXPECT_EQ(found.config().random_seed, config.random_seed);
  EXPECT_EQ(found.config().wall_time_origin_ns, config.wall_time_origin_ns);
  EXPECT_EQ(found.config().compact_every, config.compact_every);
  EXPECT_EQ(found.config().check_state_every, config.check_state_every);
  EXPECT_EQ(found.config().bootstrap.SerializeAsString(), config.bootstrap.SerializeAsString());
  EXPECT_EQ(found.recovered().hard_state.SerializeAsString(),
            recovered.hard_state.SerializeAsString());
  EXPECT_EQ(found.recovered().log_start.SerializeAsString(),
            recovered.log_start.SerializeAsString());
  EXPECT_EQ(found.recovered().applied, recovered.applied);
  ASSERT_EQ(found.recovered().entries.size(), recovered.entries.size());
  for (std::size_t i = 0; i < recovered.entries.size(); ++i) {
    ASSERT_EQ(found.recovered().entries[i]->SerializeAsString(),
              recovered.entries[i]->SerializeAsString());
  }
  ASSERT_EQ(found.recovered().rows.size(), recovered.rows.size());
  for (std::size_t i = 0; i < recovered.rows.size(); ++i) {
    ASSERT_EQ(found.recovered().rows[i].key, recovered.rows[i].key);
    ASSERT_EQ(found.recovered().rows[i].value, recovered.rows[i].value);
  }
}

TEST(Recording, ATornEndKeepsEveryWholeRecord) {
  RecordedRun run;
  const std::size_t start_bytes = run.bytes().size();
  run.step(kMillisecond, Tick{});
  const std::size_t one_step_bytes = run.bytes().size();
  run.begin_step(ClientReads{1});
  for (std::size_t bytes = start_bytes; bytes <= run.bytes().size(); ++bytes) {
    const Result<Recording> recording = decode(run.bytes().substr(0, bytes));
    ASSERT_TRUE(recording.ok()) << bytes << ": " << recording.error().message;
    ASSERT_LE(recording.value().steps(), 2u);
    if (bytes == start_bytes) {
      ASSERT_EQ(recording.value().steps(), 0u);
      ASSERT_EQ(recording.value().torn_bytes(), 0u);
    } else if (bytes == one_step_bytes) {
      ASSERT_EQ(recording.value().step(1).effects_hash, run.hash());
    } else if (bytes > one_step_bytes && bytes < run.bytes().size()) {
      ASSERT_EQ(recording.value().steps(), 1u);
      ASSERT_EQ(recording.value().torn_bytes(), bytes - one_step_bytes);
    }
  }
  const Result<Recording> whole = decode(run.bytes());
  EXPECT_EQ(whole.value().steps(), 2u);
  EXPECT_EQ(whole.value().torn_bytes(), 0u);
  EXPECT_FALSE(whole.value().step(2).effects_hash.has_value()) << "it was never taken";
}

TEST(Recording, WithoutAWholeBeginningThereIsNothingToReplay) {
  const std::string start = RecordedRun().bytes();
  for (std::size_t bytes = 0; bytes < start.size(); ++bytes) {
    const Result<Recording> recording = decode(start.substr(0, bytes));
    ASSERT_FALSE(recording.ok()) << bytes;
    ASSERT_EQ(recording.error().code, Code::kInvalidData);
  }
}

TEST(Recording, AFlippedByteIsRefused) {
  RecordedRun run;
  run.run(3);
  const std::size_t before_last = run.bytes().size();
  run.step(kMillisecond, Tick{});  // in the last record a flip reads as a tear
  for (std::size_t at = 0; at < before_last; ++at) {
    std::string bytes = run.bytes();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const Result<Recording> recording = decode(bytes);
    ASSERT_FALSE(recording.ok()) << at;
    ASSERT_EQ(recording.error().code, Code::kInvalidData);
  }
}

TEST(Recording, AnotherFormatIsRefusedByItsNumber) {
  std::string bytes = RecordedRun().bytes();
  bytes[bytes.find('\n') + 1] = kRecordingFormat + 1;
  const Result<Recording> recording = decode(bytes);
  ASSERT_FALSE(recording.ok());
  const std::string expected = "it is of format " + std::to_string(kRecordingFormat + 1) +
                               ", and this program reads " + std::to_string(kRecordingFormat);
  EXPECT_NE(recording.error().message.find(expected), std::string::npos)
      << recording.error().message;
}

TEST(Recording, WhatNoRecorderWritesIsRefused) {
  RecordedRun run;
  const std::string start = run.bytes();
  const std::string step = encode_recorded_step(run.now(), Tick{});
  const std::string hash = encode_recorded_hash(1);
  const std::string end = encode_recording_end("enough");
  ASSERT_TRUE(decode(start + step + hash + step + end).ok());
  for (const std::string& nonsense : {
           start + hash,                                         // of no step
           start + step + hash + hash,                           // a second one
           start + step + step,                                  // none between
           start + step + hash + end + step,                     // behind the end
           start + encode_recorded_step(run.now() - 1, Tick{}),  // time falls
           start + start.substr(start.find('\n') + 5),           // a second start
           start.substr(0, start.find('\n') + 5) + step,         // no start
       }) {
    const Result<Recording> recording = decode(nonsense);
    ASSERT_FALSE(recording.ok());
    EXPECT_EQ(recording.error().code, Code::kInvalidData);
  }
}

TEST(Recording, AFileThatIsMissingIsNotADamagedOne) {
  const TemporaryDirectory directory;
  EXPECT_EQ(Recording::read(directory / recording_name(1)).error().code, Code::kNotFound);
  RecordedRun run;
  run.run(2);
  std::ofstream(directory / recording_name(1), std::ios::binary) << run.bytes();
  const Result<Recording> recording = Recording::read(directory / recording_name(1));
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  EXPECT_EQ(recording.value().steps(), run.steps());
}

}  // namespace
}  // namespace failsim
