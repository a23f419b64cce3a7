// scenario run, lint and list; record is in scenario_record.cc.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/units.h"
#include "tools/failsim/files.h"
#include "tools/failsim/process_run.h"
#include "tools/failsim/process_skip.h"
#include "tools/failsim/scenario_record.h"
#include "tools/failsim/side_by_side.h"
#include "tools/failsim/verb.h"
#include "tools/report/run_recorder.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/index.h"
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
          {"exit", static_cast<int>(outcome.verdict)},
          {"violations", std::move(violations)},
          {"coverage", counts(outcome.coverage)},
          {"evaluations", counts(outcome.evaluations)}};
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

json::object run_virtual(const Scenario& run, const Arguments& arguments) {
  scenario::VirtualRunOptions options;
  if (arguments.flag("--verbose")) options.trace_lines = &std::cerr;
  Outcome outcome = scenario::run_virtual_twice(run, options);
  if (outcome.verdict == Verdict::kPass) {  // otherwise its events tell nothing more
    if (!arguments.flag("--rewrite")) {
      scenario::check_events(run.file, outcome);
    } else if (const auto written = scenario::rewrite_events(run.file, outcome); !written) {
      fail(written.error());
    }
  }
  if (arguments.given("--report") || outcome.verdict != Verdict::kPass) {
    const std::string chosen = arguments.text("--report");
    write_report(run, outcome, chosen.empty() ? "runs" : chosen);
  }
  json::object result = to_json(run, outcome);
  result["virtual_ms"] = outcome.duration / kMillisecond;
  result["trace_hash"] = std::to_string(outcome.trace_hash);
  return result;
}

// /var/tmp is on a disk where /tmp may be memory, and nodes sync what they write.
fs::path temporary_directory() {
  const char* chosen = std::getenv("TMPDIR");
  std::string pattern =
      fs::path(chosen != nullptr ? chosen : "/var/tmp") / "failsim-scenario-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_errno("Creating a temporary directory failed", "Set TMPDIR to one that can be written.");
  }
  return pattern;
}

json::object run_in_directory(const Scenario& run) {
  const fs::path place = temporary_directory();
  const Outcome outcome = run_on_processes(run, ClusterDirectory(place / "cluster"));
  json::object result = to_json(run, outcome);
  result["real_ms"] = outcome.duration / kMillisecond;
  if (outcome.verdict == Verdict::kPass) {
    fs::remove_all(place);
  } else {
    result["directory"] = (place / "cluster").string();
  }
  return result;
}

void print(const json::object& result) {
  std::cout << text_in(result, "verdict") << "  " << text_in(result, "name");
  if (result.contains("skipped")) std::cout << ": " << text_in(result, "skipped");
  for (const auto& [key, what] :
       {std::pair("virtual_ms", "of virtual time"), std::pair("real_ms", "on processes")}) {
    if (!result.contains(key)) continue;
    std::cout << "  (" << show_duration_ms(number_in(result, key)) << " " << what << ")";
  }
  std::cout << std::endl;
  for (const json::value& violation : array_in(result, "violations")) {
    std::cerr << "  " << text_in(violation.as_object(), "label") << ": "
              << text_in(violation.as_object(), "text") << '\n';
  }
  if (result.contains("directory")) {
    std::cerr << "  The cluster's logs are in " << text_in(result, "directory") << ".\n";
  }
}

class Results {
 public:
  explicit Results(bool is_json) : is_json_(is_json) {}

  void add(json::object result) {
    worst_ = scenario::worse(worst_, static_cast<Verdict>(number_in(result, "exit")));
    result.erase("exit");
    if (!is_json_) print(result);
    results_.push_back(std::move(result));
  }
  const json::array& all() const { return results_; }
  int exit() const { return static_cast<int>(worst_); }

 private:
  const bool is_json_;
  json::array results_;
  Verdict worst_ = Verdict::kPass;
};

// Each in a process of its own, whose end is the end of its cluster.
void run_all_on_processes(const std::vector<Scenario>& scenarios, std::size_t jobs,
                          Results& results) {
  std::vector<const Scenario*> played;
  for (const Scenario& one : scenarios) {
    const std::optional<std::string> reason = reason_to_skip(one);
    if (!reason) played.push_back(&one);
    if (reason) results.add({{"name", one.name}, {"verdict", "skipped"}, {"skipped", *reason}});
  }
  side_by_side(
      played.size(), jobs, [&](std::size_t i) { return run_in_directory(*played[i]); },
      [&](std::size_t, const json::object& result) { results.add(result); });
}

int run(Context& context, const Arguments& arguments) {
  const std::string world = arguments.text("--on");
  const bool on_processes = world == "processes";
  if (!on_processes && world != "virtual") {
    fail_usage("--on cannot be \"" + shortened(world) + "\".", "Give virtual or processes.");
  }
  const bool is_virtual_only =
      arguments.flag("--rewrite") || arguments.flag("--verbose") || arguments.given("--report");
  if (on_processes && is_virtual_only) {
    fail_usage("--rewrite, --verbose and --report are of the virtual world.",
               "Leave them out, or leave out --on processes.");
  }
  const std::size_t jobs = arguments.count("--jobs", 1, 64);
  if (!on_processes && jobs != 1) {
    fail_usage("--jobs is for scenarios on processes.", "Leave it out.");
  }
  const std::vector<Scenario> scenarios = load_all(files_of(arguments));
  Results results(context.json());
  if (on_processes) {
    run_all_on_processes(scenarios, jobs, results);
  } else {
    for (const Scenario& one : scenarios) results.add(run_virtual(one, arguments));
  }
  if (context.json()) context.output().data(results.all());
  return results.exit();
}

int lint(Context& context, const Arguments& arguments) {
  const std::size_t count = load_all(files_of(arguments)).size();
  context.output().message(std::to_string(count) +
                           (count == 1 ? " scenario is" : " scenarios are") + " ready to run.");
  return 0;
}

int list(Context& context, const Arguments& arguments) {
  const std::vector<Scenario> scenarios = load_all(files_of(arguments));
  if (arguments.flag("--markdown")) {
    std::cout << scenario::index_page(scenarios);
    return 0;
  }
  json::array rows;
  for (const Scenario& one : scenarios) {
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
       "Scenarios: run, lint, list, record",
       {},
       "  failsim scenario run tests/scenarios/cancel-in-setup\n",
       nullptr},
      {"scenario run",
       "Run scenarios, in virtual time (each twice) or on processes, and judge them",
       {paths, option("--on", "WORLD", "virtual or processes", "virtual"),
        option("--jobs", "COUNT", "How many clusters of processes run side by side", "1"),
        optional_option("--report", "DIR",
                        "Write a report into DIR [runs], as --report=DIR; what fails in virtual "
                        "time gets one in any case"),
        flag("--rewrite", "Renew the expected events of those that pass"),
        flag("--verbose", "Print every line of the trace on standard error")},
       "  failsim scenario run tests/scenarios/cancel-in-setup\n"
       "  failsim scenario run tests/scenarios/cancel-in-setup --report\n"
       "  failsim scenario run tests/scenarios --output json\n"
       "  failsim scenario run tests/scenarios/owner-killed --on processes\n",
       run},
      {"scenario lint",
       "Say what is wrong with scenarios, without running them",
       {paths},
       "  failsim scenario lint tests/scenarios\n",
       lint},
      {"scenario list",
       "List scenarios",
       {paths, flag("--markdown", "As a page, by what is broken")},
       "  failsim scenario list tests/scenarios\n",
       list},
      scenario_record_verb(),
  };
}

}  // namespace failsim::cli
