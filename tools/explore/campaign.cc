#include "tools/explore/campaign.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>

#include "tools/explore/assertion.h"

namespace failsim::explore {
namespace {

constexpr int kTimeoutStatus = 124;
constexpr char kTwoRunsDiffer[] = "replay";

Duration nanoseconds(Wall::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

// What the threads of a campaign share.
class Campaign {
 public:
  Campaign(const CampaignOptions& options, const std::vector<scenario::Scenario>& corpus,
           const Worlds& worlds, std::ostream& err)
      : options_(options), corpus_(corpus), worlds_(worlds), err_(err) {
    report_.campaign.first_seed = options.first_seed;
    report_.campaign.seeds = options.seeds;
    if (options.budget) report_.campaign.budget = options.budget->count();
    report_.campaign.shards = options.shards;
    report_.parts = {options.shard};
  }

  Report run();

 private:
  struct Job {
    scenario::Scenario scenario;
    std::optional<std::uint64_t> seed;
    bool runs_twice = false;
  };

  void on_threads(const std::function<void(std::size_t worker)>& work);
  void search(std::size_t worker);
  std::optional<Job> next();
  void perform(const Job& job);
  void failed(const Job& job, const std::string& label, const std::string& text, Time at);
  void minimise_next(std::size_t worker);
  void minimise_one(Failure& failure, const scenario::Scenario& failing);
  void watch();
  bool is_budget_spent() const {
    return options_.budget && Wall::now() - begin_ >= *options_.budget;
  }

  const CampaignOptions& options_;
  const std::vector<scenario::Scenario>& corpus_;
  const Worlds& worlds_;
  std::ostream& err_;
  const Wall::time_point begin_ = Wall::now();

  std::mutex mutex_;  // of the rest
  std::condition_variable done_;
  bool is_done_ = false;
  bool is_stopped_ = false;
  std::size_t next_of_corpus_ = 0;
  std::uint64_t next_seed_ = 0;  // of this shard, counted from 0
  std::size_t next_failure_ = 0;
  Report report_;
  std::vector<scenario::Scenario> failing_;  // of the failures, in the same order
  std::map<std::size_t, std::pair<std::string, Wall::time_point>> running_;  // by worker
};

// ---- Threads ------------------------------------------------------------------------------------

void Campaign::on_threads(const std::function<void(std::size_t worker)>& work) {
  std::vector<std::thread> threads;
  for (std::size_t worker = 1; worker < options_.jobs; ++worker) threads.emplace_back(work, worker);
  work(0);
  for (std::thread& thread : threads) thread.join();
}

// A run that hangs cannot be ended from outside: say which it is, and end.
void Campaign::watch() {
  std::unique_lock lock(mutex_);
  while (!done_.wait_for(lock, std::chrono::seconds(1), [this] { return is_done_; })) {
    for (const auto& [worker, run] : running_) {
      if (Wall::now() - run.second < options_.patience) continue;
      err_ << run.first << " does not end. Show it with --verbose, or with a debugger.\n";
      err_.flush();
      std::_Exit(kTimeoutStatus);
    }
  }
}

Report Campaign::run() {
  tell_failed_assertions();
  std::thread watchdog([this] { watch(); });
  on_threads([this](std::size_t worker) { search(worker); });
  report_.wall_time = nanoseconds(Wall::now() - begin_);
  if (worlds_.save) on_threads([this](std::size_t worker) { minimise_next(worker); });
  {
    const std::lock_guard lock(mutex_);
    is_done_ = true;
  }
  done_.notify_all();
  watchdog.join();
  std::stable_sort(
      report_.failures.begin(), report_.failures.end(),
      [](const Failure& left, const Failure& right) { return left.seed < right.seed; });
  return std::move(report_);
}

// ---- Finding ------------------------------------------------------------------------------------

std::optional<Campaign::Job> Campaign::next() {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_) return std::nullopt;
    if (next_of_corpus_ < corpus_.size()) {
      Job job;
      job.scenario = corpus_[next_of_corpus_++];
      return job;
    }
    if (is_budget_spent()) return std::nullopt;
    number = options_.shard - 1 + options_.shards * next_seed_++;
    if (options_.seeds && number >= *options_.seeds) return std::nullopt;
  }
  Job job;
  job.seed = options_.first_seed + number;
  job.scenario = worlds_.draw(*job.seed);
  job.runs_twice = *job.seed % options_.twice_every == 0;
  return job;
}

void Campaign::search(std::size_t worker) {
  while (const std::optional<Job> job = next()) {
    {
      const std::lock_guard lock(mutex_);
      running_[worker] = {job->scenario.name, Wall::now()};
      now_running(job->seed ? worlds_.replay(*job->seed) : job->scenario.name);
    }
    perform(*job);
    const std::lock_guard lock(mutex_);
    running_.erase(worker);
  }
}

void Campaign::perform(const Job& job) {
  const scenario::Outcome outcome = worlds_.run(job.scenario, nullptr);
  const bool differs =
      job.runs_twice && worlds_.run(job.scenario, nullptr).trace_hash != outcome.trace_hash;
  const std::lock_guard lock(mutex_);
  (job.seed ? report_.seeds : report_.corpus) += 1;
  report_.twice += job.runs_twice ? 1 : 0;
  report_.virtual_time += outcome.duration * (job.runs_twice ? 2 : 1);
  add(report_.coverage, outcome.coverage);
  add(report_.evaluations, outcome.evaluations);
  for (const invariants::Violation& violation : outcome.violations) {
    ++report_.coverage["violation " + violation.label];
  }
  if (differs) failed(job, kTwoRunsDiffer, "two runs have different traces", 0);
  const invariants::Violation* violation = judged(outcome);
  if (violation != nullptr) failed(job, violation->label, violation->text, violation->at);
}

void Campaign::failed(const Job& job, const std::string& label, const std::string& text, Time at) {
  Failure failure;
  failure.seed = job.seed;
  failure.name = job.scenario.name;
  failure.label = label;
  failure.verdict = scenario::verdict_of(label);
  failure.text = text;
  failure.at = at;
  if (job.seed) failure.replay = worlds_.replay(*job.seed);
  report_.failures.push_back(std::move(failure));
  failing_.push_back(job.scenario);
  if (options_.stops_at_first) is_stopped_ = true;
}

// ---- Making smaller -----------------------------------------------------------------------------

// Of each label the first failure.
void Campaign::minimise_next(std::size_t) {
  for (;;) {
    std::size_t at = 0;
    Failure failure;
    {
      const std::lock_guard lock(mutex_);
      at = next_failure_++;
      if (at >= report_.failures.size()) return;
      failure = report_.failures[at];
      const auto same = [&](const Failure& other) { return other.label == failure.label; };
      const auto first = std::find_if(report_.failures.begin(), report_.failures.end(), same);
      if (first != report_.failures.begin() + static_cast<std::ptrdiff_t>(at)) continue;
    }
    if (failure.label == kTwoRunsDiffer) continue;  // nothing is sure about it
    minimise_one(failure, failing_[at]);
    const std::lock_guard lock(mutex_);
    report_.failures[at] = failure;
  }
}

void Campaign::minimise_one(Failure& failure, const scenario::Scenario& failing) {
  const Wall::time_point end = Wall::now() + options_.minimise_budget;
  MinimiseLimits limits;
  limits.runs = options_.minimise_runs;
  limits.is_over = [end] { return Wall::now() >= end; };
  const Minimised smallest = minimise(
      failing, failure.label,
      [this](const scenario::Scenario& scenario) { return worlds_.run(scenario, nullptr); },
      limits);
  failure.minimising = smallest.runs;
  failure.steps = smallest.scenario.steps.size() + smallest.scenario.reactions.size();
  failure.saved = worlds_.save(smallest, failure);
}

// ---- Two runs -----------------------------------------------------------------------------------

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void show_around(const char* title, const std::vector<std::string>& lines, std::size_t at,
                 std::ostream& out) {
  constexpr std::size_t kBefore = 5;
  constexpr std::size_t kAfter = 3;
  out << title << '\n';
  const std::size_t end = std::min(lines.size(), at + kAfter);
  for (std::size_t i = at > kBefore ? at - kBefore : 0; i < end; ++i) {
    out << (i == at ? "> " : "  ") << lines[i] << '\n';
  }
  if (at >= lines.size()) out << "> (it has ended)\n";
}

}  // namespace

const invariants::Violation* judged(const scenario::Outcome& outcome) {
  for (const invariants::Violation& violation : outcome.violations) {
    if (scenario::verdict_of(violation.label) != scenario::Verdict::kInconclusive) {
      return &violation;
    }
  }
  return nullptr;
}

Report run_campaign(const CampaignOptions& options, const std::vector<scenario::Scenario>& corpus,
                    const Worlds& worlds, std::ostream& err) {
  return Campaign(options, corpus, worlds, err).run();
}

bool show_divergence(const scenario::Scenario& scenario, const Worlds& worlds, std::ostream& out) {
  std::ostringstream first;
  std::ostringstream second;
  worlds.run(scenario, &first);
  worlds.run(scenario, &second);
  const std::vector<std::string> one = lines_of(first.str());
  const std::vector<std::string> other = lines_of(second.str());
  const auto length = std::min(one.size(), other.size());
  const auto differing =
      std::mismatch(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(length), other.begin());
  const auto at = static_cast<std::size_t>(differing.first - one.begin());
  if (at == one.size() && at == other.size()) return false;
  out << scenario.name << ": two runs differ from step " << at + 1 << " on\n";
  show_around("the first run", one, at, out);
  show_around("the second run", other, at, out);
  return true;
}

}  // namespace failsim::explore
