// How fast a live migration moves memory, beside the simplest program that moves as much. The runs
// of both alternate, because machines drift.
#include <csignal>

#include <boost/json/object.hpp>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/command.h"
#include "tools/benchmark/mover.h"
#include "tools/benchmark/statistics.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"

namespace failsim::bench {
namespace {

constexpr std::uint32_t kRuns = 5;
constexpr double kWantedRatio = 0.6;
constexpr double kWantedCpuSecondsPerGib = 0.4;  // both sides
constexpr double kBitsPerGib = 8.0 * (1 << 30);
constexpr char kIperfSeconds[] = "3";

struct Series {
  std::vector<double> gib_per_second;
  std::vector<double> cpu_seconds_per_gib;  // both sides

  void add(const Result<BulkFigure>& figure) {
    if (!figure.ok()) cli::fail(figure.error());
    gib_per_second.push_back(figure.value().gib_per_second);
    cpu_seconds_per_gib.push_back(figure.value().source_cpu_seconds_per_gib +
                                  figure.value().target_cpu_seconds_per_gib);
  }
};

// GiB/s of iperf3 with one stream between the same addresses; nothing if it is not there.
std::optional<double> iperf3_rate(const BulkOptions& options) {
  if (run_command({"sh", "-c", "command -v iperf3"}).exit != 0) return std::nullopt;
  const std::string port = std::to_string(options.port);
  const pid_t server =
      start_command({"iperf3", "-s", "-1", "-B", options.target_address, "-p", port});
  CommandResult client;
  // The server needs a moment before it listens; a refused client ends at once.
  for (int attempt = 0; attempt < 50; ++attempt) {
    client = run_command({"iperf3", "-c", options.target_address, "-B", options.source_address,
                          "-p", port, "-t", kIperfSeconds, "-l", "1M", "-C", "reno", "-J"});
    if (client.exit == 0) break;
  }
  if (client.exit != 0) ::kill(server, SIGTERM);
  wait_for_command(server);
  if (client.exit != 0) return std::nullopt;
  const boost::json::object answer =
      cli::parse_object(client.output).value_or(boost::json::object{});
  const auto& received = cli::object_in(cli::object_in(answer, "end"), "sum_received");
  return static_cast<double>(cli::number_in(received, "bits_per_second")) / kBitsPerGib;
}

}  // namespace

void bench_bulk(const Options& options, Report& report) {
  BulkOptions one_stream;
  one_stream.repeats = 1;
  BulkOptions two_streams = one_stream;
  two_streams.streams = 2;
  Series migration;
  Series mover;
  Series mover_of_two;
  for (std::uint32_t run = 0; run < options.count.value_or(kRuns); ++run) {
    mover.add(measure_mover(one_stream));
    migration.add(measure_migration(one_stream));
    mover_of_two.add(measure_mover(two_streams));
  }
  const double rate = median(migration.gib_per_second);
  const double cpu = median(migration.cpu_seconds_per_gib);
  const Peer peer{"mover", median(mover.gib_per_second)};
  report.add("1 GiB, 1 stream", "rate", rate, "GiB/s", peer);
  report.add("1 GiB, 1 stream", "cpu_per_gib", cpu, "s",
             Peer{"mover", median(mover.cpu_seconds_per_gib)});
  report.add("1 GiB, mover of 2 streams", "rate", median(mover_of_two.gib_per_second), "GiB/s",
             peer);
  const std::optional<double> iperf3 = iperf3_rate(one_stream);
  if (iperf3) {
    report.add("1 GiB, mover", "rate", peer.value, "GiB/s", Peer{"iperf3", *iperf3});
  } else {
    report.say("iperf3 is not installed or failed, so the mover is not compared with it");
  }
  report.expect(rate >= kWantedRatio * peer.value,
                "a migration moves memory at 0.6 of the mover's rate or faster");
  report.expect(cpu <= kWantedCpuSecondsPerGib,
                "a migration takes at most 0.4 CPU seconds a GiB, both sides together");
}

}  // namespace failsim::bench
