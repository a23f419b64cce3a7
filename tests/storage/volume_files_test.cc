// The shared volume's files, as a crash or a careless hand leaves them.
#include "storage/volume_files.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "storage/volume.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/volume_requests.h"

namespace failsim {
namespace {

namespace fs = std::filesystem;

constexpr Epoch kEpoch{0, 5};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class VolumeFilesTest : public ::testing::Test {
 protected:
  // A volume with three appends of "web".
  VolumeFilesTest() {
    open();
    volume_->handle(register_request("web", kEpoch));
    for (std::uint64_t counter = 1; counter <= 3; ++counter) {
      before_last_ = read(journal_);
      volume_->handle(append_request("web", kEpoch, counter));
    }
    close();
  }

  void open() {
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

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "volume";
  const std::string journal_ = path_ + "/vms/web.journal";
  std::string before_last_;
  std::unique_ptr<VolumeFiles> disk_;
  std::unique_ptr<Volume> volume_;
  std::string refusal_;
};

TEST_F(VolumeFilesTest, CutsATornRecordOffAndGoesOn) {
  const std::string whole = read(journal_);
  for (std::size_t bytes = before_last_.size(); bytes < whole.size(); ++bytes) {
    write(journal_, whole.substr(0, bytes));
    open();
    ASSERT_NE(volume_, nullptr) << refusal_;
    ASSERT_EQ(volume_->vm("web")->last_counter, 2u) << bytes;
    ASSERT_EQ(code_of(volume_->handle(append_request("web", kEpoch, 3))), Code::kOk);
    ASSERT_EQ(volume_->journal("web").value().size(), 4u);
    close();
    ASSERT_EQ(read(journal_), whole);
  }
}

TEST_F(VolumeFilesTest, RefusesADamagedJournal) {
  std::string bytes = read(journal_);
  bytes[before_last_.size() / 2] = static_cast<char>(bytes[before_last_.size() / 2] ^ 1);
  write(journal_, bytes);
  open();
  EXPECT_EQ(volume_, nullptr);
  EXPECT_NE(refusal_.find("web.journal is damaged"), std::string::npos) << refusal_;
  EXPECT_FALSE(VolumeFiles::read_journals(path_).ok());
  EXPECT_EQ(read(journal_), bytes) << "nothing is written";
}

TEST_F(VolumeFilesTest, RefusesARecoveryEpochThatIsNoNumber) {
  for (const char* text : {"", "\n", "2", "2x\n", "-2\n", "2\n\n", "99999999999999999999999\n"}) {
    write(path_ + "/recovery_epoch", text);
    refusal_.clear();
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
