#include "tools/explore/explore.h"

#include <fstream>
#include <mutex>
#include <sstream>
#include <utility>

#include "tools/explore/archive.h"
#include "tools/explore/draw.h"
#include "tools/explore/one_seed.h"
#include "tools/scenario/virtual_run.h"

namespace failsim::explore {
namespace {

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

// Told by several threads of a campaign.
class Archivist {
 public:
  Archivist(std::string folder, const Tell& tell) : folder_(std::move(folder)), tell_(tell) {}

  std::string save(const Minimised& smallest, const Failure& failure) {
    const Result<std::string> saved = save_failure(folder_, smallest, failure);
    if (saved) return saved.value();
    const std::lock_guard lock(mutex_);
    tell_(saved.error());
    has_failed_ = true;
    return "";
  }
  bool has_failed() const { return has_failed_; }

 private:
  const std::string folder_;
  const Tell& tell_;
  std::mutex mutex_;
  bool has_failed_ = false;
};

// ---- Many seeds ---------------------------------------------------------------------------------

int explore_many(const ExploreOptions& options, Worlds worlds, const Tell& tell, std::ostream& out,
                 std::ostream& err) {
  std::vector<scenario::Scenario> corpus;
  const bool is_first_part = options.campaign.shard == 1;
  if (!options.corpus.empty() && is_first_part) {
    Result<Corpus> loaded = load_corpus(options.corpus);
    if (!loaded) {
      tell(loaded.error());
      return kUsage;
    }
    corpus = loaded.value().scenarios;
    for (const std::uint64_t seed : loaded.value().seeds) corpus.push_back(worlds.draw(seed));
  }
  Archivist archivist(options.keep, tell);
  if (!options.keep.empty()) {
    worlds.save = [&archivist](const Minimised& smallest, const Failure& failure) {
      return archivist.save(smallest, failure);
    };
  }
  Report report = run_campaign(options.campaign, corpus, worlds, err);
  report.campaign.plant = options.plant;
  for (const Failure& failure : report.failures) {
    if (failure.verdict == scenario::Verdict::kNotDeterministic && failure.seed) {
      show_divergence(worlds.draw(*failure.seed), worlds, err);
    }
  }
  if (options.json) out << to_json(report) << '\n';
  print(report, options.requires_coverage, options.json ? err : out, err);
  const int status = exit_status(report, options.requires_coverage);
  return status == 0 && archivist.has_failed() ? kInternal : status;
}

// ---- Shards -------------------------------------------------------------------------------------

Result<Report> read_report(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (stream) return report_from_json(text.str(), file);
  return Error{Code::kNotFound, "The file " + file + " cannot be read.", "Check the path."};
}

}  // namespace

int explore_main(const ExploreOptions& options, const Tell& tell, std::ostream& out,
                 std::ostream& err) {
  Worlds worlds;
  worlds.draw = [&](std::uint64_t seed) { return draw_planted(seed, options.plant); };
  worlds.run = run_drawn;
  worlds.replay = [&](std::uint64_t seed) { return replay_line(seed, options.plant); };
  if (options.seed) return explore_one(options, worlds, tell, out, err);
  return explore_many(options, std::move(worlds), tell, out, err);
}

int merge_main(const std::vector<std::string>& files, bool requires_coverage, bool json,
               const Tell& tell, std::ostream& out, std::ostream& err) {
  Report merged;
  for (const std::string& file : files) {
    const Result<Report> report = read_report(file);
    std::optional<Error> error;
    if (!report) {
      error = report.error();
    } else {
      error = merge(merged, report.value(), file);
    }
    if (!error) continue;
    tell(*error);
    return kUsage;
  }
  if (files.empty()) {
    tell({Code::kInvalidParameter, "There is nothing to merge.",
          "Give the files that the shards have printed."});
    return kUsage;
  }
  if (json) out << to_json(merged) << '\n';
  print(merged, requires_coverage, json ? err : out, err);
  return exit_status(merged, requires_coverage);
}

}  // namespace failsim::explore
