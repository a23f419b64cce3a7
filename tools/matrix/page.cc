#include "tools/matrix/page.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace failsim::matrix {
namespace {

constexpr std::string_view kHead = R"(# What becomes of a migration that is disturbed

This page is printed by `failsim matrix --markdown`, from a run of every case in virtual time; a test
compares them. A case is a migration in a cluster of three nodes, a moment of it, and something that
happens there: a request, or a fault. Then everything is healed, the cluster has to come to rest, and
all [invariants](design.md#invariants) are checked, at every step and at rest: one executing copy,
nothing stuck, acknowledged writes kept, nothing left behind on either side. What may become of a case
is written down in `tools/matrix/rules.cc`; a case that ends otherwise fails.

The moments are the [named points](faults.md#named-points) that the migration passes, each of them,
and times between two of them: in Setup, in each round, in the blackout, before the resume.

| phase | its moments |
|---|---|
| requested | the request is on its way into the log |
| Setup | the target prepares; Data Transfer is on its way into the log |
| rounds | the rounds of pre-copy, their begins and ends |
| converged | the policy has decided to switch, and nobody knows |
| Move ordered | Move is on its way into the log, and the guest runs |
| blackout | the guest is paused; last pages, state and release are on their way |
| held | the target holds all, and nothing is decided |
| completing | Complete is on its way into the log |
| owned | the VM is the target's, and does not run yet |
| resumed | it runs there, and the job has not ended |
| finished | the job has ended; the last pages are being checked |
| canceling | of a migration that is canceled in its first round: the cancel is on its way into the log |
| failing | of a migration whose transfer breaks in the blackout: the abort is on its way into the log |

| outcome | means |
|---|---|
| target | it completes: the VM goes on at the target, MigrationState 0 |
| canceled | the VM goes on at the source, MigrationState 4 |
| source | it fails: the VM goes on at the source, MigrationState 5 |
| restart | it fails with a cold restart: the guest's progress is lost, MigrationState 5 |
| no job | the request was lost with the leader that had told nobody |
| restart, request | the leader was lost with the source; the VM was restarted, and then the request was carried out |
| X, restart | it ended as X, and the node with the VM was lost later: cold restart there |

A number is the answer to the request. `(waits)`: as long as the fault lasts nothing is decided.
Two outcomes in one place: it depends on the moment. A node is Down after 750 ms here.
)";

constexpr std::array<std::string_view, kEnds> kWords = {"no job",
                                                        "target",
                                                        "canceled",
                                                        "source",
                                                        "restart",
                                                        "target, restart",
                                                        "canceled, restart",
                                                        "source, restart",
                                                        "restart, request",
                                                        "stuck"};

// The line of the table to which a case belongs.
std::string line_of(const Case& one) {
  return one.disturbance->ask == Ask::kNothing
             ? std::string(name(one.disturbance->loss)) + " is lost"
             : one.disturbance->name;
}

std::string outcome_of(const Judged& one) {
  std::string text(kWords[static_cast<std::size_t>(one.result.end)]);
  if (one.what.disturbance->ask != Ask::kNothing) {
    text += " " + (one.result.answer ? std::to_string(*one.result.answer) : std::string("?"));
  }
  if (one.what.disturbance->loss == Loss::kQuorum && one.result.waited) text += " (waits)";
  return text;
}

std::string joined(const std::set<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

struct Line {
  std::string name;
  std::set<std::string> disturbances;
  std::array<std::set<std::string>, kPhases> outcomes;
  std::size_t cases = 0;
};

std::vector<Line> lines_of(Placement placement, const std::vector<Judged>& all) {
  std::vector<Line> lines;
  std::map<std::string, std::size_t> known;
  for (const Judged& one : all) {
    if (one.what.placement != placement) continue;
    const std::string name = line_of(one.what);
    const auto [at, is_new] = known.emplace(name, lines.size());
    if (is_new) lines.push_back({name, {}, {}, 0});
    Line& line = lines[at->second];
    line.disturbances.insert(one.what.disturbance->name);
    line.outcomes[static_cast<std::size_t>(phase_of(one.what))].insert(outcome_of(one));
    ++line.cases;
  }
  return lines;
}

std::string what_is_lost(const std::vector<Judged>& all) {
  std::map<std::string, std::string> names;
  std::vector<std::string> order;
  for (const Disturbance& disturbance : disturbances()) {
    if (disturbance.ask != Ask::kNothing) continue;
    std::string& listed = names[std::string(name(disturbance.loss))];
    if (listed.empty()) order.emplace_back(name(disturbance.loss));
    listed += (listed.empty() ? "" : ", ") + disturbance.name;
  }
  std::string text = "\n## What happens\n\n| what is lost | by |\n|---|---|\n";
  for (const std::string& loss : order) text += "| " + loss + " | " + names[loss] + " |\n";
  std::set<std::string> moments;
  for (const Judged& one : all) moments.insert(matrix::name(one.what.moment));
  return text + "\n" + std::to_string(all.size()) +
         " cases: " + std::to_string(disturbances().size()) + " things that may happen, at " +
         std::to_string(moments.size()) + " moments; not all of them go together.\n";
}

}  // namespace

std::string section(Placement placement, const std::vector<Judged>& all) {
  const std::vector<Line> lines = lines_of(placement, all);
  std::size_t cases = 0;
  for (const Line& line : lines) cases += line.cases;
  std::string text =
      "\n## " + std::string(name(placement)) + "\n\n" + std::to_string(cases) + " cases.\n\n| |";
  std::string rule = "|---|";
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    text += " " + std::string(name(static_cast<Phase>(phase))) + " |";
    rule += "---|";
  }
  text += " cases |\n" + rule + "---|\n";
  for (const Line& line : lines) {
    text += "| " + line.name + " |";
    for (const std::set<std::string>& outcomes : line.outcomes) {
      text += outcomes.empty() ? " |" : " " + joined(outcomes, " or ") + " |";
    }
    text += " " + std::to_string(line.cases) + " |\n";
  }
  return text;
}

std::string page(const std::vector<Judged>& all) {
  std::string text = std::string(kHead) + what_is_lost(all);
  for (std::size_t placement = 0; placement < kPlacements; ++placement) {
    text += section(static_cast<Placement>(placement), all);
  }
  return text;
}

}  // namespace failsim::matrix
