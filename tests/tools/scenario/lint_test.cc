// What is refused before anything starts.
#include "tools/scenario/lint.h"

#include <gtest/gtest.h>

#include "cluster/mistakes.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

constexpr const char* kHead =
    "failsim: 1\nvms:\n  web: {memory: 16MiB, owner: node-1, working-set: 4MiB}\n";

std::vector<std::string> problems_of(const std::string& text) {
  const Reading reading = read_yaml(kHead + text);
  for (const Problem& problem : reading.problems) ADD_FAILURE() << to_line("s", problem);
  std::vector<std::string> lines;
  if (!reading.scenario) return lines;
  for (const Problem& problem : lint(*reading.scenario)) lines.push_back(to_line("s", problem));
  return lines;
}

void expect_problem(const std::string& text, const std::string& line) {
  SCOPED_TRACE(text);
  const std::vector<std::string> lines = problems_of(text);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines.front().substr(0, line.size()), line);
}

void expect_fine(const std::string& text) {
  SCOPED_TRACE(text);
  EXPECT_EQ(problems_of(text), std::vector<std::string>());
}

TEST(Lint, KnowsTheNamesOfTheCluster) {
  expect_problem("steps:\n  - do: vm start wbe\n",
                 "s:5:9: There is no VM \"wbe\". Did you mean \"web\"?");
  expect_problem("steps:\n  - do: migrate web --to node-4\n",
                 "s:5:9: There is no node \"node-4\".");
  expect_problem("steps:\n  - fault: kill node-4\n", "s:5:12: There is no node \"node-4\".");
  expect_problem("steps:\n  - fault: kill owner(wbe)\n", "s:5:12: There is no VM \"wbe\".");
  expect_problem("steps:\n  - fault: link-cut node-1->node-7\n", "s:5:12: There is no node");
  expect_problem("steps:\n  - expect: vm(wbe).executing\n", "s:5:13: There is no VM \"wbe\".");
  expect_problem("steps:\n  - expect: vm(web).owner == node-8\n", "s:5:13: There is no node");
  expect_problem("steps:\n  - heal: cut\n", "s:5:11: No fault has the label \"cut\".");
  expect_problem("steps:\n  - expect: fault(cut).active\n", "s:5:13: No fault has the label");
  expect_problem("left-broken: [node-5]\n", "s:4:14: There is no node");
  expect_problem("leader: node-5\n", "s:4:9: There is no node");
}

TEST(Lint, KnowsWhatThisBuildCanPlant) {
  expect_problem("plant: skip-lease-weight\n", kMistakesCanBePlanted
                                                   ? "s:4:8: There is no mistake \"skip-lease-weight\""
                                                   : "s:4:8: This build cannot plant the mistake");
}

TEST(Lint, KnowsWhatNoClusterAccepts) {
  expect_problem("steps:\n  - do: property set cluster SameSubnetDely 300\n",
                 "s:5:9: There is no cluster property 'SameSubnetDely'. Did you mean");
  expect_problem("steps:\n  - do: property set cluster SameSubnetDelay 1\n", "s:5:9: ");
  expect_problem("steps:\n  - do: job request-state-change job(web) Terminat\n",
                 "s:5:9: \"Terminat\" is no requested state.");
  expect_fine("steps:\n  - do: property set cluster SameSubnetDelay 1\n    refused: any\n");
  expect_fine("steps:\n  - do: job request-state-change job(web) Kill --timeout 0:0\n");
}

TEST(Lint, RefusesSelectorsThatMatchNothing) {
  expect_problem("nodes: 2\nsteps:\n  - fault: kill minority\n", "s:6:12: Of 2 nodes that is none");
  expect_problem("steps:\n  - fault: kill minority-third\n", "s:5:12: Of 3 nodes that is none");
  expect_problem("steps:\n  - fault: link-cut node-1->node-1\n",
                 "s:5:12: A node has no link to itself");
  expect_fine("steps:\n  - fault: kill minority\n");
}

TEST(Lint, LetsActionsThatAreToBeRefusedNameWhatDoesNotExist) {
  expect_fine("steps:\n  - do: vm start mail\n    refused: ERROR_GROUP_NOT_FOUND\n");
  expect_fine("steps:\n  - do: vm create mail\n  - do: vm start mail\n");
}

TEST(Lint, RefusesTimesThatGoBackwards) {
  expect_problem("steps:\n  - {at: 3s, pause: 0s}\n  - {at: 2s, pause: 0s}\n",
                 "s:6:21: The step is to begin at 2 s, before the step above it.");
  expect_fine("steps:\n  - {at: 3s, pause: 0s}\n  - {at: 3s, pause: 0s}\n");
}

TEST(Lint, RefusesExpectationsThatContradictEachOther) {
  expect_problem("steps:\n  - expect: vm(web).state == Running and vm(web).state == Paused\n",
                 "s:5:13: The condition");
  expect_problem(
      "steps:\n  - expect: vm(web).state == Running\n  - expect: vm(web).state == Paused\n",
      "s:6:13: This contradicts the step above it");
  expect_problem(
      "steps:\n  - when: vm(web).state == Running\n    hold: vm(web).state == Paused\n    for: "
      "1s\n",
      "s:6:11: What is asked here contradicts the step's own trigger.");
  expect_fine(
      "steps:\n  - expect: vm(web).state == Running\n"
      "  - expect: vm(web).state == Paused\n    within: 1s\n");
}

TEST(Lint, RefusesFaultsOnANodeThatIsDown) {
  expect_problem("steps:\n  - do: node kill node-2\n  - fault: freeze node-2\n",
                 "s:6:12: freeze on node-2 has nothing to hit: the node is down.");
  expect_problem("steps:\n  - fault: kill node-2 for=20s\n  - pause: 19s\n  - fault: kill node-2\n",
                 "s:7:12: ");
  expect_problem("steps:\n  - do: node stop node-2\n  - do: node kill node-2\n", "s:6:9: ");
  expect_fine("steps:\n  - fault: kill node-2 for=20s\n  - pause: 21s\n  - fault: kill node-2\n");
  expect_fine("steps:\n  - fault: kill node-2\n  - heal: all\n  - fault: kill node-2\n");
  expect_fine(
      "steps:\n  - do: node kill node-2\n  - do: node start node-2\n  - fault: kill node-2\n");
  expect_fine("steps:\n  - do: node kill node-2\n  - fault: isolate node-2\n");
}

TEST(Lint, RefusesWhatOneWorldCannotDo) {
  expect_problem("steps:\n  - fault: power-off node-1\n",
                 "s:5:12: Only the virtual world performs power-off");
  expect_problem("steps:\n  - expect: node(node-1).caught_up\n", "s:5:13: Only the virtual world");
  expect_fine("virtual-only: true\nsteps:\n  - fault: power-off node-1\n");
  const std::string migrate = "steps:\n  - do: migrate web --to node-2 --streams 2\n";
  expect_problem("virtual-only: true\n" + migrate,
                 "s:6:9: The virtual world has one connection for all pages");
  expect_fine(migrate);
}

TEST(Lint, RefusesAClusterThatCannotBe) {
  expect_problem("node-memory: 8MiB\n", "s:3:3: VM \"web\" needs 16 MiB");
  expect_problem("left-broken: [node-1, node-2]\n", "s:4:14: With so many nodes left broken");
}

}  // namespace
}  // namespace failsim::scenario
