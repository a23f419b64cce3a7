// scenario run, lint and list.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/units.h"
#include "tools/failsim/files.h"
#include "tools/failsim/verb.h"
#include "tools/report/run_recorder.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/virtual_run.h"

namespace failsim::cli {
namespace {

using scenario::Loaded;
using scenario::Outcome;
using scenario::Scenario;
using scenario::Verdict;

std::vector<std::string> files_of(const Arguments& arguments) {
  if (arguments.all("PATH").empty()) {
    fail_usage("Which scenarios is not said.", "Name a folder, like tests/scenarios.");
  }
  auto files = scenario::find_scenarios(arguments.all("PATH"));
  if (!files) throw Failure{files.error(), kExitUsage};
  return files.take();
}

// Every scenario, or no run at all: what is wrong with one of them is told before anything starts.
std::vector<Scenario> load_all(const std::vector<std::string>& files) {
  std::vector<Scenario> scenarios;
  std::vector<std::string> problems;
  for (const std::string& file : files) {
    Loaded loaded = scenario::load(file);
    problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
    if (loaded.scenario) scenarios.push_back(std::move(*loaded.scenario));
  }
  if (problems.empty()) return scenarios;
  for (std::size_t i = 0; i + 1 < problems.size(); ++i) std::cerr << problems[i] << '\n';
  throw Failure{{Code::kInvalidParameter, problems.back(), ""}, kExitUsage};
}

json::object counts(const std::map<std::string, std::uint64_t>& of) {
  json::object object;
  for (const auto& [name, count] : of) object[name] = count;
  return object;
}

json::object to_json(const Scenario& run, const Outcome& outcome) {
  json::array violations;
  for (const invariants::Violation& violation : outcome.violations) {
    violations.push_back(json::object{{"label", violation.label},
                                      {"at_ms", violation.at / kMillisecond},
                                      {"text", violation.text}});
  }
  return {{"name", run.name},
          {"verdict", json::string(scenario::name(outcome.verdict))},
          {"violations", std::move(violations)},
          {"virtual_ms", outcome.duration / kMillisecond},
          {"trace_hash", std::to_string(outcome.trace_hash)},
          {"coverage", counts(outcome.coverage)},
          {"evaluations", counts(outcome.evaluations)}};
}

Outcome run_one(const Scenario& run, const Arguments& arguments) {
  scenario::VirtualRunOptions options;
  if (arguments.flag("--verbose")) options.trace_lines = &std::cerr;
  Outcome outcome = scenario::run_virtual_twice(run, options);
  if (outcome.verdict != Verdict::kPass) return outcome;  // its events tell nothing more
  if (!arguments.flag("--rewrite")) {
    scenario::check_events(run.file, outcome);
  } else if (const auto written = scenario::rewrite_events(run.file, outcome); !written) {
    fail(written.error());
  }
  return outcome;
}

// Runs it again, recorded: recording changes nothing of a run.
void write_report(const Scenario& run, const Outcome& outcome, const std::string& runs) {
  history::RunRecorder::About about;
  about.run.title = run.name;
  about.run.replay = "failsim scenario run " + run.file;
  about.options = json::serialize(json::object{{"world", "virtual"},
                                               {"scenario", run.name},
                                               {"seed", run.seed},
                                               {"nodes", run.topology.nodes}});
  about.scenario = read_file(run.file).value_or("");
  auto created =
      history::RunRecorder::create(runs, std::chrono::system_clock::now(), std::move(about));
  if (!created) fail(created.error());
  const std::unique_ptr<history::RunRecorder> recorder = created.take();
  scenario::VirtualRunOptions options;
  options.sink = recorder.get();
  scenario::run_virtual(run, options);
  const auto page = recorder->finish(outcome.violations, outcome.evaluations);
  if (!page) fail(page.error());
  std::cerr << "The report of " << run.name << " is " << page.value().string()
            << ": open it in a browser.\n";
}

void print(const Scenario& run, const Outcome& outcome) {
  std::cout << scenario::name(outcome.verdict) << "  " << run.name << "  ("
            << show_duration_ms(static_cast<std::uint64_t>(outcome.duration / kMillisecond))
            << " of virtual time)\n";
  for (const invariants::Violation& violation : outcome.violations) {
    std::cerr << "  " << violation.label << ": " << violation.text << '\n';
  }
}

int run(Context& context, const Arguments& arguments) {
  const std::vector<Scenario> scenarios = load_all(files_of(arguments));
  Verdict worst = Verdict::kPass;
  json::array results;
  for (const Scenario& one : scenarios) {
    const Outcome outcome = run_one(one, arguments);
    worst = scenario::worse(worst, outcome.verdict);
    if (context.json()) {
      results.push_back(to_json(one, outcome));
    } else {
      print(one, outcome);
    }
    if (arguments.given("--report") || outcome.verdict != Verdict::kPass) {
      const std::string chosen = arguments.text("--report");
      write_report(one, outcome, chosen.empty() ? "runs" : chosen);
    }
  }
  if (context.json()) context.output().data(results);
  return static_cast<int>(worst);
}

int lint(Context& context, const Arguments& arguments) {
  const std::size_t count = load_all(files_of(arguments)).size();
  context.output().message(std::to_string(count) +
                           (count == 1 ? " scenario is" : " scenarios are") + " ready to run.");
  return 0;
}

int list(Context& context, const Arguments& arguments) {
  json::array rows;
  for (const Scenario& one : load_all(files_of(arguments))) {
    rows.push_back(json::object{{"name", one.name},
                                {"nodes", one.topology.nodes},
                                {"steps", one.steps.size()},
                                {"world", one.virtual_only ? "virtual" : "any"},
                                {"sentence", one.sentence},
                                {"file", one.file}});
  }
  if (context.json()) {
    context.output().data(rows);
  } else {
    context.output().table_of(rows, {"name", "nodes", "steps", "world", "sentence"});
  }
  return 0;
}

}  // namespace

std::vector<Verb> scenario_verbs() {
  const Argument paths =
      repeated_positional("PATH", "A scenario's folder, a tree of them, or a YAML file");
  return {
      {"scenario",
       "Scenarios: run, lint, list",
       {},
       "  failsim scenario run tests/scenarios/cancel-in-setup\n",
       nullptr},
      {"scenario run",
       "Run scenarios in virtual time, each twice, and judge them",
       {paths,
        optional_option("--report", "DIR",
                        "Write a report into DIR [runs], as --report=DIR; what fails gets one in "
                        "any case"),
        flag("--rewrite", "Renew the expected events of those that pass"),
        flag("--verbose", "Print every line of the trace on standard error")},
       "  failsim scenario run tests/scenarios/cancel-in-setup\n"
       "  failsim scenario run tests/scenarios/cancel-in-setup --report\n"
       "  failsim scenario run tests/scenarios --output json\n",
       run},
      {"scenario lint",
       "Say what is wrong with scenarios, without running them",
       {paths},
       "  failsim scenario lint tests/scenarios\n",
       lint},
      {"scenario list",
       "List scenarios",
       {paths},
       "  failsim scenario list tests/scenarios\n",
       list},
  };
}

}  // namespace failsim::cli
