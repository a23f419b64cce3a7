#include "node/volume/volume_main.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/volume.h"
#include "storage/volume_files.h"
#include "tests/storage/volume_requests.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "volume");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.exit_code = volume_main(static_cast<int>(arguments.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(VolumeMain, RefusesWrongArguments) {
  TemporaryDirectory directory;
  EXPECT_EQ(run({}).exit_code, 64);
  EXPECT_EQ(run({"--dir", directory / "volume"}).exit_code, 64);
  for (const char* endpoint : {"127.0.0.1", ":3260", "127.0.0.1:", "127.0.0.1:99999", "a:1x"}) {
    const Outcome outcome = run({"--dir", directory / "volume", "--listen", endpoint});
    EXPECT_EQ(outcome.exit_code, 64) << endpoint;
    EXPECT_NE(outcome.err.find(endpoint), std::string::npos);
  }
}

TEST(VolumeMain, RefusesADirectoryInUse) {
  TemporaryDirectory directory;
  const auto disk = VolumeFiles::open(directory / "volume");
  ASSERT_TRUE(disk.ok());
  const Outcome outcome = run({"--dir", directory / "volume", "--listen", "127.0.0.1:1"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("Another process"), std::string::npos) << outcome.err;
}

TEST(VolumeMain, ChecksJournals) {
  constexpr Epoch kEpoch{0, 5};
  TemporaryDirectory directory;
  auto disk = VolumeFiles::open(directory / "volume").take();
  {
    auto volume = Volume::open(*disk).take();
    volume->handle(register_request("web", kEpoch));
    volume->handle(append_request("web", kEpoch, 1));
  }
  Outcome outcome = run({"--dir", directory / "volume", "--check"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "1 journals with 2 records: in order\n");

  pb::JournalRecord skipped;
  skipped.mutable_epoch()->set_counter(kEpoch.counter);
  skipped.set_counter(3);
  ASSERT_FALSE(disk->append("web", skipped));
  ASSERT_FALSE(disk->sync());
  outcome = run({"--dir", directory / "volume", "--check"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.out.find("VM 'web': record 3"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace failsim::node
