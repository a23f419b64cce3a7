// The corpus is read, and what is saved is read back.

#include "tools/explore/archive.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tools/explore/draw.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/yaml.h"

namespace failsim::explore {
namespace {

namespace fs = std::filesystem;

class Archive : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  std::string folder() const { return folder_.string(); }

  const TemporaryDirectory directory_;
  const fs::path folder_{directory_.path()};
};

TEST_F(Archive, ASavedFailureIsAScenarioWithItsStory) {
  Minimised smallest;
  smallest.scenario = draw(3);
  smallest.is_minimal = true;
  Failure failure;
  failure.label = "S1";
  failure.text = "VM vm-1 executes twice";
  failure.replay = "failsim explore --seed 3";
  const Result<std::string> saved = save_failure(folder(), smallest, failure);
  ASSERT_TRUE(saved.ok()) << saved.error().message;
  EXPECT_TRUE(fs::path(saved.value()).filename().string().starts_with("S1-"));
  const Result<Corpus> corpus = load_corpus(folder());
  ASSERT_TRUE(corpus.ok()) << corpus.error().message;
  ASSERT_EQ(corpus.value().scenarios.size(), 1u);
  const scenario::Scenario& read = corpus.value().scenarios.front();
  EXPECT_EQ(read.sentence, "S1 is broken: VM vm-1 executes twice.");
  EXPECT_EQ(scenario::to_yaml(read), scenario::to_yaml(smallest.scenario));
}

TEST_F(Archive, TheSameFindIsSavedOnce) {
  Minimised smallest;
  smallest.scenario = draw(3);
  Failure failure;
  failure.label = "S1";
  const std::string first = save_failure(folder(), smallest, failure).take();
  EXPECT_EQ(save_failure(folder(), smallest, failure).take(), first);
  smallest.scenario.steps.pop_back();
  EXPECT_NE(save_failure(folder(), smallest, failure).take(), first);
}

TEST_F(Archive, WhatIsWrittenWasTriedAndIsPinnedIfItPasses) {
  const scenario::Scenario quiet;
  const std::string passes = folder() + "/passes";
  const Result<scenario::Outcome> tried = write_tried(passes, quiet, "Nothing happens.\n");
  ASSERT_TRUE(tried.ok()) << tried.error().message;
  EXPECT_EQ(tried.value().verdict, scenario::Verdict::kPass);
  EXPECT_TRUE(fs::exists(passes + "/events.expected"));
  EXPECT_EQ(write_tried(passes, quiet, "Nothing happens.\n").error().code, Code::kAlreadyExists);
}

TEST_F(Archive, WhatIsNoScenarioLeavesNoFolder) {
  const scenario::Scenario quiet;
  const std::string nowhere = folder() + "/nowhere";
  EXPECT_EQ(write_tried(nowhere, quiet, "No sentence").error().code, Code::kInvalidData);
  EXPECT_FALSE(fs::exists(nowhere));
}

TEST_F(Archive, SeedsAreReadWithTheirComments) {
  write("seeds", "# found in the spring\n17\n\n 4711  # a lease\n");
  const Result<Corpus> corpus = load_corpus(folder());
  ASSERT_TRUE(corpus.ok()) << corpus.error().message;
  EXPECT_EQ(corpus.value().seeds, (std::vector<std::uint64_t>{17, 4711}));
}

TEST_F(Archive, WhatIsNoSeedIsNamedWithItsLine) {
  write("seeds", "17\nseventeen\n");
  const Result<Corpus> corpus = load_corpus(folder());
  ASSERT_FALSE(corpus.ok());
  EXPECT_NE(corpus.error().message.find("seeds:2: \"seventeen\""), std::string::npos)
      << corpus.error().message;
}

TEST_F(Archive, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(load_corpus(folder() + "/nowhere").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace failsim::explore
