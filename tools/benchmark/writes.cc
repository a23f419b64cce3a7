// Property writes a second: each is replicated, and fsynced by a majority, before it is answered.
#include <cstdio>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/http_load.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFsyncs = 200;
constexpr std::uint32_t kRuns = 3;
constexpr std::chrono::milliseconds kDuration{4000};
constexpr char kVm[] = "written";

// What one small fsynced append to a file of this disk takes, alone: the median.
double fsync_ms(const cli::fs::path& directory) {
  const cli::fs::path path = directory / "fsync";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) cli::fail_errno("Creating " + path.string() + " failed", "");
  const std::string block(256, 'x');
  std::vector<double> latencies;
  for (std::uint32_t i = 0; i < kFsyncs; ++i) {
    const auto begin = Clock::now();
    const bool written = ::write(file, block.data(), block.size()) > 0 && ::fdatasync(file) == 0;
    if (!written) cli::fail_errno("Writing " + path.string() + " failed", "");
    latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  ::close(file);
  cli::fs::remove(path);
  return median(latencies);
}

// The write of a client's turn, under a request id that is never used again.
std::string put_request(const std::string& address, const std::string& token,
                        const std::string& client, std::uint64_t turn) {
  const std::string id = client + ":" + std::to_string(turn + 1);
  const std::string body = json::serialize(json::object{{"value", id}});
  return std::string("PUT /v1/property?object=group/") + kVm +
         "&name=Description HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + token +
         "\r\nRequest-Id: " + id +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

struct Case {
  std::string name;
  const TestCluster* cluster;
  std::uint32_t writers;
  std::vector<std::string> addresses;
  std::vector<double> rates = {};
  std::vector<double> p50 = {};
  std::vector<double> p99 = {};
  std::vector<double> cpu_ms = {};  // of all nodes, for a write
};

std::vector<std::string> addresses_of(const TestCluster& cluster) {
  std::vector<std::string> addresses;
  for (std::uint32_t node = 1; node <= cluster.description().nodes; ++node) {
    addresses.push_back(cluster.description().node_address(node));
  }
  return addresses;
}

void run_case(Case& measured, Report& report) {
  const TestCluster& cluster = *measured.cluster;
  LoadOptions load;
  load.addresses = measured.addresses;
  load.port = cli::kApiPort;
  load.clients = measured.writers;
  load.duration = kDuration;
  load.request = [token = cluster.directory().token(), run = cli::random_hex(4)](
                     std::uint32_t client, std::uint64_t turn, const std::string& address) {
    return put_request(address, token, run + "-" + std::to_string(client), turn);
  };
  const double cpu_before = cluster.cpu_seconds();
  const LoadResult result = run_load(load);
  const double cpu = cluster.cpu_seconds() - cpu_before;
  report.expect(result.refused == 0, measured.name + ": every write is acknowledged (" +
                                         std::to_string(result.refused) +
                                         " were not, the first: " + result.first_refusal + ")");
  if (result.latencies_ms.empty()) return;
  const auto count = static_cast<double>(result.latencies_ms.size());
  measured.rates.push_back(count / result.seconds);
  measured.p50.push_back(percentile(result.latencies_ms, 50));
  measured.p99.push_back(percentile(result.latencies_ms, 99));
  measured.cpu_ms.push_back(cpu * 1e3 / count);
}

}  // namespace

void bench_writes(const Options& options, Report& report) {
  const TestCluster cluster;
  const TestCluster recorded(3, {"--record-limit", "16GiB"});
  for (const TestCluster* each : {&cluster, &recorded}) {
    each->verb({"vm", "create", kVm, "--modelled"});
  }
  const std::string leader = cluster.leader();
  const std::string leader_address =
      cluster.description().node_address(*cluster.description().node_named(leader));
  std::vector<Case> cases = {
      {"1 writer, at the leader", &cluster, 1, {leader_address}},
      {"64 writers, at the leader", &cluster, 64, {leader_address}},
      {"64 writers, at all nodes", &cluster, 64, addresses_of(cluster)},
      {"64 writers, at all nodes, recorded", &recorded, 64, addresses_of(recorded)}};
  std::vector<double> fsyncs;
  for (std::uint32_t run = 0; run < options.count.value_or(kRuns); ++run) {
    fsyncs.push_back(fsync_ms(cluster.directory().path()));
    for (Case& measured : cases) run_case(measured, report);
  }
  report.expect(cluster.leader() == leader, "the leader stays the leader");
  report.add("the disk alone, a small append", "fdatasync_p50", median(fsyncs), "ms");
  for (const Case& measured : cases) {
    if (measured.rates.empty()) continue;
    report.add(measured.name, "rate", median(measured.rates), "writes/s");
    report.add(measured.name, "latency_p50", median(measured.p50), "ms");
    report.add(measured.name, "latency_p99", median(measured.p99), "ms");
    report.add(measured.name, "cpu_per_write", median(measured.cpu_ms), "ms");
  }
}

}  // namespace failsim::bench
