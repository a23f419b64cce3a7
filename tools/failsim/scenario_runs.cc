#include "tools/failsim/scenario_runs.h"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/units.h"
#include "tools/failsim/files.h"
#include "tools/failsim/process_judge.h"
#include "tools/failsim/process_skip.h"
#include "tools/failsim/side_by_side.h"
#include "tools/report/run_recorder.h"
#include "tools/report/wording.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/virtual_run.h"

namespace failsim::cli {
namespace {

using scenario::Outcome;
using scenario::Scenario;
using scenario::Verdict;
using std::chrono::milliseconds;

// On processes a run ends itself, in order; this is for one that cannot.
constexpr milliseconds kLastResort{120'000};

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

// `tell` tells the facts of the run once more: recording changes nothing of it. Nothing if the
// report is written.
std::optional<Error> write_report(const Scenario& run, const Outcome& outcome, const char* world,
                                  const char* replay_options, const std::string& runs,
                                  const std::function<void(history::Sink&)>& tell) {
  history::RunRecorder::About about;
  about.run.title = run.name;
  about.run.world = world;
  about.run.replay = "failsim scenario run " + history::shell_word(run.file);
  about.run.replay += replay_options;
  about.options = json::serialize(json::object{
      {"world", world}, {"scenario", run.name}, {"seed", run.seed}, {"nodes", run.topology.nodes}});
  about.scenario = read_file(run.file).value_or("");
  auto created =
      history::RunRecorder::create(runs, std::chrono::system_clock::now(), std::move(about));
  if (!created) return created.error();
  const std::unique_ptr<history::RunRecorder> recorder = created.take();
  tell(*recorder);
  const auto page = recorder->finish(outcome.violations, outcome.evaluations);
  if (!page) return page.error();
  std::cerr << "The report of " << run.name << " is " << page.value().string()
            << ": open it in a browser.\n";
  return std::nullopt;
}

// What failsim itself could not do is told beside the result, and hides nothing of it.
void add_error(json::object& result, const std::optional<Error>& error) {
  if (error) result["error"] = cli::to_json(*error);
}

// Where a report is wanted: asked for, or because the run has failed. Empty: nowhere.
std::string report_place(const Arguments& arguments, const Outcome& outcome) {
  if (!arguments.given("--report") && outcome.verdict == Verdict::kPass) return "";
  const std::string chosen = arguments.text("--report");
  return chosen.empty() ? "runs" : chosen;
}

// Renews the expected events, or compares with them. Returns a note where there are none.
std::optional<std::string> look_at_events(const Scenario& run, const Arguments& arguments,
                                          Outcome& outcome, std::optional<Error>& error) {
  if (arguments.flag("--rewrite")) {
    const auto written = scenario::rewrite_events(run.file, outcome);
    if (!written) error = written.error();
    return std::nullopt;
  }
  const std::optional<std::string> note = scenario::check_events(run.file, outcome);
  if (!note || !arguments.flag("--require-events")) return note;
  outcome.add("events", *note);
  return std::nullopt;
}

json::object run_virtual(const Scenario& run, const Arguments& arguments) {
  scenario::VirtualRunOptions options;
  if (arguments.flag("--verbose")) options.trace_lines = &std::cerr;
  Outcome outcome = scenario::run_virtual_twice(run, options);
  std::optional<std::string> note;
  std::optional<Error> error;
  // The events of what fails tell nothing more.
  if (outcome.verdict == Verdict::kPass) note = look_at_events(run, arguments, outcome, error);
  if (const std::string runs = report_place(arguments, outcome); !runs.empty()) {
    const auto failed = write_report(run, outcome, "virtual", "", runs, [&run](auto& sink) {
      scenario::VirtualRunOptions recorded;
      recorded.sink = &sink;
      scenario::run_virtual(run, recorded);
    });
    if (failed) error = failed;
  }
  json::object result = to_json(run, outcome);
  result["virtual_ms"] = outcome.duration / kMillisecond;
  result["trace_hash"] = std::to_string(outcome.trace_hash);
  if (note) result["note"] = *note;
  add_error(result, error);
  return result;
}

milliseconds timeout_of(const Arguments& arguments) {
  return milliseconds(arguments.duration("--timeout") / kMillisecond);
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

json::object run_in_directory(const Scenario& run, const Arguments& arguments) {
  const fs::path place = temporary_directory();
  const ClusterDirectory directory(place / "cluster");
  const ProcessStory story =
      run_on_processes(run, directory, timeout_of(arguments), arguments.flag("--netns"));
  const Outcome outcome = judge_process_run(directory, story, nullptr);
  json::object result = to_json(run, outcome);
  if (const std::string runs = report_place(arguments, outcome); !runs.empty()) {
    const bool netns = arguments.flag("--netns");
    add_error(result,
              write_report(
                  run, outcome, "processes", netns ? " --on processes --netns" : " --on processes",
                  runs, [&](history::Sink& sink) { judge_process_run(directory, story, &sink); }));
  }
  result["real_ms"] = outcome.duration / kMillisecond;
  if (outcome.verdict == Verdict::kPass) {
    fs::remove_all(place);
  } else {
    result["directory"] = directory.path().string();
  }
  return result;
}

// A run that gave no result: ended by the clock, or by itself.
json::object lost(const Scenario& run, const ChildEnd& end, milliseconds timeout) {
  Outcome outcome;
  if (end.timed_out) {
    outcome.add("timeout", run.name + " had not ended after " +
                               show_duration_ms(static_cast<std::uint64_t>(timeout.count())) + ".");
  } else {
    outcome.add("crash", "The process of the run " + end.how + ".");
  }
  return to_json(run, outcome);
}

}  // namespace

void run_scenarios(const std::vector<Scenario>& scenarios, bool on_processes,
                   const Arguments& arguments, const std::function<void(json::object)>& add) {
  std::vector<const Scenario*> played;
  for (const Scenario& one : scenarios) {
    const auto reason = on_processes ? reason_to_skip(one) : std::nullopt;
    if (!reason) played.push_back(&one);
    if (reason) add({{"name", one.name}, {"verdict", "skipped"}, {"skipped", *reason}});
  }
  std::optional<Failure> failure;
  milliseconds timeout = timeout_of(arguments);
  if (on_processes) timeout += kLastResort;
  side_by_side(
      played.size(), arguments.count("--jobs", 1, 64), timeout,
      [&](std::size_t i) {
        return on_processes ? run_in_directory(*played[i], arguments)
                            : run_virtual(*played[i], arguments);
      },
      [&](std::size_t i, const ChildEnd& end) {
        if (end.failure) {
          failure = end.failure;
        } else if (end.result) {
          add(*end.result);
        } else if (end.timed_out || !on_processes) {
          add(lost(*played[i], end, timeout));
        } else {  // no member runs there: it is the runner that failed
          failure = unexpected("the process that ran " + played[i]->name + " " + end.how);
        }
      });
  if (failure) throw *failure;
}

}  // namespace failsim::cli
