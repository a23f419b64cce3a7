// A scenario on processes, its verdict and its report.
#include <fstream>
#include <map>

#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

constexpr const char* kKilledOwner = R"(failsim: 1
nodes: 3
vms:
  web: {memory: 32MiB, working-set: 8MiB, owner: node-1}
writers: 2
steps:
  - do: migrate web --to node-2
  - expect: migration(web).result == Success
    within: 20s
  - fault: kill node-2 for=2s
  - expect: vm(web).executing and not (vm(web).owner == node-2)
    within: 20s
)";

class ScenarioOnProcesses : public ClusterTest {
 protected:
  Outcome play(const std::string& text, const std::string& options = "") {
    cli::make_directories(base_ / "played");
    std::ofstream(base_ / "played" / "README.md") << "What a run on processes leaves.\n";
    std::ofstream(base_ / "played" / "scenario.yaml") << text;
    return run("scenario run " + (base_ / "played").string() +
               " --on processes --report=" + runs().string() + " " + options);
  }
  cli::fs::path runs() const { return base_ / "runs"; }
};

TEST_F(ScenarioOnProcesses, IsJudgedByTheInvariantsAndReported) {
  const Outcome played = play(kKilledOwner);
  EXPECT_EQ(played.exit, 0) << played.out << played.err;
  for (const char* file : {"report.html", "history.jsonl", "junit.xml", "trace.json",
                           "scenario.yaml", "options.json", "replay.txt"}) {
    EXPECT_TRUE(cli::fs::exists(runs() / "latest" / file)) << file;
  }
  const Outcome checked = run("check " + (runs() / "latest").string());
  const json::object found = cli::parse_object(checked.out).value_or(json::object{});
  EXPECT_EQ(text_in(found, "world"), "processes");
  EXPECT_TRUE(cli::array_in(found, "violations").empty()) << checked.out;
  std::map<std::string, std::uint64_t> times;
  for (const json::value& row : cli::array_in(found, "rules")) {
    times[text_in(row.as_object(), "rule")] = number_in(row.as_object(), "evaluated");
  }
  for (const char* rule :
       {"raft", "S1",  "S3",  "S4",  "S6", "S7",       "S8", "S9", "S10", "S11", "S12", "S13",
        "S14",  "S15", "S20", "S22", "L1", "handover", "L2", "L3", "L4",  "L5",  "L8",  "L9",
        "slots"}) {
    EXPECT_GT(times[rule], 0u) << rule;
  }
}

TEST_F(ScenarioOnProcesses, ARunThatDoesNotEndInTimeSaysSo) {
  const Outcome played =
      play("failsim: 1\nnodes: 3\nsteps:\n  - pause: 300s\nrecovery: 0s\n", "--timeout 5s");
  EXPECT_EQ(played.exit, 124) << played.out << played.err;
  EXPECT_NE(played.out.find("timeout"), std::string::npos) << played.out;
}

}  // namespace
}  // namespace failsim::test
