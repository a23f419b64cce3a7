// How long a cluster and a node take to start, and what a node process weighs.
#include <algorithm>
#include <chrono>
#include <csignal>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/command.h"
#include "tools/benchmark/process_figures.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kRuns = 5;
constexpr std::chrono::milliseconds kLimit{10'000};

// From the start of the process, without any launcher, until its interface answers.
double node_start_ms(const TestCluster& cluster, const std::string& name) {
  const std::uint32_t node = *cluster.description().node_named(name);
  cluster.verb({"node", "stop", name});
  cli::Client client = cluster.new_client();
  const auto begin = Clock::now();
  const pid_t process = start_command(
      {beside("failsim-node"), "run", "--dir", cluster.directory().node(node).string(),
       "--token-file", cluster.directory().token_file().string(), "--volume",
       cluster.description().volume_address() + ":" + std::to_string(cli::kVolumePort)});
  bool answers = false;
  while (!answers && Clock::now() - begin < kLimit) {
    answers = client.ask(node, "/v1/status", kLimit).transport == cli::Transport::kAnswered;
  }
  const double took = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  ::kill(process, SIGTERM);
  const int exit = wait_for_command(process);
  cluster.start_node(name);
  if (answers && exit == 0) return took;
  cli::fail(Code::kTimeout,
            name + " was started and " + (answers ? "answered" : "did not answer") +
                ", and ended with status " + std::to_string(exit) + " on SIGTERM.",
            "");
}

double largest_node_mib(const TestCluster& cluster) {
  std::uint64_t largest = 0;
  for (const std::string& node : cluster.nodes()) {
    largest = std::max(largest, resident_bytes(cluster.process_of(node).pid));
  }
  return static_cast<double>(largest) / (1 << 20);
}

}  // namespace

void bench_startup(const Options& options, Report& report) {
  std::vector<double> first_ms;
  std::vector<double> again_ms;
  std::vector<double> node_ms;
  std::vector<double> resident_mib;
  for (std::uint32_t run = 0; run < options.count.value_or(kRuns); ++run) {
    TestCluster cluster;
    first_ms.push_back(cluster.up_seconds() * 1e3);
    resident_mib.push_back(largest_node_mib(cluster));
    node_ms.push_back(node_start_ms(cluster, "node-3"));
    cluster.down();
    cluster.up_again();
    again_ms.push_back(cluster.up_seconds() * 1e3);
  }
  report.add("3 nodes, a new cluster", "up", median(first_ms), "ms");
  report.add("3 nodes, once more", "up", median(again_ms), "ms");
  report.add("node process", "answers_after", median(node_ms), "ms");
  report.add("node process, no VM", "resident", maximum(resident_mib), "MiB");
}

}  // namespace failsim::bench
