// The program as a person meets it when no cluster runs.
#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/exit_codes.h"
#include "tools/failsim/files.h"
#include "tools/failsim/json.h"

namespace failsim::cli {
namespace {

using test::Outcome;
using test::split;

class CommandLineTest : public testing::Test {
 protected:
  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), FAILSIM_PROGRAM);
    return test::run_program(words, {{"XDG_STATE_HOME", state_.string()}, {"FAILSIM_CLUSTER", ""}});
  }
  Outcome run(const std::string& words) { return run(split(words)); }

  // Refused with this status and one sentence that says what to do.
  void expect_refused(std::vector<std::string> words, int exit, const std::string& part) {
    const Outcome text = run(words);
    EXPECT_EQ(text.exit, exit) << text.err;
    EXPECT_EQ(text.out, "");
    EXPECT_NE(text.err.find(part), std::string::npos) << text.err;
    EXPECT_EQ(std::count(text.err.begin(), text.err.end(), '\n'), 1) << text.err;
    EXPECT_LT(text.err.size(), 400u);
    words.insert(words.begin(), "--output=json");
    const Outcome json = run(words);
    EXPECT_EQ(json.exit, exit);
    const std::optional<json::object> answer = parse_object(json.err);
    ASSERT_TRUE(answer.has_value()) << json.err;
    const json::object& error = object_in(*answer, "error");
    for (const char* field : {"code", "name", "message", "next"}) {
      EXPECT_TRUE(error.contains(field)) << field;
    }
  }
  void expect_refused(const std::string& words, int exit, const std::string& part) {
    SCOPED_TRACE(words);
    expect_refused(split(words), exit, part);
  }

  const TemporaryDirectory directory_;
  const fs::path state_{directory_.path()};
};

TEST_F(CommandLineTest, HelpStartsWithExamplesAndSucceeds) {
  const Outcome all = run("--help");
  EXPECT_EQ(all.exit, 0);
  EXPECT_EQ(all.err, "");
  EXPECT_LT(all.out.find("Examples:"), all.out.find("Usage:"));
  const Outcome one = run("vm create --help");
  EXPECT_EQ(one.exit, 0);
  EXPECT_NE(one.out.find("--dirty-rate RATE"), std::string::npos);
  EXPECT_NE(one.out.find("[256MiB]"), std::string::npos);
  EXPECT_EQ(run("--version").out, "failsim 0.1.0\n");
}

TEST_F(CommandLineTest, HelpIsAVerbToo) {
  EXPECT_EQ(run("help").out, run("--help").out);
  EXPECT_EQ(run("help vm create").out, run("vm create --help").out);
  EXPECT_EQ(run("help migrate").out, run("migrate --help").out);
  expect_refused("help vm shwo", 64, "\"show\"");
  expect_refused("job nonsense --help", 64, "nonsense");
  EXPECT_EQ(run("migrate web --help").exit, 0);
}

// Whatever number an error has at the command line, people can look it up.
TEST_F(CommandLineTest, EveryExitCodeIsExplained) {
  const Outcome told = run("help exit-codes");
  EXPECT_EQ(told.exit, 0);
  std::set<int> explained;
  for (const ExitCode& code : exit_codes()) {
    EXPECT_TRUE(explained.empty() || *explained.rbegin() < code.number) << code.number;
    explained.insert(code.number);
    EXPECT_NE(told.out.find("\n" + std::to_string(code.number) + " "), std::string::npos);
  }
  for (const Code code :
       {Code::kOk, Code::kAccessDenied, Code::kNotReady, Code::kInvalidParameter,
        Code::kAlreadyExists, Code::kIoPending, Code::kNotFound, Code::kConnectionRefused,
        Code::kTimeout, Code::kNoPossibleOwner, Code::kInvalidState, Code::kNodeNotFound,
        Code::kNoQuorum, Code::kVmRunning}) {
    EXPECT_TRUE(explained.contains(exit_code(code))) << code_name(code);
  }
  for (const int exit : {1, 2, 3, 4, 20, 21, 22, 64, 69, 70, 75, 124, 130}) {
    EXPECT_TRUE(explained.contains(exit)) << exit;
  }
}

TEST_F(CommandLineTest, PointsAreListedWhereTheErrorSendsOne) {
  EXPECT_EQ(run("fault points").exit, 0);
  EXPECT_NE(run("fault points").out.find("\nowner.flip\n"), std::string::npos);
}

TEST_F(CommandLineTest, AMistypedVerbOrOptionIsToldTheNearestOne) {
  expect_refused("staus", 64, "\"status\"");
  expect_refused("vm shwo web", 64, "\"show\"");
  expect_refused("vm create web --memroy 1GiB", 64, "\"--memory\"");
  expect_refused("frobnicate", 64, "--help");
}

TEST_F(CommandLineTest, MissingAndSuperfluousWordsAreUsageErrors) {
  expect_refused("vm", 64, "needs a verb");
  expect_refused("vm create", 64, "needs NAME");
  expect_refused("migrate", 64, "needs VM");
  expect_refused("migrate web", 64, "--to");
  expect_refused("migrate cancel", 64, "needs VM");
  expect_refused("migrate cancel web --to node-1", 64, "does not take");
  expect_refused("migrate cancel web db", 64, "does not take");
  expect_refused("vm show web db", 64, "db");
  expect_refused("property set web MigrationState", 64, "needs VALUE");
  expect_refused("migrate web --to node-2 --wait --no-wait", 64, "--no-wait");
  EXPECT_EQ(run("").exit, 64);
}

TEST_F(CommandLineTest, ValuesThatMakeNoSenseAreRefusedBeforeAClusterIsAsked) {
  expect_refused("vm create web --memory -5MiB", 64, "negative");
  expect_refused("vm create web --memory 99999999TiB", 64, "too large");
  expect_refused("vm create web --memory 0", 64, "--memory");
  expect_refused("vm create web --memory 5000", 64, "4 KiB");
  expect_refused("vm create web --memory 4MiB --working-set 8MiB", 64, "--working-set");
  expect_refused("vm create web --dirty-rate fast", 64, "--dirty-rate");
  expect_refused("vm create web --pattern zigzag", 64, "hot-set");
  expect_refused("vm create web --memory 1.5MiB", 64, "whole");
  expect_refused("vm control web FOO", 64, "CANCEL_MIGRATION");
  expect_refused("vm control web START_MIGRATION", 64, "--to");
  expect_refused("migrate web --to node-2 --bandwidth 0", 64, "--bandwidth");
  expect_refused("migrate web --to node-2 --bandwidth 65535", 64, "64 KiB/s");
  expect_refused("migrate web --to node-2 --downtime-limit 300", 64, "--downtime-limit");
  expect_refused("migrate web --to node-2 --verify never", 64, "before-resume");
  expect_refused("property get pod/web X", 64, "vm/NAME");
  expect_refused("task show x", 64, "ID");
  expect_refused("job request-state-change 7 Explode", 64, "Terminate");
  expect_refused("up -n 0", 64, "--nodes");
  expect_refused("up -n 65", 64, "--nodes");
  expect_refused("up --node-memory 1", 64, "--node-memory");
  expect_refused("status --time-limit soon", 64, "--time-limit");
}

TEST_F(CommandLineTest, NamesThatWouldConfuseAreRefused) {
  for (const std::string& name :
       {std::string("a/b"), std::string("a b"), std::string(".hidden"), std::string("-x-y"),
        std::string("caf\xc3\xa9"), std::string("list"), std::string("cancel"),
        std::string("status"), std::string("x\n"), std::string(10'000, 'x')}) {
    SCOPED_TRACE(name.substr(0, 20));
    expect_refused({"vm", "create", "--", name}, 64, "name of a VM");
  }
  expect_refused({"vm", "create", ""}, 64, "name");
  expect_refused({"up", "--name", "a/b"}, 64, "name of a cluster");
}

TEST_F(CommandLineTest, WithoutAClusterTheNextStepIsSaid) {
  expect_refused("status", 69, "failsim up");
  expect_refused("vm list", 69, "failsim up");
  expect_refused("--cluster lab status", 105, "lab");
  expect_refused("--dir /nonexistent/cluster status", 105, "/nonexistent/cluster");
  expect_refused("--dir x --cluster y status", 64, "--cluster");
  const Outcome list = run("ps --output json");
  EXPECT_EQ(list.exit, 0);
  EXPECT_EQ(list.out, "[]\n");
}

TEST_F(CommandLineTest, AnUnknownOrImpossiblePropertyStopsABirthBeforeAnythingIsWritten) {
  const std::string directory = (state_ / "cluster").string();
  expect_refused("up --dir " + directory + " --set NoSuchProperty=1", 105, "NoSuchProperty");
  expect_refused("up --dir " + directory + " --set SameSubnetDelay=1", 64, "SameSubnetDelay");
  expect_refused("up --dir " + directory + " --set SameSubnetDelai=1", 105, "\"SameSubnetDelay\"");
  expect_refused("up --dir " + directory + " --set SameSubnetDelay", 64, "NAME=VALUE");
  EXPECT_FALSE(fs::exists(directory));
}

TEST_F(CommandLineTest, ADirectoryWithOtherThingsInItIsLeftAlone) {
  const fs::path directory = state_ / "precious";
  fs::create_directory(directory);
  std::ofstream(directory / "thesis.txt") << "years of work";
  expect_refused("up --dir " + directory.string(), 108, "not empty");
  EXPECT_TRUE(fs::exists(directory / "thesis.txt"));
  EXPECT_FALSE(fs::exists(directory / "lock"));
}

}  // namespace
}  // namespace failsim::cli
