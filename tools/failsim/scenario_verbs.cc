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

struct AllLoaded {
  std::vector<Scenario> scenarios;
  std::vector<std::string> problems;
};

AllLoaded load_files(const std::vector<std::string>& files) {
  AllLoaded all;
  for (const std::string& file : files) {
    Loaded loaded = scenario::load(file);
    all.problems.insert(all.problems.end(), loaded.problems.begin(), loaded.problems.end());
    if (loaded.scenario) all.scenarios.push_back(std::move(*loaded.scenario));
  }
  return all;
}

// Every scenario, or no run at all: what is wrong with one of them is told before anything starts.
std::vector<Scenario> load_all(Context& context, const std::vector<std::string>& files) {
  AllLoaded all = load_files(files);
  if (all.problems.empty()) return std::move(all.scenarios);
  std::string last = all.problems.back();
  all.problems.pop_back();
  std::string before;
  for (const std::string& problem : all.problems) before += problem + "\n";
  if (context.json()) last = before + last;  // one error is one object
  for (const std::string& problem : all.problems) context.output().message(problem);
  throw Failure{{Code::kInvalidParameter, last, ""}, kExitUsage};
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
  if (result.contains("note")) std::cerr << "  " << text_in(result, "note") << '\n';
  if (result.contains("error")) {
    print_error(error_from_json(object_in(result, "error")), false);
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
    has_error_ = has_error_ || result.contains("error");
    if (!is_json_) print(result);
    results_.push_back(std::move(result));
  }
  const json::array& all() const { return results_; }
  // What a run has shown comes before what failsim could not do beside it.
  int exit() const {
    if (worst_ == Verdict::kPass && has_error_) return kExitInternal;
    return static_cast<int>(worst_);
  }

 private:
  const bool is_json_;
  json::array results_;
  Verdict worst_ = Verdict::kPass;
  bool has_error_ = false;
};

void refuse_contradictions(const Arguments& arguments) {
  const std::string world = arguments.text("--on");
  const bool on_processes = world == "processes";
  if (!on_processes && world != "virtual") {
    fail_usage("--on cannot be \"" + shortened(world) + "\".", "Give virtual or processes.");
  }
  for (const char* virtual_only : {"--rewrite", "--verbose", "--require-events"}) {
    if (!on_processes || !arguments.flag(virtual_only)) continue;
    fail_usage(std::string(virtual_only) + " is of the virtual world.",
               "Leave it out, or leave out --on processes.");
  }
  if (arguments.flag("--rewrite") && arguments.flag("--require-events")) {
    fail_usage("--rewrite writes the events that --require-events asks for.", "Give one of them.");
  }
  if (arguments.flag("--netns") && !on_processes) {
    fail_usage("--netns is of processes.", "Give --on processes, too.");
  }
}

// Of a lone file nothing can be pinned.
void refuse_lone_files(const Arguments& arguments, const std::vector<std::string>& files) {
  for (const char* option : {"--rewrite", "--require-events"}) {
    if (!arguments.flag(option)) continue;
    for (const std::string& file : files) {
      if (scenario::pins_events(file)) continue;
      fail_usage(std::string(option) + " is of a scenario.yaml in a folder of its own, not of " +
                     file + ".",
                 "Leave it out, or give the file a folder.");
    }
  }
}

int run(Context& context, const Arguments& arguments) {
  refuse_contradictions(arguments);
  if (arguments.flag("--netns")) {
    if (const auto error = ClusterNetwork::try_out()) fail(*error);
  }
  const std::vector<std::string> files = files_of(arguments);
  refuse_lone_files(arguments, files);
  const std::vector<Scenario> scenarios = load_all(context, files);
  Results results(context.json());
  run_scenarios(scenarios, arguments.text("--on") == "processes", arguments,
                [&results](json::object result) { results.add(std::move(result)); });
  if (context.json()) context.output().data(results.all());
  return results.exit();
}

// What is wrong with them is the answer here, and no error.
int lint_as_json(Context& context, const std::vector<std::string>& files) {
  const AllLoaded all = load_files(files);
  json::array problems;
  for (const std::string& problem : all.problems) problems.push_back(json::string(problem));
  context.output().data(json::object{{"scenarios", files.size()},
                                     {"ready", all.scenarios.size()},
                                     {"problems", std::move(problems)}});
  return all.problems.empty() ? 0 : kExitUsage;
}

int lint(Context& context, const Arguments& arguments) {
  const std::vector<std::string> files = files_of(arguments);
  if (context.json()) return lint_as_json(context, files);
  const std::size_t count = load_all(context, files).size();
  context.output().message(counted(count, "scenario") + (count == 1 ? " is" : " are") +
                           " ready to run.");
  return 0;
}

int list(Context& context, const Arguments& arguments) {
  if (arguments.flag("--markdown") && context.json()) {
    fail_usage("--markdown and --output json are two forms of one list.", "Give one of them.");
  }
  const std::vector<Scenario> scenarios = load_all(context, files_of(arguments));
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
        flag("--require-events", "Fail where there are no expected events to compare with"),
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
