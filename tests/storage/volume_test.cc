// The rules of the shared volume, on both of its disks.
#include "storage/volume.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/volume_files.h"
#include "storage/volume_memory.h"
#include "tests/storage/volume_requests.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

class MemoryPlace {
 public:
  VolumeDisk& open() { return disk_; }
  void close() {}

 private:
  VolumeMemory disk_;
};

class FilesPlace {
 public:
  VolumeDisk& open() {
    auto opened = VolumeFiles::open(directory_ / "volume");
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    disk_ = opened.take();
    return *disk_;
  }
  void close() { disk_.reset(); }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<VolumeFiles> disk_;
};

constexpr Epoch kFirst{0, 5};
constexpr Epoch kSecond{0, 9};

template <typename Place>
class AnyVolume : public ::testing::Test {
 protected:
  AnyVolume() { open(); }
  // Whatever a test did, no journal is out of order.
  ~AnyVolume() override {
    for (const char* vm : {"web", "db"}) {
      const auto records = volume_->journal(vm);
      EXPECT_TRUE(records.ok());
      const auto wrong = check_journal(records.value());
      EXPECT_FALSE(wrong) << vm << ": " << *wrong;
    }
  }

  void open() {
    auto opened = Volume::open(place_.open());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    volume_ = opened.take();
  }
  void reopen() {
    volume_.reset();
    place_.close();
    open();
  }
  Code ask(const pb::VolumeRequest& request) {
    reply_ = volume_->handle(request);
    return code_of(reply_);
  }
  std::size_t records(const std::string& vm) { return volume_->journal(vm).value().size(); }
  std::string state(const std::string& vm, const Epoch& epoch) {
    EXPECT_EQ(ask(read_request(vm, epoch, 0, 1'000'000)), Code::kOk);
    return reply_.data();
  }

  Place place_;
  std::unique_ptr<Volume> volume_;
  pb::VolumeReply reply_;
};

using Places = ::testing::Types<MemoryPlace, FilesPlace>;
TYPED_TEST_SUITE(AnyVolume, Places);

TYPED_TEST(AnyVolume, AppendsWhatItsRegisteredOwnerCounts) {
  EXPECT_EQ(this->ask(register_request("web", kFirst)), Code::kOk);
  EXPECT_EQ(this->reply_.last_counter(), 0u);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 1)), Code::kOk);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 2)), Code::kOk);
  EXPECT_EQ(this->reply_.last_counter(), 2u);
  EXPECT_EQ(this->records("web"), 3u);
}

TYPED_TEST(AnyVolume, AcknowledgesTheSameCounterAgainWithoutASecondRecord) {
  this->ask(register_request("web", kFirst));
  this->ask(append_request("web", kFirst, 1));
  EXPECT_EQ(this->ask(append_request("web", kFirst, 1)), Code::kOk);
  EXPECT_EQ(this->ask(register_request("web", kFirst)), Code::kOk);
  EXPECT_EQ(this->reply_.last_counter(), 1u);
  EXPECT_EQ(this->records("web"), 2u);
}

TYPED_TEST(AnyVolume, RefusesAGapAndAStepBack) {
  this->ask(register_request("web", kFirst));
  this->ask(append_request("web", kFirst, 1));
  this->ask(append_request("web", kFirst, 2));
  EXPECT_EQ(this->ask(append_request("web", kFirst, 4)), Code::kInvalidData);
  EXPECT_EQ(this->reply_.last_counter(), 2u);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 1)), Code::kInvalidData);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 0)), Code::kInvalidData);
  EXPECT_EQ(this->records("web"), 3u);
}

TYPED_TEST(AnyVolume, RefusesCounterZeroOfANewJournal) {
  this->ask(register_request("web", kFirst));
  EXPECT_EQ(this->ask(append_request("web", kFirst, 0)), Code::kInvalidData);
}

TYPED_TEST(AnyVolume, ANewOwnerGoesOnWhereTheOldOneStopped) {
  this->ask(register_request("web", kFirst));
  this->ask(append_request("web", kFirst, 1));
  EXPECT_EQ(this->ask(register_request("web", kSecond)), Code::kOk);
  EXPECT_EQ(this->reply_.last_counter(), 1u);
  EXPECT_EQ(this->reply_.epoch().counter(), 9u);
  // Of a live migration: the append that was in flight at the pause is sent by the target again.
  EXPECT_EQ(this->ask(append_request("web", kSecond, 1)), Code::kOk);
  EXPECT_EQ(this->ask(append_request("web", kSecond, 2)), Code::kOk);
  EXPECT_EQ(this->records("web"), 4u);
}

TYPED_TEST(AnyVolume, RefusesAnOlderEpochAndNamesBoth) {
  this->ask(register_request("web", kFirst));
  this->ask(register_request("web", kSecond));
  for (const pb::VolumeRequest& request :
       {register_request("web", kFirst), append_request("web", kFirst, 1),
        write_request("web", kFirst, 0, "state", true), read_request("web", kFirst, 0, 1),
        delete_request("web", kFirst)}) {
    EXPECT_EQ(this->ask(request), Code::kAccessDenied);
    EXPECT_NE(this->reply_.message().find("0.5"), std::string::npos) << this->reply_.message();
    EXPECT_NE(this->reply_.message().find("0.9"), std::string::npos) << this->reply_.message();
  }
}

TYPED_TEST(AnyVolume, RefusesAnEpochThatIsNotRegistered) {
  EXPECT_EQ(this->ask(append_request("web", kFirst, 1)), Code::kAccessDenied);
  this->ask(register_request("web", kFirst));
  EXPECT_EQ(this->ask(append_request("web", kSecond, 1)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(write_request("web", kSecond, 0, "state", true)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(read_request("web", kSecond, 0, 1)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(append_request("db", kFirst, 1)), Code::kAccessDenied);
  EXPECT_EQ(this->records("db"), 0u);
}

TYPED_TEST(AnyVolume, KeepsEverythingWhenItIsOpenedAgain) {
  this->ask(register_request("web", kFirst));
  for (std::uint64_t counter = 1; counter <= 20; ++counter) {
    this->ask(append_request("web", kFirst, counter));
  }
  this->ask(write_request("web", kFirst, 0, "the state", true));
  this->ask(raise_request(0, 0));
  this->reopen();
  EXPECT_EQ(this->ask(append_request("web", {0, 4}, 21)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 20)), Code::kOk);
  EXPECT_EQ(this->ask(append_request("web", kFirst, 21)), Code::kOk);
  EXPECT_EQ(this->reply_.state_size(), 9u);
  EXPECT_EQ(this->state("web", kFirst), "the state");
}

TYPED_TEST(AnyVolume, ShowsASavedStateOnlyWhenItsLastPieceIsThere) {
  this->ask(register_request("web", kFirst));
  EXPECT_EQ(this->ask(read_request("web", kFirst, 0, 10)), Code::kNotFound);
  this->ask(write_request("web", kFirst, 0, "abc", false));
  this->ask(write_request("web", kFirst, 3, "def", false));
  EXPECT_EQ(this->ask(read_request("web", kFirst, 0, 10)), Code::kNotFound);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 6, "gh", true)), Code::kOk);
  EXPECT_EQ(this->reply_.state_size(), 8u);
  EXPECT_EQ(this->state("web", kFirst), "abcdefgh");
  EXPECT_EQ(this->ask(read_request("web", kFirst, 6, 10)), Code::kOk);
  EXPECT_EQ(this->reply_.data(), "gh");
  EXPECT_EQ(this->ask(read_request("web", kFirst, 100, 10)), Code::kOk);
  EXPECT_EQ(this->reply_.data(), "");
}

TYPED_TEST(AnyVolume, KeepsTheOldStateUntilTheNewOneIsWhole) {
  this->ask(register_request("web", kFirst));
  this->ask(write_request("web", kFirst, 0, "the old state", true));
  this->ask(write_request("web", kFirst, 0, "new", false));
  EXPECT_EQ(this->state("web", kFirst), "the old state");
  this->reopen();
  EXPECT_EQ(this->state("web", kFirst), "the old state");
  this->ask(write_request("web", kFirst, 3, "er", true));
  EXPECT_EQ(this->state("web", kFirst), "newer");
}

TYPED_TEST(AnyVolume, TakesARepeatedPieceAndRefusesAGap) {
  this->ask(register_request("web", kFirst));
  this->ask(write_request("web", kFirst, 0, "abc", false));
  EXPECT_EQ(this->ask(write_request("web", kFirst, 0, "abc", false)), Code::kOk);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 3, "def", false)), Code::kOk);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 3, "def", false)), Code::kOk);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 7, "x", true)), Code::kInvalidData);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 6, "gh", true)), Code::kOk);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 6, "gh", true)), Code::kOk) << "again";
  EXPECT_EQ(this->ask(write_request("web", kFirst, 6, "xx", true)), Code::kInvalidData);
  EXPECT_EQ(this->state("web", kFirst), "abcdefgh");
}

TYPED_TEST(AnyVolume, RefusesAPieceThatIsTooLongAndAStateOfNothing) {
  this->ask(register_request("web", kFirst));
  const std::string long_piece(kVolumePieceBytesMax + 1, 'x');
  EXPECT_EQ(this->ask(write_request("web", kFirst, 0, long_piece, true)), Code::kInvalidData);
  EXPECT_EQ(this->ask(write_request("web", kFirst, 0, "", true)), Code::kInvalidData);
}

TYPED_TEST(AnyVolume, ADeletedVmBeginsAnewButItsEpochDoesNotFall) {
  this->ask(register_request("web", kFirst));
  this->ask(append_request("web", kFirst, 1));
  this->ask(write_request("web", kFirst, 0, "state", true));
  EXPECT_EQ(this->ask(delete_request("web", kFirst)), Code::kOk);
  EXPECT_EQ(this->ask(delete_request("web", kFirst)), Code::kOk) << "again";
  this->reopen();
  EXPECT_EQ(this->ask(register_request("web", {0, 4})), Code::kAccessDenied);
  EXPECT_EQ(this->ask(register_request("web", kSecond)), Code::kOk);
  EXPECT_EQ(this->reply_.last_counter(), 0u);
  EXPECT_EQ(this->reply_.state_size(), 0u);
  EXPECT_EQ(this->ask(append_request("web", kSecond, 1)), Code::kOk);
}

TYPED_TEST(AnyVolume, DeletingAVmThatNeverRanIsFine) {
  EXPECT_EQ(this->ask(delete_request("db", kFirst)), Code::kOk);
  EXPECT_EQ(this->volume_->vm_count(), 0u);
}

TYPED_TEST(AnyVolume, RaisesItsRecoveryEpochByCompareAndSwap) {
  this->ask(register_request("web", kSecond));
  EXPECT_EQ(this->ask(raise_request(0, 2)), Code::kOk);
  EXPECT_EQ(this->ask(raise_request(0, 2)), Code::kAccessDenied) << "the other half";
  EXPECT_EQ(this->reply_.epoch().recovery(), 2u);
  EXPECT_EQ(this->ask(raise_request(2, 2)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(raise_request(2, 1)), Code::kAccessDenied);
  this->reopen();
  EXPECT_EQ(this->volume_->recovery_epoch(), 2u);
  EXPECT_EQ(this->ask(append_request("web", kSecond, 1)), Code::kAccessDenied);
  EXPECT_EQ(this->ask(register_request("db", {1, 100})), Code::kAccessDenied);
  EXPECT_EQ(this->ask(register_request("web", {2, 1})), Code::kOk);
  EXPECT_EQ(this->ask(append_request("web", {2, 1}, 1)), Code::kOk);
}

TYPED_TEST(AnyVolume, ALaterRecoveryEpochOfAnOwnerIsTheVolumesToo) {
  this->ask(register_request("web", {3, 1}));
  this->reopen();
  EXPECT_EQ(this->volume_->recovery_epoch(), 3u);
  EXPECT_EQ(this->ask(register_request("db", {2, 100})), Code::kAccessDenied);
}

TYPED_TEST(AnyVolume, RefusesNamesThatCannotBeFiles) {
  for (const std::string& name :
       {std::string(), std::string("../web"), std::string(".web"), std::string("a/b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string(10'000, 'x')}) {
    EXPECT_EQ(this->ask(register_request(name, kFirst)), Code::kInvalidData) << name;
  }
  EXPECT_EQ(this->ask(register_request("b\xc3\xbcro 1", kFirst)), Code::kOk);
}

TYPED_TEST(AnyVolume, RefusesARequestWithoutABody) {
  this->ask(register_request("web", kFirst));
  EXPECT_EQ(this->ask(volume_request("web", kFirst)), Code::kInvalidData);
}

TYPED_TEST(AnyVolume, AnswersABatchInItsOrder) {
  std::vector<pb::VolumeRequest> batch = {
      register_request("web", kFirst), append_request("web", kFirst, 1),
      append_request("db", kFirst, 1), register_request("db", kFirst),
      append_request("db", kFirst, 1), append_request("web", kFirst, 3)};
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].set_token(100 + i);
  const auto replies = this->volume_->handle_batch(batch);
  ASSERT_EQ(replies.size(), batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(replies[i].token(), 100 + i);
  EXPECT_EQ(code_of(replies[1]), Code::kOk);
  EXPECT_EQ(code_of(replies[2]), Code::kAccessDenied);
  EXPECT_EQ(code_of(replies[4]), Code::kOk);
  EXPECT_EQ(code_of(replies[5]), Code::kInvalidData);
}

// Two owners, one of them stale, ask at random while the power goes and comes back: what was
// acknowledged is there, and the journal is in order.
TEST(VolumeOfThePowerCuts, KeepsWhatItAcknowledged) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::uint64_t state = seed;
    const auto draw = [&](std::uint64_t n) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return (state >> 33) % n;
    };
    VolumeMemory disk;
    auto volume = Volume::open(disk).take();
    std::uint64_t acknowledged = 0;
    std::uint64_t grant = 1;
    std::string saved;
    volume->handle(register_request("web", {0, grant}));
    for (int step = 0; step < 100; ++step) {
      if (draw(8) == 0) disk.power_off_after(draw(6));
      std::vector<pb::VolumeRequest> batch;
      if (draw(6) == 0) batch.push_back(register_request("web", {0, ++grant}));
      const std::uint64_t epoch = draw(4) == 0 ? draw(grant + 1) : grant;
      for (std::uint64_t i = 0; i < 1 + draw(3); ++i) {
        batch.push_back(append_request("web", {0, epoch}, acknowledged + 1 + i, grant));
      }
      const std::string piece = "state " + std::to_string(step);
      batch.push_back(write_request("web", {0, epoch}, 0, piece, draw(2) == 0));
      const auto replies = volume->handle_batch(batch);
      for (std::size_t i = 0; i < replies.size(); ++i) {
        if (code_of(replies[i]) != Code::kOk) continue;
        if (batch[i].has_append()) acknowledged = batch[i].append().counter();
        if (batch[i].has_write_state() && batch[i].write_state().last()) saved = piece;
      }
      if (!volume->is_failed() && draw(10) != 0) continue;
      disk.crash(draw(disk.unsynced() + 1));
      volume = Volume::open(disk).take();
      const VolumeVm* vm = volume->vm("web");
      ASSERT_NE(vm, nullptr);
      ASSERT_GE(vm->last_counter, acknowledged) << "seed " << seed;
      acknowledged = vm->last_counter;
      grant = std::max(grant, vm->epoch.counter);
      if (code_of(volume->handle(register_request("web", {0, grant}))) != Code::kOk) FAIL();
      if (!saved.empty()) {
        const auto reply = volume->handle(read_request("web", {0, grant}, 0, 1000));
        ASSERT_EQ(code_of(reply), Code::kOk);
        saved = reply.data();
      }
    }
    const auto wrong = check_journal(volume->journal("web").value());
    ASSERT_FALSE(wrong) << "seed " << seed << ": " << *wrong;
  }
}

TEST(VolumeWithoutPower, AcknowledgesNothingOfTheBatch) {
  VolumeMemory disk;
  auto volume = Volume::open(disk).take();
  volume->handle(register_request("web", kFirst));
  disk.power_off_after(1);  // the append, not its sync
  const auto replies =
      volume->handle_batch({append_request("web", kFirst, 1), append_request("web", {0, 1}, 1)});
  EXPECT_EQ(code_of(replies[0]), Code::kWriteFault);
  EXPECT_EQ(code_of(replies[1]), Code::kWriteFault);
  EXPECT_TRUE(volume->is_failed());
  EXPECT_EQ(code_of(volume->handle(register_request("web", kSecond))), Code::kWriteFault);
  disk.crash(0);
  volume = Volume::open(disk).take();
  EXPECT_EQ(volume->vm("web")->last_counter, 0u);
}

pb::JournalRecord record(Epoch epoch, std::uint64_t counter, std::uint64_t boot_id = 0) {
  pb::JournalRecord result;
  result.mutable_epoch()->set_recovery(epoch.recovery);
  result.mutable_epoch()->set_counter(epoch.counter);
  result.set_counter(counter);
  result.set_boot_id(boot_id);
  return result;
}

TEST(CheckJournal, AcceptsOwnersThatFollowEachOther) {
  EXPECT_FALSE(check_journal({}));
  EXPECT_FALSE(check_journal({record({0, 1}, 0), record({0, 1}, 1, 1), record({0, 2}, 0),
                              record({0, 2}, 2, 1), record({0, 2}, 3, 4), record({1, 1}, 0),
                              record({1, 1}, 4, 2)}));
}

TEST(CheckJournal, NamesWhatIsWrong) {
  const auto finds = [](const std::vector<pb::JournalRecord>& records, const std::string& what) {
    const auto wrong = check_journal(records);
    EXPECT_NE(wrong.value_or("nothing").find(what), std::string::npos) << wrong.value_or("nothing");
  };
  finds({record({0, 1}, 1, 1)}, "before any registration");
  finds({record({0, 2}, 0), record({0, 1}, 0)}, "does not exceed 0.2");
  finds({record({0, 2}, 0), record({0, 2}, 0)}, "does not exceed 0.2");
  finds({record({0, 1}, 0), record({0, 2}, 0), record({0, 1}, 1, 1)}, "not of the registered");
  finds({record({0, 1}, 0), record({0, 1}, 1, 1), record({0, 1}, 1, 1)}, "does not follow");
  finds({record({0, 1}, 0), record({0, 1}, 1, 1), record({0, 1}, 3, 1)}, "does not follow");
  finds({record({0, 1}, 0), record({0, 1}, 1, 2), record({0, 1}, 2, 1)}, "before boot 2");
}

}  // namespace
}  // namespace failsim
