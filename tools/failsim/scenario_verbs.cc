// scenario run, lint and list; record is in scenario_record.cc.
#include <iostream>
#include <utility>

#include "cluster/units.h"
#include "tools/failsim/cluster_network.h"
#include "tools/failsim/scenario_record.h"
#include "tools/failsim/scenario_runs.h"
#include "tools/failsim/verb.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/index.h"
#include "tools/scenario/outcome.h"

namespace failsim::cli {
namespace {

using scenario::Loaded;
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
    std::cerr << "  The cluster's logs and recordings are in " << text_in(result, "directory")
              << ".\n";
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

int run(Context& context, const Arguments& arguments) {
  const std::string world = arguments.text("--on");
  const bool on_processes = world == "processes";
  if (!on_processes && world != "virtual") {
    fail_usage("--on cannot be \"" + shortened(world) + "\".", "Give virtual or processes.");
  }
  if (on_processes && (arguments.flag("--rewrite") || arguments.flag("--verbose"))) {
    fail_usage("--rewrite and --verbose are of the virtual world.",
               "Leave them out, or leave out --on processes.");
  }
  if (arguments.flag("--netns")) {
    if (!on_processes) fail_usage("--netns is of processes.", "Give --on processes, too.");
    if (const auto error = ClusterNetwork::try_out()) fail(*error);
  }
  const std::vector<Scenario> scenarios = load_all(files_of(arguments));
  Results results(context.json());
  run_scenarios(scenarios, on_processes, arguments,
                [&results](json::object result) { results.add(std::move(result)); });
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
        option("--jobs", "COUNT", "How many run side by side", "1"),
        option("--timeout", "DURATION", "How long one may take, on the wall clock", "10m"),
        optional_option("--report", "DIR",
                        "Write a report into DIR [runs], as --report=DIR; what fails gets one in "
                        "any case"),
        flag("--netns", "On processes: as of `failsim up`"),
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
