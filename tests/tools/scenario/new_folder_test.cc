// A scenario's folder is written whole, or nothing is left of it.
#include "tools/scenario/new_folder.h"

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/file_content.h"
#include "tests/temporary_directory.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

namespace fs = std::filesystem;

// Files of this process grow no further, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

class NewFolder : public testing::Test {
 protected:
  NewFolder() {
    content_.readme = "A VM is paused.\n";
    content_.scenario = read_yaml(
                            "failsim: 1\nvms:\n  web: {memory: 16MiB, owner: node-1, "
                            "working-set: 4MiB}\nsteps:\n  - do: vm pause web\n")
                            .scenario.value();
    content_.events = {"one", "two"};
  }

  const TemporaryDirectory base_;
  const std::string folder_ = base_ / "of/pauses/one";
  FolderContent content_;
};

TEST_F(NewFolder, HoldsTheScenarioItsStoryAndItsEvents) {
  ASSERT_FALSE(write_folder(folder_, content_));
  const Loaded loaded = load(folder_ + "/scenario.yaml");
  ASSERT_TRUE(loaded.scenario) << loaded.problems.front();
  EXPECT_EQ(loaded.scenario->name, "one");
  EXPECT_EQ(loaded.scenario->sentence, "A VM is paused.");
  EXPECT_EQ(to_yaml(*loaded.scenario), to_yaml(content_.scenario));
  EXPECT_EQ(content_of(folder_ + "/events.expected"), "one\ntwo\n");
}

TEST_F(NewFolder, IsWrittenOverNothingButAnEmptyFolder) {
  fs::create_directories(folder_);
  set_content(folder_ + "/notes", "mine");
  EXPECT_EQ(write_folder(folder_, content_)->code, Code::kAlreadyExists);
  EXPECT_EQ(content_of(folder_ + "/notes"), "mine");
  EXPECT_FALSE(fs::exists(folder_ + "/scenario.yaml"));
  const std::string file = base_ / "file";
  set_content(file, "");
  EXPECT_EQ(write_folder(file, content_)->code, Code::kAlreadyExists);
  fs::remove(folder_ + "/notes");
  EXPECT_FALSE(write_folder(folder_, content_)) << "it is empty now";
}

TEST_F(NewFolder, LeavesNothingBehindOnAFullDisk) {
  std::optional<Error> problem;
  {
    const FullDisk full(content_.readme.size());
    problem = write_folder(folder_, content_);
  }
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->code, Code::kWriteFault);
  EXPECT_EQ(problem->message,
            "\"" + folder_ + "/scenario.yaml\" cannot be written: File too large.");
  EXPECT_TRUE(fs::is_empty(base_.path())) << "the folders above it, too";
}

TEST_F(NewFolder, LeavesWhatWasThereBefore) {
  fs::create_directories(base_ / "of");
  set_content(base_ / "of/pauses", "a file where a folder should be");
  const std::optional<Error> problem = write_folder(folder_, content_);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->message,
            "\"" + (base_ / "of/pauses") + "\" cannot be written: Not a directory.");
  EXPECT_EQ(content_of(base_ / "of/pauses"), "a file where a folder should be");
}

TEST_F(NewFolder, IsReadBeforeItIsThere) {
  const Result<Scenario> read = read_as_folder(folder_, content_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read.value().name, "one");
  EXPECT_EQ(read.value().file, folder_ + "/scenario.yaml");
  content_.scenario.topology.leader = "node-5";
  const Result<Scenario> refused = read_as_folder(folder_, content_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("There is no node"), std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(fs::is_empty(base_.path()));
}

}  // namespace
}  // namespace failsim::scenario
