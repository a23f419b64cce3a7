// A scenario as a file: what it becomes, what it is written as, and where it is wrong.
#include "tools/scenario/yaml.h"

#include <gtest/gtest.h>

#include "tests/file_content.h"

namespace failsim::scenario {
namespace {

// Everything there is, each with a value that is not its default.
constexpr const char* kEverything = R"(failsim: 1
seed: 7
nodes: 5
leader: node-3
node-memory: 1GiB
settings: {SameSubnetDelay: 500, SameSubnetThreshold: 4}
network: {delay: 1ms..10ms, loss: 1%, duplicate: 0.5%, rate: 512MiB/s}
disk: {sync: 1ms..5ms}
guest-quantum: 20ms
prepare-rate: 64MiB/s
compact-every: 1000
vms:
  web: {memory: 64MiB, owner: node-1, dirty-rate: 4MiB/s, working-set: 16MiB}
  db: {memory: 1GiB, dirty-rate: 20MiB/s, working-set: 32MiB, pattern: hot-set, fill: zero, modelled: true, start: false}
writers: 2
recovery: 30s
left-broken: [node-5]
virtual-only: true
plant: forgotten-page
steps:
  - do: migrate web --bandwidth 8MiB/s --to node-2
  - when: migration(web).state == DataTransfer and migration(web).round >= 1
    when-within: 5s
    fault: kill source(web) for=20s
    label: source
  - do: migrate cancel web
    answer: any
  - expect: vm(web).executing == true
    within: 20s
  - hold: vm(web).owner in [node-2, node-3]
    for: 5s
  - at: 30s
    heal: source
  - do: migrate web --to node-9
    refused: ERROR_CLUSTER_NODE_NOT_FOUND
  - do: migrate web --to node-9
    refused: any
  - heal: all
  - pause: 1s
reactions:
  - when: cluster.leader == node-1
    after: 50ms
    times: 2
    fault: freeze leader for=2s
)";

Scenario read(std::string_view text) {
  Reading reading = read_yaml(text);
  for (const Problem& problem : reading.problems) ADD_FAILURE() << to_line("it", problem);
  return reading.scenario.value_or(Scenario());
}

TEST(ScenarioFile, SaysWhatTheClusterIs) {
  const Scenario scenario = read(kEverything);
  EXPECT_EQ(scenario.seed, 7u);
  EXPECT_EQ(scenario.topology.nodes, 5u);
  EXPECT_EQ(scenario.topology.leader, "node-3");
  EXPECT_EQ(scenario.topology.node_memory_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(scenario.topology.settings.at("SameSubnetThreshold"), "4");
  EXPECT_EQ(scenario.topology.link_delay_max, 10 * kMillisecond);
  EXPECT_EQ(scenario.topology.link_loss_per_mille, 10u);
  EXPECT_EQ(scenario.topology.link_duplicate_per_mille, 5u);
  EXPECT_EQ(scenario.topology.disk_sync_min, kMillisecond);
  ASSERT_EQ(scenario.vms.size(), 2u);
  EXPECT_EQ(scenario.vms[0].name, "web");
  EXPECT_EQ(scenario.vms[0].owner, "node-1");
  EXPECT_EQ(scenario.vms[0].config.working_set_bytes(), 16u << 20);
  EXPECT_TRUE(scenario.vms[0].start);
  EXPECT_EQ(scenario.vms[1].config.pattern(), pb::PATTERN_HOT_SET);
  EXPECT_TRUE(scenario.vms[1].config.modelled());
  EXPECT_FALSE(scenario.vms[1].start);
  EXPECT_EQ(scenario.left_broken, std::vector<std::string>{"node-5"});
}

TEST(ScenarioFile, SaysWhatHappens) {
  const Scenario scenario = read(kEverything);
  ASSERT_EQ(scenario.steps.size(), 10u);
  EXPECT_EQ(std::get<Do>(scenario.steps[0].effect).action.option("--to"), "node-2");
  const Step& second = scenario.steps[1];
  ASSERT_TRUE(second.when.has_value());
  EXPECT_EQ(second.when_within, 5 * kSecond);
  EXPECT_EQ(std::get<Inject>(second.effect).label, "source");
  EXPECT_EQ(std::get<Inject>(second.effect).order.lease, 20 * kSecond);
  EXPECT_EQ(second.position.line, 24u);
  EXPECT_EQ(second.position.column, 12u);
  EXPECT_EQ(std::get<Do>(scenario.steps[2].effect).answer, Do::Answer::kAny);
  EXPECT_EQ(std::get<Expect>(scenario.steps[3].effect).within, 20 * kSecond);
  EXPECT_EQ(std::get<Hold>(scenario.steps[4].effect).throughout, 5 * kSecond);
  EXPECT_EQ(scenario.steps[5].at, 30 * kSecond);
  EXPECT_EQ(std::get<Do>(scenario.steps[6].effect).code, "ERROR_CLUSTER_NODE_NOT_FOUND");
  EXPECT_EQ(std::get<Do>(scenario.steps[7].effect).code, "");
  EXPECT_EQ(std::get<Heal>(scenario.steps[8].effect).label, "");
  EXPECT_EQ(std::get<Pause>(scenario.steps[9].effect).duration, kSecond);
  ASSERT_EQ(scenario.reactions.size(), 1u);
  EXPECT_EQ(scenario.reactions[0].times, 2u);
}

TEST(ScenarioFile, ReadsBackAsItIsWritten) {
  const Scenario scenario = read(kEverything);
  EXPECT_EQ(to_yaml(scenario), kEverything);
  EXPECT_EQ(to_yaml(read(to_yaml(Scenario()))), to_yaml(Scenario()));
}

TEST(ScenarioFile, ReadsTheExampleOfTheReadme) {
  const std::string all = content_of(FAILSIM_SOURCE_DIR "/tools/scenario/README.md");
  const std::size_t begin = all.find("```yaml\n");
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = all.find("```\n", begin + 8);
  const Scenario scenario = read(all.substr(begin + 8, end - begin - 8));
  EXPECT_EQ(scenario.steps.size(), 8u);
}

void expect_problem(const std::string& text, const std::string& line) {
  SCOPED_TRACE(text);
  const Reading reading = read_yaml(text);
  EXPECT_FALSE(reading.scenario.has_value());
  ASSERT_FALSE(reading.problems.empty());
  const std::string told = to_line("s.yaml", reading.problems.front());
  EXPECT_EQ(told.substr(0, line.size()), line) << told;
}

void expect_step_problem(const std::string& step, const std::string& line) {
  expect_problem("failsim: 1\nsteps:\n  - " + step + "\n", line);
}

TEST(ScenarioFile, TellsWhereItIsWrong) {
  expect_problem("", "s.yaml:1:1: A scenario has to be a mapping.");
  expect_problem("nodes: 3\n", "s.yaml:1:1: The version of the language is missing.");
  expect_problem("failsim: 2\n", "s.yaml:1:10: The scenario is for version 2");
  expect_problem("failsim: 1\nnode: 3\n", "s.yaml:2:1: A scenario has no \"node\". Did you mean");
  expect_problem("failsim: 1\nnodes: 0\n", "s.yaml:2:8: nodes: ");
  expect_problem("failsim: 1\nnodes: 3\nnodes: 4\n",
                 "s.yaml:3:1: The key \"nodes\" is given twice");
  expect_problem("failsim: 1\nnodes: [3\n", "s.yaml:3:1: This is not YAML");
  expect_problem("failsim: 1\nsettings: {SameSubnetDelai: 1}\n",
                 "s.yaml:2:12: The cluster has no property \"SameSubnetDelai\". Did you mean "
                 "\"SameSubnetDelay\"?");
  expect_problem("failsim: 1\nsettings: {SameSubnetDelay: 1}\n", "s.yaml:2:29: ");
  expect_problem("failsim: 1\nnetwork: {loss: 200%}\n", "s.yaml:2:17: loss: ");
  expect_problem("failsim: 1\nnetwork: {delay: 5ms..1ms}\n", "s.yaml:2:18: delay: ");
  expect_problem("failsim: 1\nvms:\n  web: {memry: 64MiB}\n",
                 "s.yaml:3:9: A VM has no \"memry\". Did you mean \"memory\"?");
  expect_problem("failsim: 1\nvms:\n  web: {memory: 5KiB}\n", "s.yaml:3:3: ");
  expect_problem("failsim: 1\nsteps: 5\n", "s.yaml:2:8: The steps have to be a list.");
}

TEST(ScenarioFile, TellsWhichStepIsWrong) {
  expect_step_problem("do: migrat web", "s.yaml:3:9: \"migrat web\" is no action");
  expect_step_problem("do: migrate web --too node-2", "s.yaml:3:21: ");
  expect_step_problem("do: \"migrate web --too node-2\"", "s.yaml:3:22: ");
  expect_step_problem("{do: vm start web, refused: ERROR_INVALID_STAT}",
                      "s.yaml:3:33: There is no error \"ERROR_INVALID_STAT\". Did you mean "
                      "\"ERROR_INVALID_STATE\"?");
  expect_step_problem("{do: vm start web, answer: maybe}", "s.yaml:3:32: ");
  expect_step_problem("{do: vm start web, within: 3s}",
                      "s.yaml:3:32: \"within\" belongs to \"expect\".");
  expect_step_problem("fault: kil node-2", "s.yaml:3:12: ");
  expect_step_problem("expect: vm(web).state == Runing", "s.yaml:3:30: ");
  expect_step_problem("{expect: vm(web).executing, within: soon}", "s.yaml:3:41: within: ");
  expect_step_problem("hold: vm(web).executing", "s.yaml:3:5: A hold needs its time.");
  expect_step_problem("{pause: 1s, do: vm start web}", "s.yaml:3:");
  expect_step_problem("{at: 1s}", "s.yaml:3:5: A step does nothing.");
  expect_step_problem("{pause: 1s, whem: vm(web).executing}",
                      "s.yaml:3:17: A step has no \"whem\". Did you mean \"when\"?");
}

TEST(ScenarioFile, TellsEverythingThatIsWrongAtOnce) {
  const Reading reading =
      read_yaml("failsim: 1\nnodes: many\nsteps:\n  - do: nothing\n  - pause: 1 fortnight\n");
  EXPECT_EQ(reading.problems.size(), 3u);
}

}  // namespace
}  // namespace failsim::scenario
