#include "tools/explore/one_seed.h"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "tools/explore/archive.h"
#include "tools/explore/assertion.h"
#include "tools/explore/hits.h"
#include "tools/report/wording.h"
#include "tools/scenario/new_folder.h"

namespace failsim::explore {
namespace {

namespace json = boost::json;
using history::counted;
using history::hexadecimal;
using scenario::Outcome;
using scenario::Scenario;
using scenario::Verdict;

std::string violation_line(const invariants::Violation& violation) {
  char at[32];
  const auto milliseconds = violation.at / kMillisecond;
  std::snprintf(at, sizeof at, "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return violation.label + " at " + at + " s: " + violation.text;
}

class OneSeed {
 public:
  OneSeed(const ExploreOptions& options, const Worlds& worlds, const Tell& tell, std::ostream& out,
          std::ostream& err)
      : options_(options),
        worlds_(worlds),
        tell_(tell),
        out_(out),
        err_(err),
        drawn_(worlds.draw(*options.seed)) {}

  int run();

 private:
  bool write();
  void keep_smallest(const invariants::Violation& violation);
  void replay();
  void show_as_text() const;
  void show_as_json() const;

  const ExploreOptions& options_;
  const Worlds& worlds_;
  const Tell& tell_;
  std::ostream& out_;
  std::ostream& err_;
  const Scenario drawn_;
  bool fails_an_assertion_ = false;
  Outcome outcome_;
  bool differs_ = false;
  Verdict verdict_ = Verdict::kPass;
  bool is_written_ = false;
  std::optional<Verdict> written_;  // what the scenario as written comes to
  std::string saved_;               // the folder of the smallest scenario
};

// ---- Writing ------------------------------------------------------------------------------------

// What is written runs by itself. A scenario that fails an assertion is written as it was drawn:
// what hits in it is not known.
bool OneSeed::write() {
  const Scenario runnable = fails_an_assertion_ ? drawn_ : without_refused_faults(drawn_);
  const Result<Outcome> tried =
      write_tried(options_.write, runnable,
                  drawn_.sentence + "\n\nDrawn by `" + worlds_.replay(*options_.seed) + "`.\n");
  if (tried) {
    written_ = tried.value().verdict;
  } else {
    tell_(tried.error());
  }
  return tried.ok();
}

// ---- Running ------------------------------------------------------------------------------------

// Made smaller as a campaign would; with a child for each run, for a smaller scenario may fail an
// assertion of the core instead.
void OneSeed::keep_smallest(const invariants::Violation& violation) {
  if (options_.keep.empty()) return;
  Failure failure;
  failure.seed = options_.seed;
  failure.name = drawn_.name;
  failure.label = violation.label;
  failure.text = violation.text;
  failure.replay = worlds_.replay(*options_.seed);
  const Run run = [this](const Scenario& scenario) { return run_in_child(scenario, worlds_); };
  const Wall::time_point end = Wall::now() + options_.campaign.minimise_budget;
  MinimiseLimits limits;
  limits.runs = options_.campaign.minimise_runs;
  limits.is_over = [end] { return Wall::now() >= end; };
  const Minimised smallest = minimise(drawn_, failure.label, run, limits);
  const Result<std::string> saved = save_failure(options_.keep, smallest, failure);
  if (!saved) return tell_(saved.error());
  saved_ = saved.value();
  if (options_.json) return;
  failure.steps = smallest.scenario.steps.size() + smallest.scenario.reactions.size();
  failure.minimising = smallest.runs;
  failure.saved = saved_;
  print_smallest(failure, err_);
}

void OneSeed::replay() {
  outcome_ = worlds_.run(drawn_, options_.verbose ? &err_ : nullptr);
  differs_ = worlds_.run(drawn_, nullptr).trace_hash != outcome_.trace_hash;
  const invariants::Violation* violation = judged(outcome_);
  if (violation != nullptr) verdict_ = scenario::verdict_of(violation->label);
  if (differs_) verdict_ = scenario::worse(verdict_, Verdict::kNotDeterministic);
}

int OneSeed::run() {
  const bool writes = !options_.write.empty();
  if (const auto refused = writes ? scenario::refuse_folder(options_.write) : std::nullopt) {
    tell_(*refused);
    return kUsage;
  }
  // An assertion of the core that fails ends the process: not this one, unless its trace is wanted.
  const Outcome tried = run_in_child(drawn_, worlds_);
  const invariants::Violation* assertion = find_violation(tried, kAssertion);
  fails_an_assertion_ = assertion != nullptr;
  is_written_ = writes && write();
  if (fails_an_assertion_ && !options_.verbose) {
    outcome_.violations = {*assertion};
    verdict_ = Verdict::kSafety;
  } else {
    replay();
  }
  if (!options_.json) show_as_text();
  if (const invariants::Violation* violation = judged(outcome_)) keep_smallest(*violation);
  if (options_.json) show_as_json();
  if (verdict_ == Verdict::kPass && writes && !is_written_) return kInternal;
  return static_cast<int>(verdict_);
}

// ---- Telling ------------------------------------------------------------------------------------

void OneSeed::show_as_text() const {
  for (const invariants::Violation& violation : outcome_.violations) {
    err_ << violation_line(violation) << '\n';
  }
  if (!fails_an_assertion_ || options_.verbose) {
    out_ << drawn_.name << ": " << counted(drawn_.topology.nodes, "node") << ", "
         << counted(drawn_.steps.size(), "step") << ", "
         << counted(drawn_.reactions.size(), "reaction") << ", "
         << counted(static_cast<std::uint64_t>(outcome_.duration / kSecond), "virtual second")
         << ", trace " << hexadecimal(outcome_.trace_hash) << '\n';
  }
  if (differs_) show_divergence(drawn_, worlds_, err_);
  if (!is_written_) return;
  err_ << "The scenario can be run with: failsim scenario run "
       << history::shell_word(options_.write) << '\n';
  if (!written_ || *written_ == verdict_) return;
  err_ << "As written, without the faults that hit nothing, it comes to " << name(*written_)
       << ", and the seed to " << name(verdict_) << ": " << worlds_.replay(*options_.seed) << '\n';
}

void OneSeed::show_as_json() const {
  json::array violations;
  for (const invariants::Violation& violation : outcome_.violations) {
    violations.push_back(json::object{{"label", violation.label},
                                      {"at_ms", violation.at / kMillisecond},
                                      {"text", violation.text}});
  }
  json::object object{{"seed", *options_.seed},
                      {"name", drawn_.name},
                      {"verdict", static_cast<int>(verdict_)},
                      {"violations", std::move(violations)},
                      {"nodes", drawn_.topology.nodes},
                      {"steps", drawn_.steps.size()},
                      {"reactions", drawn_.reactions.size()},
                      {"virtual_ns", outcome_.duration},
                      {"trace_hash", hexadecimal(outcome_.trace_hash)},
                      {"replay", worlds_.replay(*options_.seed)}};
  if (is_written_) object["written"] = options_.write;
  if (written_) object["written_verdict"] = static_cast<int>(*written_);
  if (!saved_.empty()) object["saved"] = saved_;
  out_ << json::serialize(object) << '\n';
}

}  // namespace

int explore_one(const ExploreOptions& options, const Worlds& worlds, const Tell& tell,
                std::ostream& out, std::ostream& err) {
  return OneSeed(options, worlds, tell, out, err).run();
}

}  // namespace failsim::explore
