// check: the invariants again, over what was recorded of a run.
#include <algorithm>
#include <fstream>
#include <string>

#include "tools/failsim/verb.h"
#include "tools/report/history.h"
#include "tools/report/judge.h"
#include "tools/scenario/outcome.h"

namespace failsim::cli {
namespace {

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

fs::path history_file(const fs::path& given) {
  return fs::is_directory(given) ? given / "history.jsonl" : given;
}

std::uint64_t times(const invariants::Findings& findings, std::string_view rule) {
  const auto found = findings.evaluations().find(std::string(rule));
  return found == findings.evaluations().end() ? 0 : found->second;
}

std::uint64_t broken(const invariants::Findings& findings, std::string_view rule) {
  const auto& violations = findings.violations();
  return static_cast<std::uint64_t>(
      std::count_if(violations.begin(), violations.end(),
                    [rule](const auto& violation) { return violation.label == rule; }));
}

json::array table_of_rules(const invariants::Findings& findings) {
  json::array rows;
  for (const history::Rule& rule : history::rules()) {
    json::object row;
    row["rule"] = rule.label;
    row["evaluated"] = times(findings, rule.label);
    row["violated"] = broken(findings, rule.label);
    row["says"] = rule.text;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string seconds_text(Time time) {
  const std::string milliseconds = std::to_string(time / kMillisecond % 1000);
  return std::to_string(time / kSecond) + "." + std::string(3 - milliseconds.size(), '0') +
         milliseconds + " s";
}

int verdict(const invariants::Findings& findings) {
  scenario::Verdict worst = scenario::Verdict::kPass;
  for (const invariants::Violation& violation : findings.violations()) {
    worst = scenario::worse(worst, scenario::verdict_of(violation.label));
  }
  if (worst != scenario::Verdict::kPass) return static_cast<int>(worst);
  const auto rules = history::rules();
  const bool all_evaluated = std::all_of(rules.begin(), rules.end(), [&](const auto& rule) {
    return times(findings, rule.label) > 0;
  });
  return static_cast<int>(all_evaluated ? scenario::Verdict::kPass
                                        : scenario::Verdict::kInconclusive);
}

void show(Context& context, const history::HistoryEnd& end, const SecondLook& look) {
  const invariants::Findings& findings = look.findings();
  const json::array rules = table_of_rules(findings);
  json::array violations;
  for (const invariants::Violation& violation : findings.violations()) {
    violations.push_back(json::object{
        {"rule", violation.label}, {"time_ns", violation.at}, {"text", violation.text}});
  }
  if (context.json()) {
    context.output().data(json::object{{"title", end.run.title},
                                       {"replay", end.run.replay},
                                       {"facts", end.facts},
                                       {"torn", end.is_torn},
                                       {"recorded_violations", look.recorded()},
                                       {"violations", std::move(violations)},
                                       {"rules", rules}});
    return;
  }
  context.output().table_of(rules, {"rule", "evaluated", "violated", "says"});
  for (const invariants::Violation& violation : findings.violations()) {
    context.output().line(violation.label + " at " + seconds_text(violation.at) + ": " +
                          violation.text);
  }
  context.output().line(end.run.title + ": " + std::to_string(end.facts) + " facts, " +
                        std::to_string(findings.violations().size()) +
                        " violations; replay: " + end.run.replay);
}

void tell_what_is_odd(Context& context, const history::HistoryEnd& end, const SecondLook& look) {
  Output& output = context.output();
  if (end.is_torn) {
    output.message("The last line of the history is torn: the run was ended while it wrote.");
  }
  if (look.recorded() != look.findings().violations().size()) {
    output.message("The run itself had found " + std::to_string(look.recorded()) +
                   " violations: these rules are not the ones it was held to, or its history is "
                   "not complete.");
  }
  std::string unseen;
  for (const history::Rule& rule : history::rules()) {
    if (times(look.findings(), rule.label) > 0) continue;
    unseen += (unseen.empty() ? "" : ", ") + std::string(rule.label);
  }
  if (!unseen.empty()) output.message("Never put to the test by this run: " + unseen + ".");
}

int check(Context& context, const Arguments& arguments) {
  const fs::path file = history_file(arguments.text("RUN"));
  std::ifstream in(file);
  if (!in) {
    fail(Code::kNotFound, "There is no history at '" + file.string() + "'.",
         "Give the directory of a run, for example runs/latest, or its history.jsonl.");
  }
  SecondLook look;
  const Result<history::HistoryEnd> end = history::read_history(in, look);
  if (!end) fail(end.error());
  show(context, end.value(), look);
  tell_what_is_odd(context, end.value(), look);
  return verdict(look.findings());
}

}  // namespace

std::vector<Verb> check_verbs() {
  return {{"check",
           "Hold a recorded run to the invariants again",
           {positional("RUN", "The directory of a run, or its history")},
           "  failsim check runs/latest\n  failsim check runs/latest/history.jsonl --output json\n",
           check}};
}

}  // namespace failsim::cli
