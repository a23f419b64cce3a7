// The benches by name, each in a file of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/benchmark/report.h"

namespace failsim::bench {

struct Options {
  std::uint64_t seed = 1;              // of what is drawn at random
  std::optional<std::uint32_t> count;  // how often, instead of what the bench says
  bool is_short = false;               // what says enough in a minute
};

struct Bench {
  std::string name;
  std::string help;
  bool only_when_named = false;  // it takes minutes
  void (*run)(const Options& options, Report& report) = nullptr;
};

void bench_migration(const Options& options, Report& report);
void bench_downtime(const Options& options, Report& report);
void bench_writes(const Options& options, Report& report);
void bench_failover(const Options& options, Report& report);
void bench_virtual(const Options& options, Report& report);
void bench_startup(const Options& options, Report& report);
void bench_migrations(const Options& options, Report& report);
void bench_kills(const Options& options, Report& report);
void bench_cancel(const Options& options, Report& report);
void bench_parallel(const Options& options, Report& report);
void bench_soak(const Options& options, Report& report);

inline std::vector<Bench> all_benches() {
  return {
      {"migration", "memory over loopback, beside a minimal mover, iperf3 and QEMU", false,
       bench_migration},
      {"downtime", "live migrations in a real cluster, against the limit", false, bench_downtime},
      {"writes", "replicated, fsynced property writes a second", false, bench_writes},
      {"failover", "from kill -9 to the VM running elsewhere", false, bench_failover},
      {"virtual", "virtual seconds per wall second", false, bench_virtual},
      {"startup", "start-up time and memory of a node process", false, bench_startup},
      {"migrations", "200 live migrations back to back, all checked", true, bench_migrations},
      {"kills", "100 migrations with a node killed at a random moment", true, bench_kills},
      {"cancel", "300 cancels in each of five situations, how soon they are answered", true,
       bench_cancel},
      {"parallel", "200 modelled and 8 real migrations at once: suspicions, shares", true,
       bench_parallel},
      {"soak", "migrations disturbed at random for --count minutes, each judged", true, bench_soak},
  };
}

}  // namespace failsim::bench
