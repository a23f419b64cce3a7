// How long the guest of a dirtying VM stands still while it moves between processes.
#include "tools/benchmark/bench.h"
#include "tools/benchmark/migration_series.h"

namespace failsim::bench {
namespace {

constexpr std::uint32_t kMigrations = 20;

void measure(const TestCluster& cluster, const std::string& vm, const std::string& dirty_rate,
             const std::string& working_set, std::uint32_t count, Report& report) {
  const std::string of = "256 MiB, " + dirty_rate + " in " + working_set;
  create_dirtying_vm(cluster, vm, dirty_rate, working_set);
  const double before = cluster.cpu_seconds();
  const std::vector<Migrated> migrations = migrate_round(cluster, vm, count, report);
  const double used = cluster.cpu_seconds() - before;
  report_migrations(of, migrations, report);
  report.add(of, "cpu_per_migration", used / count, "s");
  cluster.verb({"vm", "turn-off", vm});
}

}  // namespace

void bench_downtime(const Options& options, Report& report) {
  const std::uint32_t count = options.count.value_or(kMigrations);
  const TestCluster cluster;
  measure(cluster, "calm", "20MiB/s", "32MiB", count, report);
  measure(cluster, "busy", "200MiB/s", "128MiB", count, report);
}

}  // namespace failsim::bench
