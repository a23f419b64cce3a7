// How fast a live migration moves memory, beside the simplest program that moves as much, iperf3,
// and QEMU's own live migration where they are installed. The runs of all alternate, because
// machines drift: what counts is the ratio within one run, and the CPU seconds.
#include <csignal>
#include <functional>

#include <boost/json/object.hpp>
#include <sys/mman.h>

#include "cluster/migration/precopy.h"
#include "tools/benchmark/bench.h"
#include "tools/benchmark/command.h"
#include "tools/benchmark/mover.h"
#include "tools/benchmark/qemu_peer.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/zero_scan.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"

namespace failsim::bench {
namespace {

constexpr std::uint32_t kRuns = 5;
constexpr std::uint32_t kShortRuns = 2;
constexpr std::uint32_t kRepeatsOfLarge = 3;
constexpr double kWantedOfMover[] = {0.65, 0.6};  // with 1 and 2 streams
constexpr double kWantedOfQemu = 2;
constexpr double kWantedCpuOfQemu = 0.5;
constexpr double kWantedCpuSecondsPerGib = 0.4;  // both sides
constexpr double kWantedOfWalk = 0.6;
constexpr double kWantedZeroBytes = 0.005;
constexpr double kWantedOfOneGib = 0.7;  // of the rate of 1 GiB, for 4 GiB
constexpr double kBitsPerGib = 8.0 * (1 << 30);
constexpr char kIperfSeconds[] = "3";

// Below a virtual machine may lie a hypervisor that gives its memory back and forth: the first to
// ask for it would pay for that, which is neither ours nor the peer's. So it is asked for once
// before.
void take_memory_once(std::uint64_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;  // the measure that follows says so
  ::madvise(memory, bytes, MADV_HUGEPAGE);
  auto* const start = static_cast<volatile std::byte*>(memory);
  for (std::uint64_t at = 0; at < bytes; at += kPageBytes) start[at] = std::byte{1};
  ::munmap(memory, bytes);
}

using Measure = std::function<Result<BulkFigure>(const BulkOptions&)>;

// The medians of one side of a comparison.
struct Series {
  std::string name;
  Measure measure;
  std::vector<double> gib_per_second = {};
  std::vector<double> source_cpu = {};
  std::vector<double> target_cpu = {};
  std::vector<double> cpu = {};
  std::vector<double> seconds = {};
  std::vector<double> downtime_ms = {};

  void run(BulkOptions options) {
    options.repeats = 1;
    if (options.is_cold) take_memory_once(2 * options.bytes);
    const Result<BulkFigure> figure = measure(options);
    if (!figure.ok()) cli::fail(figure.error());
    const BulkFigure& value = figure.value();
    gib_per_second.push_back(value.gib_per_second);
    source_cpu.push_back(value.source_cpu_seconds_per_gib);
    target_cpu.push_back(value.target_cpu_seconds_per_gib);
    cpu.push_back(value.source_cpu_seconds_per_gib + value.target_cpu_seconds_per_gib);
    seconds.push_back(value.seconds);
    downtime_ms.push_back(value.downtime_seconds * 1000);
  }
};

// GiB/s of iperf3 with one stream between the same addresses; nothing if it is not there.
std::optional<double> iperf3_rate(const BulkOptions& options) {
  if (run_command({"sh", "-c", "command -v iperf3"}).exit != 0) return std::nullopt;
  const std::string port = std::to_string(options.port);
  const pid_t server =
      start_command({"iperf3", "-s", "-1", "-B", options.target_address, "-p", port});
  // The server needs a moment before it listens. A client that was refused says so in its answer,
  // which then has no rate; its exit status does not tell.
  double bits_per_second = 0;
  for (int attempt = 0; attempt < 50 && bits_per_second == 0; ++attempt) {
    const CommandResult client =
        run_command({"iperf3", "-c", options.target_address, "-B", options.source_address, "-p",
                     port, "-t", kIperfSeconds, "-l", "1M", "-C", "reno", "-J"});
    const boost::json::object answer =
        cli::parse_object(client.output).value_or(boost::json::object{});
    const auto& received = cli::object_in(cli::object_in(answer, "end"), "sum_received");
    bits_per_second = static_cast<double>(cli::number_in(received, "bits_per_second"));
  }
  // It serves one client and ends, but one that it has never answered counts for it, too.
  ::kill(server, SIGTERM);
  wait_for_command(server);
  if (bits_per_second == 0) return std::nullopt;
  return bits_per_second / kBitsPerGib;
}

// One kind of migration beside its peers, run in turns.
class Comparison {
 public:
  Comparison(std::string of, const BulkOptions& options, Report& report)
      : of_(std::move(of)), options_(options), report_(report) {}

  Comparison& with(const std::string& name, Measure measure) {
    sides_.push_back({name, std::move(measure)});
    return *this;
  }
  void run(std::uint32_t runs) {
    for (std::uint32_t run = 0; run < runs; ++run) {
      for (Series& side : sides_) side.run(options_);
    }
    const Series& ours = sides_.front();
    add("rate", "GiB/s", &Series::gib_per_second);
    report_.add(of_, "source_cpu_per_gib", median(ours.source_cpu), "s");
    report_.add(of_, "target_cpu_per_gib", median(ours.target_cpu), "s");
    add("cpu_per_gib", "s", &Series::cpu);
  }
  void add(const std::string& metric, const std::string& unit, std::vector<double> Series::*of) {
    const double ours = median(sides_.front().*of);
    if (sides_.size() == 1) report_.add(of_, metric, ours, unit);
    for (std::size_t i = 1; i < sides_.size(); ++i) {
      report_.add(of_, metric, ours, unit, Peer{sides_[i].name, median(sides_[i].*of)});
    }
  }
  double of(std::size_t side, std::vector<double> Series::*figures) const {
    return median(sides_[side].*figures);
  }

 private:
  const std::string of_;
  const BulkOptions options_;
  Report& report_;
  std::vector<Series> sides_;
};

class MigrationBench {
 public:
  MigrationBench(const Options& options, Report& report)
      : runs_(options.count.value_or(options.is_short ? kShortRuns : kRuns)),
        is_short_(options.is_short),
        qemu_(qemu_version()),
        report_(report) {
    if (!qemu_) report_.say("QEMU is not installed, so migrations are not compared with its own");
  }

  void run() {
    incompressible();
    four_gib();
    cold();
    zero();
    dirtying();
    iperf3();
  }

 private:
  Comparison compared(const std::string& of, const BulkOptions& options) {
    Comparison comparison(of, options, report_);
    comparison.with("migration", measure_migration);
    if (qemu_) comparison.with(*qemu_, measure_qemu);
    return comparison;
  }
  std::size_t mover_side() const { return qemu_ ? 2 : 1; }

  void incompressible() {
    for (const unsigned streams : {1u, 2u, 4u}) {
      if (is_short_ && streams > 2) continue;
      BulkOptions options;
      options.streams = streams;
      const std::string of =
          "1 GiB, " + std::to_string(streams) + (streams == 1 ? " stream" : " streams");
      Comparison comparison = compared(of, options);
      comparison.with("mover", measure_mover);
      comparison.run(runs_);
      const double rate = comparison.of(0, &Series::gib_per_second);
      const double cpu = comparison.of(0, &Series::cpu);
      if (streams == 1) one_gib_rate_ = rate;
      if (streams > 2) continue;
      const double share = kWantedOfMover[streams - 1];
      report_.expect(rate >= share * comparison.of(mover_side(), &Series::gib_per_second),
                     of + ": a migration has " + (streams == 1 ? "0.65" : "0.6") +
                         " of the mover's rate or more");
      report_.expect(cpu <= kWantedCpuSecondsPerGib,
                     of + ": a migration takes at most 0.4 CPU seconds a GiB, both sides together");
      if (!qemu_) continue;
      report_.expect(rate >= kWantedOfQemu * comparison.of(1, &Series::gib_per_second),
                     of + ": a migration is at least twice as fast as QEMU's");
      report_.expect(cpu <= kWantedCpuOfQemu * comparison.of(1, &Series::cpu),
                     of + ": a migration takes at most half the CPU of QEMU's");
    }
  }

  void four_gib() {
    if (is_short_) return;
    BulkOptions options;
    options.bytes = std::uint64_t{4} << 30;
    options.streams = 1;
    Comparison comparison = compared("4 GiB, 1 stream", options);
    comparison.run(std::min(runs_, kShortRuns));
    // In one pair of processes: the first time also pays for what lies below a virtual machine.
    options.repeats = kRepeatsOfLarge;
    const Result<BulkFigure> repeated = measure_migration(options);
    if (!repeated.ok()) cli::fail(repeated.error());
    const double rate = repeated.value().gib_per_second;
    report_.add("4 GiB, 1 stream, again and again", "rate", rate, "GiB/s",
                Peer{"1 GiB", one_gib_rate_});
    report_.expect(rate >= kWantedOfOneGib * one_gib_rate_,
                   "4 GiB take about four times as long as 1 GiB");
  }

  // With the preparation of the target: ours touches its memory then, QEMU's in the transfer.
  void cold() {
    BulkOptions options;
    options.is_cold = true;
    compared("1 GiB, cold target", options).run(is_short_ ? 1 : runs_);
  }

  void zero() {
    BulkOptions options;
    options.content = Content::kZero;
    compared("1 GiB of zeros, never touched", options).run(runs_);
    const Result<ZeroScan> scan = measure_zero_scan(options.bytes);
    if (!scan.ok()) cli::fail(scan.error());
    const ZeroScan& found = scan.value();
    const std::string of = "1 GiB of zeros, touched";
    report_.add(of, "scan_rate", found.scan_gib_per_second, "GiB/s",
                Peer{"read-only walk", found.walk_gib_per_second});
    report_.add(of, "sent_share", found.bytes_on_the_wire, "");
    report_.expect(found.scan_gib_per_second >= kWantedOfWalk * found.walk_gib_per_second,
                   "zero pages are found at 0.6 of a read-only walk or faster");
    report_.expect(found.bytes_on_the_wire < kWantedZeroBytes,
                   "zero pages take less than half a percent of their bytes");
  }

  void dirtying() {
    BulkOptions options;
    options.content = Content::kDirtying;
    Comparison comparison = compared("1 GiB, 64 MiB swept all the time", options);
    comparison.run(is_short_ ? 1 : runs_);
    comparison.add("total", "s", &Series::seconds);
    comparison.add("downtime", "ms", &Series::downtime_ms);
  }

  void iperf3() {
    const BulkOptions options;
    const Result<BulkFigure> mover = measure_mover(options);
    if (!mover.ok()) cli::fail(mover.error());
    const std::optional<double> rate = iperf3_rate(options);
    if (rate) {
      report_.add("1 GiB, mover", "rate", mover.value().gib_per_second, "GiB/s",
                  Peer{"iperf3", *rate});
    } else {
      report_.say("iperf3 is not installed or failed, so the mover is not compared with it");
    }
  }

  const std::uint32_t runs_;
  const bool is_short_;
  const std::optional<std::string> qemu_;
  Report& report_;
  double one_gib_rate_ = 0;
};

}  // namespace

void bench_migration(const Options& options, Report& report) {
  MigrationBench(options, report).run();
}

}  // namespace failsim::bench
