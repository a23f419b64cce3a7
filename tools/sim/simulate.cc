#include "tools/sim/simulate.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tools/report/run_recorder.h"
#include "tools/report/verdict.h"
#include "tools/report/wording.h"
#include "tools/sim/chaos.h"

namespace failsim::sim {
namespace {

constexpr std::uint32_t kNodesMax = 7;
constexpr int kUsage = 64;
constexpr int kInternal = 70;

using history::counted;
using history::hexadecimal;

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return result + "\"";
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  return text;
}

// The wall clock belongs to the person who waits, not to the run.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string replay_line(std::uint64_t seed, const SimulateOptions& options) {
  return "failsim simulate --seed " + std::to_string(seed) + " --nodes " +
         std::to_string(options.nodes) + (options.planted.empty() ? "" : " --plant ") +
         options.planted;
}

std::string violation_line(const invariants::Violation& violation) {
  const std::int64_t milliseconds = violation.at / kMillisecond;
  char at[32];
  std::snprintf(at, sizeof at, "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return violation.label + " at " + at + " s: " + violation.text;
}

std::string violations_json(const std::vector<invariants::Violation>& violations) {
  std::string json = "[";
  for (const invariants::Violation& violation : violations) {
    if (json.size() > 1) json += ',';
    json += "{\"label\":" + quoted(violation.label) +
            ",\"at_ms\":" + std::to_string(violation.at / kMillisecond) +
            ",\"text\":" + quoted(violation.text) + "}";
  }
  return json + "]";
}

// ---- Reports ------------------------------------------------------------------------------------

constexpr std::size_t kReportsMost = 3;  // of a campaign: more would be read by nobody

// As the command line tells every error.
bool report_failed(const Error& error, std::ostream& err) {
  err << "failsim: " << error.message << ' ' << error.next << '\n';
  return false;
}

// Runs the seed again, recorded: recording changes nothing of a run. False if it could not be
// written.
bool write_report(const SimulateOptions& options, std::uint64_t seed, std::ostream& err) {
  ChaosConfig config;
  config.seed = seed;
  config.nodes = options.nodes;
  config.mistakes = options.mistakes;
  history::RunRecorder::About about;
  about.run.title = "seed " + std::to_string(seed) + ", " + counted(options.nodes, "node");
  about.run.replay = replay_line(seed, options);
  about.options = "{\"world\":\"virtual\",\"seed\":" + std::to_string(seed) +
                  ",\"nodes\":" + std::to_string(options.nodes) +
                  ",\"duration_ns\":" + std::to_string(config.duration) + "}";
  auto recorder = history::RunRecorder::create(options.runs, std::chrono::system_clock::now(),
                                               std::move(about));
  if (!recorder) return report_failed(recorder.error(), err);
  const std::unique_ptr<history::RunRecorder> recording = recorder.take();
  config.sink = recording.get();
  const ChaosResult result = run_chaos(config);
  const auto page = recording->finish(result.violations, result.evaluations);
  if (!page) return report_failed(page.error(), err);
  err << "The report of seed " << seed << " is " << page.value().string()
      << ": open it in a browser.\n";
  return true;
}

// ---- One seed -----------------------------------------------------------------------------------

int simulate_one(const SimulateOptions& options, std::ostream& out, std::ostream& err) {
  ChaosConfig config;
  config.seed = *options.seed;
  config.nodes = options.nodes;
  config.mistakes = options.mistakes;
  // The object alone goes to `out`.
  if (options.verbose) config.trace_lines = &err;
  const Stopwatch stopwatch;
  const ChaosResult result = run_chaos(config);
  const std::string wall = seconds_text(stopwatch.seconds());
  if (options.json) {
    out << "{\"seed\":" << config.seed << ",\"nodes\":" << config.nodes << ",\"trace_hash\":\""
        << hexadecimal(result.trace_hash)
        << "\",\"violations\":" << violations_json(result.violations)
        << ",\"virtual_seconds\":" << config.duration / kSecond << ",\"wall_seconds\":" << wall
        << "}\n";
  } else {
    out << "seed " << config.seed << " of " << counted(config.nodes, "node") << ": "
        << counted(result.violations.size(), "violation") << "; " << config.duration / kSecond
        << " virtual seconds in " << wall << " s, trace " << hexadecimal(result.trace_hash) << '\n';
  }
  for (const invariants::Violation& violation : result.violations) {
    err << violation_line(violation) << '\n';
  }
  const bool wants_report = options.report || !result.violations.empty();
  const bool is_reported = !wants_report || write_report(options, config.seed, err);
  const history::Verdict verdict = history::verdict_of(result.violations);
  return verdict == history::Verdict::kPass && !is_reported ? kInternal : static_cast<int>(verdict);
}

// ---- Many seeds ---------------------------------------------------------------------------------

struct Failure {
  std::uint64_t seed = 0;
  bool is_repeatable = true;
  std::vector<invariants::Violation> violations;
};

// What the threads of a campaign share.
struct Campaign {
  std::atomic<std::uint64_t> next_seed{1};
  std::mutex mutex;  // of the rest
  std::vector<Failure> failures;
  std::map<std::string, std::uint64_t> evaluations;
  std::map<std::string, std::uint64_t> happened;
};

void run_seed(std::uint64_t seed, const SimulateOptions& options, Campaign& campaign) {
  ChaosConfig config;
  config.seed = seed;
  config.nodes = options.nodes;
  config.mistakes = options.mistakes;
  const ChaosResult result = run_chaos(config);
  const bool is_repeatable = run_chaos(config).trace_hash == result.trace_hash;
  const std::lock_guard lock(campaign.mutex);
  for (const auto& [label, count] : result.evaluations) campaign.evaluations[label] += count;
  for (const auto& [what, count] : result.happened) campaign.happened[what] += count;
  if (is_repeatable && result.violations.empty()) return;
  campaign.failures.push_back(Failure{seed, is_repeatable, result.violations});
}

void print_failure(const Failure& failure, const SimulateOptions& options, std::ostream& err) {
  err << "seed " << failure.seed << ":";
  if (!failure.is_repeatable) err << " two runs differ (S24);";
  if (!failure.violations.empty()) err << ' ' << violation_line(failure.violations.front());
  if (failure.violations.size() > 1) err << " (and " << failure.violations.size() - 1 << " more)";
  err << "\n  " << replay_line(failure.seed, options) << '\n';
}

history::Verdict worst_of(const std::vector<Failure>& failures) {
  history::Verdict worst = history::Verdict::kPass;
  for (const Failure& failure : failures) {
    worst = history::worse(worst, history::verdict_of(failure.violations));
    if (!failure.is_repeatable) worst = history::worse(worst, history::Verdict::kNotDeterministic);
  }
  return worst;
}

int simulate_many(const SimulateOptions& options, std::ostream& out, std::ostream& err) {
  Campaign campaign;
  const Stopwatch stopwatch;
  const auto work = [&] {
    for (;;) {
      const std::uint64_t seed = campaign.next_seed++;
      if (seed > options.seeds) return;
      run_seed(seed, options, campaign);
    }
  };
  std::thread second(work);
  work();
  second.join();
  std::sort(campaign.failures.begin(), campaign.failures.end(),
            [](const Failure& left, const Failure& right) { return left.seed < right.seed; });
  for (const Failure& failure : campaign.failures) print_failure(failure, options, err);
  for (std::size_t i = 0; i < std::min(kReportsMost, campaign.failures.size()); ++i) {
    write_report(options, campaign.failures[i].seed, err);
  }

  const ChaosConfig config;
  const std::uint64_t virtual_seconds =
      2 * options.seeds * static_cast<std::uint64_t>(config.duration / kSecond);
  if (options.json) {
    out << "{\"seeds\":" << options.seeds << ",\"nodes\":" << options.nodes
        << ",\"failed_seeds\":[";
    for (std::size_t i = 0; i < campaign.failures.size(); ++i) {
      out << (i == 0 ? "" : ",") << campaign.failures[i].seed;
    }
    out << "],\"virtual_seconds\":" << virtual_seconds
        << ",\"wall_seconds\":" << seconds_text(stopwatch.seconds()) << "}\n";
  } else {
    out << counted(options.seeds, "seed") << " of " << counted(options.nodes, "node")
        << ", each twice: " << campaign.failures.size() << " failed; " << virtual_seconds
        << " virtual seconds in " << seconds_text(stopwatch.seconds()) << " s\n";
    if (options.verbose) {
      for (const auto& [label, count] : campaign.evaluations) {
        out << "  checked " << label << ": " << count << '\n';
      }
      for (const auto& [what, count] : campaign.happened) {
        out << "  " << what << ": " << count << '\n';
      }
    }
  }
  return static_cast<int>(worst_of(campaign.failures));
}

}  // namespace

int simulate_main(const SimulateOptions& options, std::ostream& out, std::ostream& err) {
  if (options.nodes < 1 || options.nodes > kNodesMax) {
    err << "A simulated cluster has 1 to " << kNodesMax << " nodes, not " << options.nodes
        << ". Choose another --nodes.\n";
    return kUsage;
  }
  if (options.seed) return simulate_one(options, out, err);
  if (options.seeds == 0) {
    err << "Nothing to simulate: give --seeds N for the seeds 1..N, or --seed S for one.\n";
    return kUsage;
  }
  return simulate_many(options, out, err);
}

}  // namespace failsim::sim
