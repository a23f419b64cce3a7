// The shared volume's files, as a crash or a careless hand leaves them.
#include "storage/volume_files.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/volume.h"
#include "tests/file_content.h"
#include "tests/storage/volume_requests.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

namespace fs = std::filesystem;

constexpr Epoch kEpoch{0, 5};

class VolumeFilesTest : public ::testing::Test {
 protected:
  // A volume with three appends of "web", as a killed process leaves it.
  VolumeFilesTest() {
    open();
    volume_->handle(register_request("web", kEpoch));
    for (std::uint64_t counter = 1; counter <= 3; ++counter) {
      log_before_last_ = content_of(log_);
      volume_->handle(append_request("web", kEpoch, counter));
    }
    close();
  }

  void open() {
    refusal_.clear();
    auto disk = VolumeFiles::open(path_);
    ASSERT_TRUE(disk.ok()) << disk.error().message;
    disk_ = disk.take();
    auto volume = Volume::open(*disk_);
    if (volume)
      volume_ = volume.take();
    else
      refusal_ = volume.error().message;
  }
  void close() {
    volume_.reset();
    disk_.reset();
  }
  // Opening performs the redo log and empties it: the journals then stand for themselves.
  void empty_redo_log() {
    open();
    close();
    ASSERT_EQ(fs::file_size(log_), 0u);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "volume";
  const std::string log_ = path_ + "/redo.log";
  const std::string journal_ = path_ + "/vms/web.journal";
  std::string log_before_last_;
  std::unique_ptr<VolumeFiles> disk_;
  std::unique_ptr<Volume> volume_;
  std::string refusal_;
};

TEST_F(VolumeFilesTest, RestoresAJournalWhateverAPowerCutLeftOfIt) {
  const std::string whole = content_of(journal_);
  const std::string log = content_of(log_);
  std::vector<std::string> left = {whole + "garbage", std::string(whole.size(), '\0'), ""};
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 5) {
    left.push_back(whole.substr(0, bytes));
    left.push_back(whole.substr(0, bytes) + std::string(whole.size() - bytes, '\0'));
  }
  for (const std::string& bytes : left) {
    set_content(journal_, bytes);
    set_content(log_, log);
    open();
    ASSERT_NE(volume_, nullptr) << refusal_;
    ASSERT_EQ(volume_->vm("web")->last_counter, 3u);
    close();
    ASSERT_EQ(content_of(journal_), whole);
  }
  fs::remove(journal_);
  set_content(log_, log);
  open();
  EXPECT_EQ(content_of(journal_), whole);
}

TEST_F(VolumeFilesTest, RestoresTheTailOfAJournalBehindWhatWasSyncedBefore) {
  empty_redo_log();
  const std::string before = content_of(journal_);
  open();
  for (std::uint64_t counter = 4; counter <= 9; ++counter) {
    ASSERT_EQ(code_of(volume_->handle(append_request("web", kEpoch, counter))), Code::kOk);
  }
  close();
  const std::string whole = content_of(journal_);
  set_content(journal_, before + "garbage");
  open();
  ASSERT_NE(volume_, nullptr) << refusal_;
  EXPECT_EQ(volume_->vm("web")->last_counter, 9u);
  close();
  EXPECT_EQ(content_of(journal_), whole);
}

TEST_F(VolumeFilesTest, LosesOnlyATornBatchOfTheRedoLog) {
  const std::string log = content_of(log_);
  for (std::size_t bytes = log_before_last_.size(); bytes < log.size(); ++bytes) {
    set_content(log_, log.substr(0, bytes));
    fs::remove(journal_);  // it follows the log
    open();
    ASSERT_NE(volume_, nullptr) << refusal_;
    ASSERT_EQ(volume_->vm("web")->last_counter, 2u) << bytes;
    ASSERT_EQ(code_of(volume_->handle(append_request("web", kEpoch, 3))), Code::kOk);
    ASSERT_EQ(volume_->journal("web").value().size(), 4u);
    close();
  }
}

TEST_F(VolumeFilesTest, RefusesADamagedRedoLog) {
  std::string log = content_of(log_);
  log[log_before_last_.size() / 2] = static_cast<char>(log[log_before_last_.size() / 2] ^ 1);
  set_content(log_, log);
  open();
  EXPECT_EQ(volume_, nullptr);
  EXPECT_NE(refusal_.find("redo.log is damaged"), std::string::npos) << refusal_;
  EXPECT_EQ(content_of(log_), log) << "nothing is written";
}

TEST_F(VolumeFilesTest, RefusesAJournalThatLostWhatWasSynced) {
  empty_redo_log();
  const std::string whole = content_of(journal_);
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
  for (const std::string& bytes : {flipped, whole.substr(0, whole.size() - 1)}) {
    set_content(journal_, bytes);
    open();
    EXPECT_EQ(volume_, nullptr);
    EXPECT_NE(refusal_.find("web.journal is damaged"), std::string::npos) << refusal_;
    close();
    EXPECT_EQ(content_of(journal_), bytes) << "nothing is written";
  }
  set_content(journal_, flipped);
  EXPECT_FALSE(VolumeFiles::read_journals(path_).ok());
}

TEST_F(VolumeFilesTest, DoesNotBringBackADeletedVm) {
  open();
  ASSERT_EQ(code_of(volume_->handle(append_request("web", kEpoch, 4))), Code::kOk);
  ASSERT_EQ(code_of(volume_->handle(delete_request("web", kEpoch))), Code::kOk);
  close();
  open();
  ASSERT_NE(volume_, nullptr) << refusal_;
  EXPECT_EQ(volume_->vm("web")->last_counter, 0u);
  EXPECT_EQ(volume_->journal("web").value().size(), 1u);
}

TEST_F(VolumeFilesTest, RefusesARecoveryEpochThatIsNoNumber) {
  for (const char* text : {"", "\n", "2", "2x\n", "-2\n", "2\n\n", "99999999999999999999999\n"}) {
    set_content(path_ + "/recovery_epoch", text);
    open();
    EXPECT_EQ(volume_, nullptr) << text;
    EXPECT_NE(refusal_.find("recovery_epoch is damaged"), std::string::npos) << refusal_;
    close();
  }
}

TEST_F(VolumeFilesTest, RefusesASecondProcess) {
  open();
  const auto second = VolumeFiles::open(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  EXPECT_NE(second.error().message.find(path_), std::string::npos);
  close();
  EXPECT_TRUE(VolumeFiles::open(path_).ok());
}

TEST_F(VolumeFilesTest, ShowsJournalsBesideTheProcess) {
  open();
  const auto journals = VolumeFiles::read_journals(path_);
  ASSERT_TRUE(journals.ok()) << journals.error().message;
  ASSERT_EQ(journals.value().count("web"), 1u);
  EXPECT_EQ(journals.value().at("web").size(), 4u);
  EXPECT_FALSE(check_journal(journals.value().at("web")));
}

TEST_F(VolumeFilesTest, HandlesMoreVmsThanItKeepsFilesOpen) {
  open();
  std::vector<pb::VolumeRequest> batch;
  for (int i = 0; i < 150; ++i) {
    batch.push_back(register_request("vm-" + std::to_string(i), kEpoch));
    batch.push_back(append_request("vm-" + std::to_string(i), kEpoch, 1));
  }
  for (const pb::VolumeReply& reply : volume_->handle_batch(batch)) {
    ASSERT_EQ(code_of(reply), Code::kOk) << reply.message();
  }
  for (int i = 0; i < 150; ++i) {
    const auto reply = volume_->handle(append_request("vm-" + std::to_string(i), kEpoch, 2));
    ASSERT_EQ(code_of(reply), Code::kOk) << reply.message();
  }
  close();
  open();
  EXPECT_EQ(volume_->vm_count(), 151u);
  EXPECT_EQ(volume_->vm("vm-149")->last_counter, 2u);
}

TEST_F(VolumeFilesTest, FailsForGoodWhenItsDirectoryIsGone) {
  open();
  fs::remove_all(path_);
  const auto reply = volume_->handle(register_request("db", kEpoch));
  EXPECT_EQ(code_of(reply), Code::kWriteFault);
  EXPECT_NE(reply.message().find("db.journal"), std::string::npos) << reply.message();
  EXPECT_TRUE(volume_->is_failed());
  EXPECT_EQ(code_of(volume_->handle(read_request("web", kEpoch, 0, 1))), Code::kWriteFault);
}

TEST(VolumeDirectory, NeedsAParent) {
  TemporaryDirectory directory;
  const auto disk = VolumeFiles::open(directory / "no/such/place");
  ASSERT_FALSE(disk.ok());
  EXPECT_NE(disk.error().message.find("no/such/place"), std::string::npos);
}

}  // namespace
}  // namespace failsim
