// check: the invariants, over what was recorded of a run or of a cluster.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>

#include "tools/failsim/retelling.h"
#include "tools/failsim/verb.h"
#include "tools/report/history.h"
#include "tools/report/judge.h"
#include "tools/report/run_recorder.h"
#include "tools/report/verdict.h"
#include "tools/report/wording.h"

namespace failsim::cli {
namespace {

std::string seconds_text(Time time) {
  const std::string milliseconds = std::to_string(time / kMillisecond % 1000);
  return std::to_string(time / kSecond) + "." + std::string(3 - milliseconds.size(), '0') +
         milliseconds + " s";
}

// What was looked at: the history of a run, or what the processes of a cluster have recorded.
struct Looked {
  history::RunIdentity run;
  std::uint64_t facts = 0;
  std::optional<std::size_t> recorded;  // violations that the run itself had found
  bool is_torn = false;
  std::string known_until;  // a sentence, if not everything is known; then nothing is conclusive
  std::vector<invariants::Violation> violations;
  std::map<std::string, std::uint64_t> evaluations;
};

// The judge, and what the run itself had found.
class SecondLook : public history::Sink {
 public:
  void take(Time now, const history::Fact& fact) override {
    judge_.take(now, fact);
    if (std::holds_alternative<history::Violated>(fact)) ++recorded_;
  }
  const invariants::Findings& findings() const { return judge_.findings(); }
  std::size_t recorded() const { return recorded_; }

 private:
  history::Judge judge_;
  std::size_t recorded_ = 0;
};

Looked look_at_history(const fs::path& file) {
  std::ifstream in(file);
  if (!in) {
    fail(
        Code::kNotFound, "There is no history at '" + file.string() + "'.",
        "Give the directory of a run, for example runs/latest, its history.jsonl, or the directory "
        "of a cluster that was started with --record.");
  }
  SecondLook look;
  const Result<history::HistoryEnd> end = history::read_history(in, look);
  if (!end) fail(end.error());
  return {end.value().run,
          end.value().facts,
          look.recorded(),
          end.value().is_torn,
          "",
          look.findings().violations(),
          look.findings().evaluations()};
}

// Hands on what it gets, and counts.
class Counting : public history::Sink {
 public:
  explicit Counting(history::Sink* next) : next_(next) {}
  void take(Time now, const history::Fact& fact) override {
    ++facts_;
    if (next_ != nullptr) next_->take(now, fact);
  }
  std::uint64_t facts() const { return facts_; }

 private:
  history::Sink* const next_;
  std::uint64_t facts_ = 0;
};

history::RunIdentity identity_of(const ClusterDirectory& directory,
                                 const RecordedCluster& cluster) {
  return {cluster.description.name,
          "failsim check " + history::shell_word(directory.path().string()), "processes"};
}

Looked look_at_cluster(const ClusterDirectory& directory, const RecordedCluster& cluster,
                       history::Sink* sink) {
  Counting counting(sink);
  Retelling retelling(cluster, {}, &counting);
  retelling.tell_until(cluster.known_until);
  const invariants::Findings& findings = retelling.checker().findings();
  Looked looked{identity_of(directory, cluster), counting.facts(),      std::nullopt, false, "",
                findings.violations(),           findings.evaluations()};
  if (cluster.known_until_why.empty()) return looked;
  looked.known_until = "What happened is known up to " + seconds_text(retelling.now()) + ": " +
                       cluster.known_until_why;
  return looked;
}

void write_report(Context& context, const ClusterDirectory& directory,
                  const RecordedCluster& cluster, const Looked& looked, const std::string& runs) {
  history::RunRecorder::About about;
  about.run = looked.run;
  about.options = json::serialize(json::object{{"world", "processes"},
                                               {"cluster", cluster.description.name},
                                               {"directory", directory.path().string()},
                                               {"nodes", cluster.description.nodes}});
  auto created =
      history::RunRecorder::create(runs, std::chrono::system_clock::now(), std::move(about));
  if (!created) fail(created.error());
  const std::unique_ptr<history::RunRecorder> recorder = created.take();
  look_at_cluster(directory, cluster, recorder.get());
  const auto page = recorder->finish(looked.violations, looked.evaluations);
  if (!page) fail(page.error());
  context.output().message("The report is " + page.value().string() + ": open it in a browser.");
}

fs::path history_file(const fs::path& given) {
  return fs::is_directory(given) ? given / "history.jsonl" : given;
}

std::uint64_t times(const Looked& looked, std::string_view rule) {
  const auto found = looked.evaluations.find(std::string(rule));
  return found == looked.evaluations.end() ? 0 : found->second;
}

std::uint64_t broken(const Looked& looked, std::string_view rule) {
  const auto& violations = looked.violations;
  return static_cast<std::uint64_t>(
      std::count_if(violations.begin(), violations.end(),
                    [rule](const auto& violation) { return violation.label == rule; }));
}

json::array table_of_rules(const Looked& looked) {
  json::array rows;
  for (const history::Rule& rule : history::rules()) {
    json::object row;
    row["rule"] = rule.label;
    row["evaluated"] = times(looked, rule.label);
    row["violated"] = broken(looked, rule.label);
    row["says"] = rule.text;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string_view> never_evaluated(const Looked& looked) {
  std::vector<std::string_view> labels;
  for (const history::Rule& rule : history::rules()) {
    if (times(looked, rule.label) == 0) labels.push_back(rule.label);
  }
  return labels;
}

history::Verdict verdict(const Looked& looked) {
  const history::Verdict worst = history::verdict_of(looked.violations);
  if (worst != history::Verdict::kPass) return worst;
  return never_evaluated(looked).empty() && looked.known_until.empty()
             ? history::Verdict::kPass
             : history::Verdict::kInconclusive;
}

// "inconclusive: L5, S8 were never put to the test; ".
std::string verdict_text(const Looked& looked) {
  const history::Verdict found = verdict(looked);
  std::string text = std::string(name(found)) + ": ";
  if (found != history::Verdict::kInconclusive) return text;
  if (!looked.known_until.empty()) text += "not everything that happened is known; ";
  const std::vector<std::string_view> unseen = never_evaluated(looked);
  for (const std::string_view label : unseen) {
    text += (label == unseen.front() ? "" : ", ") + std::string(label);
  }
  if (unseen.empty()) return text;
  return text + (unseen.size() == 1 ? " was" : " were") + " never put to the test; ";
}

void tell_what_is_odd(Output& output, const Looked& looked) {
  if (looked.is_torn) {
    output.message("The last line of the history is torn: the run was ended while it wrote.");
  }
  if (!looked.known_until.empty()) output.message(looked.known_until);
  if (looked.recorded && *looked.recorded != looked.violations.size()) {
    output.message("The run itself had found " + counted(*looked.recorded, "violation") +
                   ": these rules are not the ones it was held to, or its history is not "
                   "complete.");
  }
}

void show(Context& context, const Looked& looked) {
  const json::array rules = table_of_rules(looked);
  json::array violations;
  for (const invariants::Violation& violation : looked.violations) {
    violations.push_back(json::object{
        {"rule", violation.label}, {"time_ns", violation.at}, {"text", violation.text}});
  }
  if (context.json()) {
    context.output().data(
        json::object{{"title", looked.run.title},
                     {"world", looked.run.world},
                     {"replay", looked.run.replay},
                     {"verdict", json::string(name(verdict(looked)))},
                     {"facts", looked.facts},
                     {"torn", looked.is_torn},
                     {"known_until", looked.known_until},
                     {"recorded_violations",
                      looked.recorded ? json::value(*looked.recorded) : json::value(nullptr)},
                     {"violations", std::move(violations)},
                     {"rules", rules}});
    return;
  }
  context.output().table_of(rules, {"rule", "evaluated", "violated", "says"});
  for (const invariants::Violation& violation : looked.violations) {
    context.output().line(violation.label + " at " + seconds_text(violation.at) + ": " +
                          violation.text);
  }
  tell_what_is_odd(context.output(), looked);
  context.output().line(
      verdict_text(looked) + looked.run.title + ", " + counted(looked.facts, "fact") + ", " +
      counted(looked.violations.size(), "violation") + "; replay: " + looked.run.replay);
}

int check(Context& context, const Arguments& arguments) {
  const fs::path given = arguments.text("RUN");
  const ClusterDirectory directory(given);
  Looked looked;
  if (fs::exists(directory.cluster_file())) {
    const RecordedCluster cluster = read_recorded_cluster(directory);
    looked = look_at_cluster(directory, cluster, nullptr);
    const std::string runs = arguments.text("--report");
    if (arguments.given("--report")) {
      write_report(context, directory, cluster, looked, runs.empty() ? "runs" : runs);
    }
  } else {
    looked = look_at_history(history_file(given));
    if (arguments.given("--report")) {
      fail_usage("--report is for the directory of a cluster: this run has its report already.",
                 "Open " + (given / "report.html").string() + ".");
    }
  }
  show(context, looked);
  return static_cast<int>(verdict(looked));
}

}  // namespace

std::vector<Verb> check_verbs() {
  return {{"check",
           "Hold a run, or a cluster that was recorded, to the invariants",
           {positional("RUN",
                       "The directory of a run, its history, or the directory of a cluster "
                       "started with --record"),
            optional_option("--report", "DIR",
                            "Of a cluster: write a report into DIR [runs], as --report=DIR")},
           "  failsim check runs/latest\n"
           "  failsim check runs/latest/history.jsonl --output json\n"
           "  failsim check c1 --report\n",
           check}};
}

}  // namespace failsim::cli
