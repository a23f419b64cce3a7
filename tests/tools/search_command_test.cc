// explore, simulate and matrix as they are typed: what they refuse, and that JSON is JSON.
#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/files.h"
#include "tools/failsim/json.h"

namespace failsim::cli {
namespace {

using test::Outcome;

Outcome failsim(const std::string& words) {
  std::vector<std::string> all = test::split(words);
  all.insert(all.begin(), FAILSIM_PROGRAM);
  return test::run_program(all);
}

TEST(SearchCommand, RefusesOptionsThatContradictEachOther) {
  for (const char* words :
       {"simulate --seeds 1 --report", "explore --verbose", "explore --write there",
        "explore --seed 1 --seeds 3", "explore --seed 1 --budget 1s", "explore --seed 1 --stop",
        "explore --seed 1 --require-coverage", "matrix --list --markdown",
        "matrix --list --verbose", "matrix --markdown --output json",
        "fault kinds --markdown --output json"}) {
    const Outcome refused = failsim(words);
    EXPECT_EQ(refused.exit, 64) << words << ": " << refused.err;
    EXPECT_EQ(refused.out, "") << words;
  }
}

TEST(SearchCommand, RefusesASearchThatRunsNothing) {
  const Outcome refused = failsim("explore --budget 0s");
  EXPECT_EQ(refused.exit, 64) << refused.err;
  EXPECT_NE(refused.err.find("would run nothing"), std::string::npos) << refused.err;
}

TEST(SearchCommand, TellsProgramsInJson) {
  const Outcome one = failsim("explore --seed 5 --output json");
  EXPECT_EQ(one.exit, 0) << one.err;
  const std::optional<json::object> seed = parse_object(one.out);
  ASSERT_TRUE(seed) << one.out;
  EXPECT_EQ(number_in(*seed, "seed"), 5u);
  const Outcome list = failsim("matrix --list --every 500 --output json");
  const std::optional<json::value> cases = parse_json(list.out);
  ASSERT_TRUE(cases && cases->is_array()) << list.out;
  EXPECT_FALSE(cases->get_array().empty());
  const std::string words = "simulate --seed 3 --nodes 1";
  EXPECT_TRUE(parse_object(failsim(words + " --output json").out));
  EXPECT_TRUE(failsim(words).out.starts_with("seed 3 of 1 node: "));
}

TEST(SearchCommand, ErrorsAreOneSentenceOfFailsimOrOneObject) {
  const TemporaryDirectory folder;
  const std::string file = folder.path() + "/1.json";
  std::ofstream(file) << "{";
  for (const std::string& words :
       std::vector<std::string>{"explore merge " + file, "explore merge /nowhere", "explore merge",
                                "explore --seeds 1 --corpus /nowhere"}) {
    const Outcome text = failsim(words);
    EXPECT_EQ(text.exit, 64) << words;
    EXPECT_TRUE(text.err.starts_with("failsim: ")) << words << ": " << text.err;
    EXPECT_EQ(text.err.find("boost"), std::string::npos) << text.err;
    const Outcome object = failsim(words + " --output json");
    const std::optional<json::object> error = parse_object(object.err);
    ASSERT_TRUE(error) << words << ": " << object.err;
    EXPECT_NE(text_in(object_in(*error, "error"), "message"), "") << words;
  }
}

TEST(SearchCommand, AScenarioThatCannotBeWrittenLeavesNoFolder) {
  const TemporaryDirectory base;
  const std::string folder = base / "deep/drawn";
  const Outcome refused = test::run_program(
      {"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" explore --seed 5 --write \"$1\"",
       FAILSIM_PROGRAM, folder});
  EXPECT_EQ(refused.exit, 70) << refused.err;
  EXPECT_EQ(refused.err, "failsim: \"" + folder +
                             "/scenario.yaml\" cannot be written: File too large. Choose another "
                             "folder, or make room. [ERROR_WRITE_FAULT]\n");
  EXPECT_TRUE(fs::is_empty(base.path()));
}

TEST(SearchCommand, ALostShardIsNoWholeCampaign) {
  const TemporaryDirectory folder;
  const std::string file = folder.path() + "/1.json";
  std::ofstream(file) << failsim("explore --seeds 4 --shard 1/2 --output json").out;
  const Outcome half = failsim("explore merge " + file);
  EXPECT_EQ(half.exit, 3) << half.err;
  EXPECT_NE(half.err.find("Part 2/2 is missing"), std::string::npos) << half.err;
  EXPECT_EQ(failsim("explore merge " + file + " " + file).exit, 64);
}

}  // namespace
}  // namespace failsim::cli
