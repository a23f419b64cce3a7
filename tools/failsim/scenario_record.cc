#include "tools/failsim/scenario_record.h"

#include <chrono>
#include <iostream>
#include <optional>
#include <utility>

#include "storage/recording.h"
#include "tools/explore/archive.h"
#include "tools/failsim/birth.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/files.h"
#include "tools/failsim/spawn.h"
#include "tools/report/wording.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/new_folder.h"
#include "tools/scenario/session.h"

namespace failsim::cli {
namespace {

using scenario::RecordedSession;
using scenario::Scenario;

// What the store of a node holds, also while its process runs; the program of the nodes reads it.
Recording content_of(const ClusterDirectory& directory, std::uint32_t node) {
  const fs::path file = directory.path() / ("dump-" + random_hex(4) + ".fsrec");
  run_to_end({node_executable().string(), "dump", "--dir", directory.node(node).string(), "--to",
              file.string()},
             "Reading the store of node-" + std::to_string(node), "Try again.");
  auto content = Recording::read(file.string());
  remove_file(file);
  if (!content) fail(content.error());
  return content.take();
}

// The log of the node that has got furthest, as far as it is agreed. The cluster may be down.
scenario::Session session_of(const ClusterDirectory& directory,
                             const ClusterDescription& description) {
  std::optional<Recording> furthest;
  std::optional<Failure> problem;
  for (std::uint32_t node = 1; node <= description.nodes; ++node) {
    try {
      Recording content = content_of(directory, node);
      const bool is_further =
          !furthest || content.recovered().applied > furthest->recovered().applied;
      if (is_further) furthest = std::move(content);
    } catch (const Failure& failure) {  // another node may still have it
      problem = failure;
    }
  }
  if (!furthest) throw Failure(*problem);
  scenario::Session session;
  session.bootstrap = furthest->config().bootstrap;
  const Recovered& recovered = furthest->recovered();
  for (const EntryPtr& entry : recovered.entries) {
    if (entry->index() <= recovered.applied) session.entries.push_back(entry);
  }
  return session;
}

std::int64_t begin_of(const Arguments& arguments) {
  if (!arguments.given("--since")) return 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() -
         arguments.duration("--since");
}

std::string readme_of(const Scenario& scenario, const ClusterDescription& description,
                      const std::vector<std::string>& remarks) {
  std::string text = "A session with the cluster " + description.name +
                     ", recorded: " + std::to_string(scenario.steps.size()) + " steps.\n";
  if (!remarks.empty()) text += "\nNot recorded:\n\n";
  for (const std::string& remark : remarks) text += "* " + remark + "\n";
  return text;
}

int record(Context& context, const Arguments& arguments) {
  const std::string folder = arguments.text("DIR");
  if (const auto refused = scenario::refuse_folder(folder)) fail(*refused);
  const ClusterDescription description = context.description();
  auto recorded =
      scenario::record_session(session_of(context.directory(), description), begin_of(arguments));
  if (!recorded) fail(recorded.error());
  const RecordedSession session = recorded.take();
  const auto tried = explore::write_tried(
      folder, session.scenario, readme_of(session.scenario, description, session.remarks));
  if (!tried) fail(tried.error());
  const scenario::Outcome& outcome = tried.value();
  for (const std::string& remark : session.remarks) std::cerr << "failsim: " << remark << '\n';
  for (const auto& violation : outcome.violations) {
    std::cerr << "failsim: in virtual time: " << violation.label << ": " << violation.text << '\n';
  }
  const std::string file = (fs::path(folder) / scenario::kScenarioFile).string();
  const std::string verdict(scenario::name(outcome.verdict));
  if (context.json()) {
    json::array remarks;
    for (const std::string& remark : session.remarks) remarks.push_back(json::string(remark));
    context.output().data(json::object{{"scenario", file},
                                       {"steps", session.scenario.steps.size()},
                                       {"in_virtual_time", json::string(verdict)},
                                       {"remarks", std::move(remarks)}});
  } else {
    context.output().message("Recorded " + std::to_string(session.scenario.steps.size()) +
                             " steps into " + file + "; in virtual time: " + verdict +
                             ". Run it with: failsim scenario run " + history::shell_word(folder));
  }
  return static_cast<int>(outcome.verdict);
}

}  // namespace

Verb scenario_record_verb() {
  return {"scenario record",
          "Make a scenario of what was done to a cluster, and try it in virtual time",
          {positional("DIR", "The scenario's folder, which is created"),
           option("--since", "DURATION", "Only what was done since so long ago, for example 10m")},
          "  failsim scenario record my-scenario\n"
          "  failsim scenario record my-scenario --since 10m\n"
          "  failsim scenario run my-scenario --on processes\n",
          record};
}

}  // namespace failsim::cli
