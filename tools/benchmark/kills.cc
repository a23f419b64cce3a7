// Migrations whose source, target or leader is killed with -9 at a random moment.
#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/random.h"
#include "tools/benchmark/bench.h"
#include "tools/benchmark/journals.h"
#include "tools/benchmark/migration_series.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/write_ledger.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint32_t kKills = 100;
constexpr std::uint32_t kWriters = 4;
constexpr std::uint64_t kVmRunning = 5;  // VMVMState
constexpr milliseconds kRunningLimit{30'000};
constexpr char kVm[] = "web";

// What `failsim migrate` may say of a migration that was disturbed, by its exit status.
constexpr int kOnSource = 21;
const std::map<int, std::string> kOutcomes = {{0, "completed"},
                                              {1, "refused"},
                                              {64, "refused"},  // it is there already
                                              {kOnSource, "on_source"},
                                              {22, "restarted_elsewhere"}};

std::string outcome_name(int exit) {
  const auto known = kOutcomes.find(exit);
  return known == kOutcomes.end() ? "exit_" + std::to_string(exit) : known->second;
}

class Kills {
 public:
  Kills(const Options& options, Report& report)
      : random_(options.seed), report_(report), count_(options.count.value_or(kKills)) {
    create_dirtying_vm(cluster_, kVm, "20MiB/s", "32MiB");
  }

  void run();

 private:
  struct Plan {
    std::string source;
    std::string target;
    std::string role;
    std::string victim;
    microseconds delay{0};
  };

  void learn_duration();
  Plan plan(std::uint32_t number);
  void carry_out(std::uint32_t number, WriteLedger& ledger);
  void expect_running(const std::string& which);
  void add_rows(const WriteLedger& ledger);

  Random random_;
  Report& report_;
  const std::uint32_t count_;
  TestCluster cluster_;
  double undisturbed_ms_ = 0;  // of the verb, from its start to its end
  std::map<std::string, std::uint32_t> roles_;
  std::map<int, std::uint32_t> outcomes_;
  std::vector<double> recovery_ms_;  // from the kill to the VM seen running
};

void Kills::run() {
  learn_duration();
  WriteLedger ledger(cluster_, kWriters);
  for (std::uint32_t number = 1; number <= count_; ++number) carry_out(number, ledger);
  add_rows(ledger);
}

// The moments are drawn from the length of a migration, and a little more.
void Kills::learn_duration() {
  std::vector<double> seconds;
  for (const char* to : {"node-2", "node-3", "node-1"}) {
    const auto begin = steady_clock::now();
    cluster_.verb({"migrate", kVm, "--to", to});
    seconds.push_back(std::chrono::duration<double>(steady_clock::now() - begin).count());
  }
  undisturbed_ms_ = median(seconds) * 1e3;
}

// The roles take turns; the moment and the target are drawn.
Kills::Plan Kills::plan(std::uint32_t number) {
  Plan plan;
  plan.source = cli::text_in(cluster_.vm(kVm), "owner_node");
  std::vector<std::string> targets;
  for (const std::string& node : cluster_.nodes()) {
    if (node != plan.source) targets.push_back(node);
  }
  plan.target = targets[random_.below(targets.size())];
  const std::pair<const char*, std::string> victims[] = {
      {"source", plan.source}, {"target", plan.target}, {"leader", cluster_.leader()}};
  std::tie(plan.role, plan.victim) = victims[number % 3];
  const auto longest = static_cast<std::uint64_t>(undisturbed_ms_ * 1.2 * 1e3);
  plan.delay = microseconds(random_.below(longest + 1));
  return plan;
}

void Kills::carry_out(std::uint32_t number, WriteLedger& ledger) {
  const Plan now = plan(number);
  const std::string which = "kill " + std::to_string(number) + " of the " + now.role + " " +
                            now.victim + " after " + std::to_string(now.delay.count() / 1000) +
                            " ms (" + now.source + " to " + now.target + ")";
  auto migration = std::async(std::launch::async, [&] {
    return cluster_.try_verb({"migrate", kVm, "--to", now.target});
  });
  std::this_thread::sleep_for(now.delay);
  const auto killed_at = steady_clock::now();
  cluster_.kill_node(now.victim);
  ++roles_[now.role];

  expect_running(which);
  recovery_ms_.push_back(
      std::chrono::duration<double, std::milli>(steady_clock::now() - killed_at).count());
  const VerbResult result = migration.get();
  ++outcomes_[result.exit];
  report_.expect(kOutcomes.contains(result.exit), which + ": the outcome is reported (status " +
                                                      std::to_string(result.exit) + ": " +
                                                      result.message + ")");
  report_.expect(result.exit != kOnSource || now.victim != now.source,
                 which + ": nobody says that the VM is on the source, which is dead");
  const bool differs = result.answer.is_object() &&
                       !cli::is_null_in(result.answer.get_object(), "digest_match") &&
                       !cli::flag_in(result.answer.get_object(), "digest_match");
  report_.expect(!differs, which + ": no page differs");

  cluster_.start_node(now.victim);
  expect_running(which + ", after its restart");
  expect_sound_journal(cluster_.directory(), kVm, report_);
  ledger.expect_kept(report_);
  ledger.expect_events(report_);
  report_.say(which + ": " + outcome_name(result.exit) +
              (result.exit == 1 ? " (" + result.message + ")" : ""));
}

// On one node, executing: its guest is there and counts on.
void Kills::expect_running(const std::string& which) {
  std::optional<std::uint64_t> first;
  json::object last;
  const bool counts = wait_until(
      [&] {
        last = cluster_.vm(kVm);
        const json::object& guest = cli::object_in(last, "guest");
        if (cli::enum_value_in(last, "state") != kVmRunning) return false;
        if (!cli::flag_in(guest, "executing")) return false;
        const std::uint64_t counter = cli::number_in(guest, "counter");
        if (!first) first = counter;
        return counter > *first;
      },
      kRunningLimit);
  report_.expect(counts, which + ": the VM runs on one node (" + json::serialize(last) + ")");
}

void Kills::add_rows(const WriteLedger& ledger) {
  const std::string of = std::to_string(count_) + " kills";
  const Peer all{"all", static_cast<double>(count_)};
  for (const auto& [role, times] : roles_) report_.add(of, role + "_killed", times, "kills", all);
  for (const auto& [exit, times] : outcomes_) {
    report_.add(of, outcome_name(exit), times, "migrations", all);
  }
  report_.add(of, "running_again_p50", median(recovery_ms_), "ms");
  report_.add(of, "running_again_max", maximum(recovery_ms_), "ms");
  report_.add(of, "acknowledged_writes", static_cast<double>(ledger.acknowledged()), "writes");
  const JournalSummary journal = expect_sound_journal(cluster_.directory(), kVm, report_);
  report_.add(of, "journal_owners", static_cast<double>(journal.owners), "registrations");
  report_.add(of, "journal_counter", static_cast<double>(journal.counter), "values");
}

}  // namespace

void bench_kills(const Options& options, Report& report) {
  Kills(options, report).run();
}

}  // namespace failsim::bench
