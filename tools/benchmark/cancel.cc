// How soon a cancel is answered, in every situation in which somebody would want one.
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/json/serialize.hpp>

#include "cluster/migration/migration_state.h"
#include "cluster/random.h"
#include "tools/benchmark/bench.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kCancels = 300;
constexpr double kLimitMs = 10;  // at the 99th percentile, while a leader lives
constexpr milliseconds kPhaseLimit{20'000};
constexpr milliseconds kAliveLimit{10'000};
constexpr char kVm[] = "web";
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

struct Situation {
  std::string name;
  MigrationState phase = MigrationState::kDataTransfer;  // in which it is canceled
  std::string hold = {};                                 // a fault of the links, all of the time
  bool stops_target = false;  // from before the migration (Setup), or in its phase
  bool throttles = false;
};

const std::vector<Situation> kSituations = {
    {"data transfer"},
    {"data transfer, target stopped", MigrationState::kDataTransfer, {}, true},
    {"data transfer, socket full", MigrationState::kDataTransfer, "link-hold"},
    {"data transfer, guest throttled", MigrationState::kDataTransfer, {}, false, true},
    {"setup, target stopped", MigrationState::kSetup, {}, true},
};

class Cancels {
 public:
  Cancels(const Options& options, Report& report)
      : report_(report),
        count_(options.count.value_or(kCancels)),
        random_(options.seed),
        // A stopped target is not missed within one cancel.
        cluster_(3, {"--faults", "--set", "SameSubnetThreshold=40"}),
        client_(cluster_.new_client()) {
    leader_ = cluster_.leader();
    source_ = cluster_.other_node_than(leader_);
    for (const std::string& node : cluster_.nodes()) {
      if (node != leader_ && node != source_) target_ = node;
    }
    cluster_.verb({"vm", "create", kVm, "--memory", "64MiB", "--owner", source_, "--dirty-rate",
                   "16MiB/s", "--working-set", "32MiB", "--start"});
  }

  void run() {
    for (const Situation& situation : kSituations) measure(situation);
  }

 private:
  void measure(const Situation& situation);
  double cancel_once(const Situation& situation);
  void begin_migration(const Situation& situation);
  MigrationState phase();
  void expect_on_source(const Situation& situation);
  void signal_target(int signal) const { cli::send_signal(cluster_.process_of(target_), signal); }

  Report& report_;
  const std::uint32_t count_;
  Random random_;
  TestCluster cluster_;
  cli::Client client_;
  std::string leader_;
  std::string source_;
  std::string target_;
};

void Cancels::measure(const Situation& situation) {
  if (!situation.hold.empty()) {
    cluster_.verb({"fault", "inject", situation.hold, source_ + "->" + target_, "class=data",
                   "--for", "3600s"});
  }
  std::vector<double> times_ms;
  for (std::uint32_t i = 0; i < count_; ++i) times_ms.push_back(cancel_once(situation));
  if (!situation.hold.empty()) cluster_.verb({"fault", "heal", "--all"});
  const Peer limit{"limit", kLimitMs};
  report_.add(situation.name, "answered_p50", median(times_ms), "ms", limit);
  report_.add(situation.name, "answered_p99", percentile(times_ms, 99), "ms", limit);
  report_.add(situation.name, "answered_max", maximum(times_ms), "ms", limit);
  report_.expect(percentile(times_ms, 99) <= kLimitMs,
                 situation.name + ": a cancel is answered within 10 ms at the 99th percentile");
}

void Cancels::begin_migration(const Situation& situation) {
  json::object body = {{"to", target_},
                       {"bandwidth_bytes_per_second", 32 * kMebibyte},
                       {"downtime_limit_ms", 1},
                       {"max_rounds", 1000}};
  if (situation.throttles) body["on_no_convergence"] = "throttle";
  client_.write("POST", std::string("/v1/vms/") + kVm + "/migrate", body);
}

MigrationState Cancels::phase() {
  const json::object vm = client_.get(std::string("/v1/vms/") + kVm).as_object();
  return migration_state_of(static_cast<std::uint32_t>(cli::enum_value_in(vm, "migration_state")))
      .value_or(MigrationState::kNoMigration);
}

double Cancels::cancel_once(const Situation& situation) {
  const bool in_setup = situation.phase == MigrationState::kSetup;
  if (situation.stops_target && in_setup) signal_target(SIGSTOP);
  begin_migration(situation);
  const bool came = wait_until([&] { return phase() == situation.phase; }, kPhaseLimit);
  report_.expect(came, situation.name + ": the migration comes to its phase");
  std::this_thread::sleep_for(milliseconds(random_.below(situation.throttles ? 2000 : 50)));
  if (situation.stops_target && !in_setup) signal_target(SIGSTOP);
  const auto begin = Clock::now();
  const json::value answer =
      client_.write("POST", std::string("/v1/vms/") + kVm + "/cancel-migration");
  const double took_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  expect_on_source(situation);
  if (situation.stops_target) signal_target(SIGCONT);
  report_.expect(answer.is_object(), situation.name + ": the cancel is accepted");
  return took_ms;
}

// Canceled, and the guest counts on where it was.
void Cancels::expect_on_source(const Situation& situation) {
  report_.expect(phase() == MigrationState::kCanceled, situation.name + ": the answer is true");
  std::optional<std::uint64_t> first;
  const bool counts = wait_until(
      [&] {
        const json::object vm = cluster_.vm(kVm);
        const json::object& guest = cli::object_in(vm, "guest");
        if (cli::text_in(vm, "owner_node") != source_) return false;
        if (!cli::flag_in(guest, "executing")) return false;
        const std::uint64_t counter = cli::number_in(guest, "counter");
        if (!first) first = counter;
        return counter > *first;
      },
      kAliveLimit);
  report_.expect(counts, situation.name + ": the VM runs on the source");
}

}  // namespace

void bench_cancel(const Options& options, Report& report) {
  Cancels(options, report).run();
}

}  // namespace failsim::bench
