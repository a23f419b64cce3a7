// Many migrations at once: nobody is called silent for them, the leader is kept, and they have
// equal shares of the link.
#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/event_follower.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/tasks.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kModelled = 200;
constexpr std::uint32_t kReal = 8;
constexpr double kFairShare = 2;  // the largest share of the link in smallest ones
constexpr milliseconds kLimit{240'000};
constexpr std::uint64_t kNodeDown = 1;  // CLUSTER_NODE_STATE

struct Load {
  std::string name;
  std::uint32_t vms = 0;
  std::string memory;
  std::vector<std::string> more;  // words of `vm create`
};

std::string vm_name(std::uint32_t number) {
  return "vm-" + std::to_string(number);
}

// Who leads, looked at all the time.
class LeaderWatch {
 public:
  explicit LeaderWatch(const TestCluster& cluster)
      : client_(cluster.new_client()), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            look();
            std::this_thread::sleep_for(milliseconds(50));
          }
        }) {}
  std::size_t changes() {
    thread_.request_stop();
    thread_.join();
    return changes_;
  }

 private:
  void look() {
    const json::value status = client_.get("/v1/status");
    const std::string leader = cli::text_in(status.as_object(), "leader");
    if (leader.empty()) return;
    if (!leader_.empty() && leader != leader_) ++changes_;
    leader_ = leader;
  }

  cli::Client client_;
  std::string leader_;
  std::size_t changes_ = 0;
  std::jthread thread_;
};

void create_vms(const TestCluster& cluster, const Load& load) {
  for (std::uint32_t i = 1; i <= load.vms; ++i) {
    std::vector<std::string> words = {"vm",        "create",  vm_name(i), "--memory",
                                      load.memory, "--owner", "node-1",   "--start"};
    words.insert(words.end(), load.more.begin(), load.more.end());
    cluster.verb(words);
  }
}

bool all_have_ended(cli::Client& client, std::uint32_t vms) {
  const json::value all = cli::patient_poll(client, "/v1/migrations", milliseconds(0));
  std::uint32_t ended = 0;
  for (const json::value& row : all.as_array())
    ended += cli::flag_in(row.as_object(), "is_complete");
  return ended >= vms;
}

// Bytes a millisecond of each; those that did not succeed are an expectation that was not met.
std::vector<double> shares(cli::Client& client, const std::string& of, Report& report) {
  std::vector<double> rates;
  const json::value all = cli::patient_poll(client, "/v1/migrations", milliseconds(0));
  for (const json::value& row : all.as_array()) {
    const json::object& migration = row.as_object();
    const bool succeeded = cli::enum_value_in(migration, "result") == 0;
    report.expect(succeeded,
                  of + ": the migration of " + cli::text_in(migration, "vm") + " succeeds");
    const auto total = static_cast<double>(cli::number_in(migration, "total_ms"));
    const auto sent = static_cast<double>(cli::number_in(migration, "bytes_sent"));
    if (succeeded && total > 0) rates.push_back(sent / total);
  }
  return rates;
}

void measure(const Load& load, Report& report) {
  TestCluster cluster(3, {"--node-memory", "1TiB", "--set", "MaximumParallelMigrations=64"});
  cli::Client client = cluster.new_client();
  create_vms(cluster, load);
  EventFollower events(cluster.new_client());
  events.take_new();
  LeaderWatch leaders(cluster);
  const auto begin = Clock::now();
  for (std::uint32_t i = 1; i <= load.vms; ++i) {
    client.write("POST", "/v1/vms/" + vm_name(i) + "/migrate",
                 {{"to", "node-2"}, {"downtime_limit_ms", 1000}});
  }
  const bool ended = wait_until([&] { return all_have_ended(client, load.vms); }, kLimit);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  report.expect(ended, load.name + ": all migrations end");
  std::size_t suspicions = 0;
  for (const json::object& event : events.take_new()) {
    if (cli::text_in(event, "kind") == "node-state" &&
        cli::enum_value_in(event, "to") == kNodeDown) {
      ++suspicions;
    }
  }
  const std::size_t changes = leaders.changes();
  const std::vector<double> rates = shares(client, load.name, report);
  report.add(load.name, "all_ended", seconds, "s");
  report.add(load.name, "suspicions", static_cast<double>(suspicions), "nodes");
  report.add(load.name, "leader_changes", static_cast<double>(changes), "leaders");
  report.expect(suspicions == 0, load.name + ": nobody is called Down");
  report.expect(changes == 0, load.name + ": the leader is kept");
  if (rates.empty()) return;
  const double ratio = maximum(rates) / percentile(rates, 0);
  report.add(load.name, "share_max_to_min", ratio, "", Peer{"limit", kFairShare});
  report.expect(ratio <= kFairShare, load.name + ": the shares of the link are fair");
}

}  // namespace

void bench_parallel(const Options& options, Report& report) {
  measure({"modelled at once",
           options.count.value_or(kModelled),
           "1GiB",
           {"--modelled", "--dirty-rate", "16MiB/s", "--working-set", "256MiB"}},
          report);
  measure({"real at once", kReal, "128MiB", {"--dirty-rate", "8MiB/s", "--working-set", "16MiB"}},
          report);
}

}  // namespace failsim::bench
