#include "tools/explore/explore.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <utility>

#include "tools/explore/archive.h"
#include "tools/explore/assertion.h"
#include "tools/explore/draw.h"
#include "tools/scenario/virtual_run.h"

namespace failsim::explore {
namespace {

constexpr int kUsage = 64;
constexpr int kInternal = 70;

void tell(const Error& error, std::ostream& err) {
  err << error.message << (error.next.empty() ? "" : " " + error.next) << '\n';
}

std::string hexadecimal(std::uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string replay_line(std::uint64_t seed, const std::string& plant) {
  return "failsim explore --seed " + std::to_string(seed) +
         (plant.empty() ? "" : " --plant " + plant);
}

scenario::Scenario draw_planted(std::uint64_t seed, const std::string& plant) {
  scenario::Scenario drawn = draw(seed);
  drawn.plant = plant;
  return drawn;
}

scenario::Outcome run_drawn(const scenario::Scenario& scenario, std::ostream* trace) {
  scenario::VirtualRunOptions options;
  options.trace_lines = trace;
  // A drawn fault may find its node dead, or nobody who leads.
  options.skips_refused_faults = true;
  options.stops_at_violation = true;
  return scenario::run_virtual(scenario, options);
}

std::string violation_line(const invariants::Violation& violation) {
  char at[32];
  const auto milliseconds = violation.at / kMillisecond;
  std::snprintf(at, sizeof at, "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return violation.label + " at " + at + " s: " + violation.text;
}

// The stream is shared by the threads of the campaign.
class Archivist {
 public:
  Archivist(std::string folder, std::ostream& err) : folder_(std::move(folder)), err_(err) {}

  std::string save(const Minimised& smallest, const Failure& failure) {
    const Result<std::string> saved = save_failure(folder_, smallest, failure);
    if (saved) return saved.value();
    const std::lock_guard lock(mutex_);
    tell(saved.error(), err_);
    has_failed_ = true;
    return "";
  }
  bool has_failed() const { return has_failed_; }

 private:
  const std::string folder_;
  std::ostream& err_;
  std::mutex mutex_;
  bool has_failed_ = false;
};

// ---- One seed -----------------------------------------------------------------------------------

// Made smaller as a campaign would; with a child for each run, for a smaller scenario may fail an
// assertion of the core instead.
void keep_smallest(const ExploreOptions& options, const Worlds& worlds,
                   const scenario::Scenario& failing, const invariants::Violation& violation,
                   std::ostream& err) {
  Failure failure;
  failure.seed = options.seed;
  failure.name = failing.name;
  failure.label = violation.label;
  failure.text = violation.text;
  failure.replay = worlds.replay(*options.seed);
  const Run run = [&](const scenario::Scenario& scenario) {
    return run_in_child(scenario, worlds);
  };
  const Wall::time_point end = Wall::now() + options.campaign.minimise_budget;
  MinimiseLimits limits;
  limits.runs = options.campaign.minimise_runs;
  limits.is_over = [end] { return Wall::now() >= end; };
  const Minimised smallest = minimise(failing, failure.label, run, limits);
  const Result<std::string> saved = save_failure(options.keep, smallest, failure);
  if (!saved) return tell(saved.error(), err);
  err << "  smallest scenario: "
      << smallest.scenario.steps.size() + smallest.scenario.reactions.size()
      << " steps and reactions, after " << smallest.runs << " runs: " << saved.value() << '\n';
}

int explore_one(const ExploreOptions& options, const Worlds& worlds, std::ostream& out,
                std::ostream& err) {
  const scenario::Scenario drawn = worlds.draw(*options.seed);
  if (!options.write.empty()) {
    const Result<std::string> written =
        write_scenario(options.write, drawn,
                       drawn.sentence + "\n\nDrawn by `" + worlds.replay(*options.seed) + "`.\n");
    if (!written) {
      tell(written.error(), err);
      return kInternal;
    }
  }
  if (!options.verbose) {
    // An assertion of the core that fails ends the process: not this one.
    const scenario::Outcome tried = run_in_child(drawn, worlds);
    if (const invariants::Violation* assertion = find_violation(tried, kAssertion)) {
      err << violation_line(*assertion) << '\n';
      if (!options.keep.empty()) keep_smallest(options, worlds, drawn, *assertion, err);
      return static_cast<int>(scenario::Verdict::kSafety);
    }
  }
  const scenario::Outcome outcome = worlds.run(drawn, options.verbose ? &err : nullptr);
  const bool differs = worlds.run(drawn, nullptr).trace_hash != outcome.trace_hash;
  for (const invariants::Violation& violation : outcome.violations) {
    err << violation_line(violation) << '\n';
  }
  if (differs) show_divergence(drawn, worlds, err);
  out << drawn.name << ": " << drawn.topology.nodes << " nodes, " << drawn.steps.size()
      << " steps, " << drawn.reactions.size() << " reactions, " << outcome.duration / kSecond
      << " virtual seconds, trace " << hexadecimal(outcome.trace_hash) << '\n';
  const invariants::Violation* violation = judged(outcome);
  if (violation != nullptr && !options.keep.empty()) {
    keep_smallest(options, worlds, drawn, *violation, err);
  }
  scenario::Verdict verdict =
      violation == nullptr ? scenario::Verdict::kPass : scenario::verdict_of(violation->label);
  if (differs) verdict = scenario::worse(verdict, scenario::Verdict::kNotDeterministic);
  return static_cast<int>(verdict);
}

// ---- Many seeds ---------------------------------------------------------------------------------

int explore_many(const ExploreOptions& options, Worlds worlds, std::ostream& out,
                 std::ostream& err) {
  std::vector<scenario::Scenario> corpus;
  const bool is_first_part = options.campaign.shard == 1;
  if (!options.corpus.empty() && is_first_part) {
    Result<Corpus> loaded = load_corpus(options.corpus);
    if (!loaded) {
      tell(loaded.error(), err);
      return kUsage;
    }
    corpus = loaded.value().scenarios;
    for (const std::uint64_t seed : loaded.value().seeds) corpus.push_back(worlds.draw(seed));
  }
  Archivist archivist(options.keep, err);
  if (!options.keep.empty()) {
    worlds.save = [&archivist](const Minimised& smallest, const Failure& failure) {
      return archivist.save(smallest, failure);
    };
  }
  const Report report = run_campaign(options.campaign, corpus, worlds, err);
  for (const Failure& failure : report.failures) {
    if (failure.verdict == scenario::Verdict::kNotDeterministic && failure.seed) {
      show_divergence(worlds.draw(*failure.seed), worlds, err);
    }
  }
  if (options.json) out << to_json(report) << '\n';
  print(report, options.requires_coverage, options.json ? err : out, err);
  return archivist.has_failed() ? kInternal : exit_status(report, options.requires_coverage);
}

}  // namespace

int explore_main(const ExploreOptions& options, std::ostream& out, std::ostream& err) {
  Worlds worlds;
  worlds.draw = [&](std::uint64_t seed) { return draw_planted(seed, options.plant); };
  worlds.run = run_drawn;
  worlds.replay = [&](std::uint64_t seed) { return replay_line(seed, options.plant); };
  if (options.seed) return explore_one(options, worlds, out, err);
  return explore_many(options, std::move(worlds), out, err);
}

int merge_main(const std::vector<std::string>& files, bool requires_coverage, bool json,
               std::ostream& out, std::ostream& err) {
  std::optional<Report> merged;
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) {
      err << "The file " << file << " cannot be read. Check the path.\n";
      return kUsage;
    }
    const Result<Report> report = report_from_json(text.str(), file);
    if (!report) {
      tell(report.error(), err);
      return kUsage;
    }
    if (merged) {
      merge(*merged, report.value());
    } else {
      merged = report.value();
    }
  }
  if (!merged) {
    err << "Nothing to merge: give the files that the shards have printed.\n";
    return kUsage;
  }
  if (json) out << to_json(*merged) << '\n';
  print(*merged, requires_coverage, json ? err : out, err);
  return exit_status(*merged, requires_coverage);
}

}  // namespace failsim::explore
