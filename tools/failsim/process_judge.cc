#include "tools/failsim/process_judge.h"

#include "cluster/units.h"
#include "storage/volume.h"
#include "storage/volume_files.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/node_logs.h"
#include "tools/failsim/retelling.h"

namespace failsim::cli {
namespace {

void judge_recorded(const RecordedCluster& cluster, const ProcessStory& story, history::Sink* sink,
                    scenario::Outcome& outcome) {
  Retelling retelling(cluster, story.facts, sink);
  retelling.tell_until(story.ended_at);
  const bool is_known = cluster.known_until >= story.ended_at;
  if (story.is_whole && is_known) retelling.tell_rest();
  const history::Checker& checker = retelling.checker();
  for (const invariants::Violation& found : checker.violations()) {
    outcome.add(found.label, found.text, found.at);
  }
  outcome.evaluations = checker.findings().evaluations();
  for (const auto& [what, count] : checker.coverage().counts()) outcome.coverage[what] += count;
  if (is_known) return;
  const Time known = cluster.known_until - cluster.began_at;
  outcome.add("facts", "What happened is known up to " +
                           show_duration_ms(static_cast<std::uint64_t>(known / kMillisecond)) +
                           " only: " + cluster.known_until_why);
}

// Without recordings: what was asked and did not come is known still.
void judge_seen(const ProcessStory& story, scenario::Outcome& outcome) {
  for (const SeenFact& seen : story.facts) {
    const auto* expectation = std::get_if<history::Expectation>(&seen.fact);
    if (expectation == nullptr || expectation->held) continue;
    outcome.add(expectation->rule, expectation->text);
  }
}

}  // namespace

scenario::Outcome judge_process_run(const ClusterDirectory& directory, const ProcessStory& story,
                                    history::Sink* sink) {
  scenario::Outcome outcome;
  outcome.coverage = story.coverage;
  outcome.duration = story.duration;
  try {
    judge_recorded(read_recorded_cluster(directory), story, sink, outcome);
  } catch (const Failure& failure) {
    judge_seen(story, outcome);
    outcome.add("facts", "The recordings cannot be judged: " + failure.error.message);
  }
  if (const auto description = directory.description()) {
    check_journals(directory, outcome);
    check_logs(directory, *description, outcome);
  }
  return outcome;
}

void check_journals(const ClusterDirectory& directory, scenario::Outcome& outcome) {
  const auto journals = VolumeFiles::read_journals(directory.volume().string());
  if (!journals.ok()) {
    outcome.add("S11", "The journals cannot be read: " + journals.error().message);
    return;
  }
  for (const auto& [vm, records] : journals.value()) {
    ++outcome.evaluations["S11"];
    if (const auto wrong = check_journal(records)) {
      outcome.add("S11", "The journal of " + vm + " is not sound: " + *wrong);
    }
  }
}

void check_logs(const ClusterDirectory& directory, const ClusterDescription& description,
                scenario::Outcome& outcome) {
  outcome.evaluations["S23"] += description.nodes;
  for (const history::Complaint& found : complaints_in_logs(directory, description)) {
    outcome.add("S23", node_name(found.node) + ": " + found.text);
  }
}

}  // namespace failsim::cli
