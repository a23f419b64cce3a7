// Many live migrations back to back, with everything checked that can be.
#include "tools/benchmark/bench.h"
#include "tools/benchmark/guest_watch.h"
#include "tools/benchmark/journals.h"
#include "tools/benchmark/migration_series.h"

namespace failsim::bench {
namespace {

constexpr std::uint32_t kMigrations = 200;
constexpr char kVm[] = "web";

}  // namespace

void bench_migrations(const Options& options, Report& report) {
  const std::uint32_t count = options.count.value_or(kMigrations);
  const std::string of = std::to_string(count) + " back to back";
  TestCluster cluster;
  create_dirtying_vm(cluster, kVm, "20MiB/s", "32MiB");
  const double before = cluster.cpu_seconds();
  std::vector<Migrated> migrations;
  {
    const GuestWatch watch(cluster, kVm);
    migrations = migrate_round(cluster, kVm, count, report);
    report.expect(watch.sightings() > 0, "the guest was seen");
    report.expect(watch.wrong().empty(), "the guest counts on: " + watch.wrong());
    report.add(of, "guest_sightings", static_cast<double>(watch.sightings()), "reads");
  }
  const double used = cluster.cpu_seconds() - before;
  report.expect(migrations.size() == count, "all " + std::to_string(count) + " succeed");
  report_migrations(of, migrations, report);
  report.add(of, "cpu_per_migration", used / count, "s");

  cluster.down();  // the journal is then complete
  const JournalSummary journal = expect_sound_journal(cluster.directory(), kVm, report);
  report.expect(journal.owners > migrations.size(),
                "the journal has an owner for the start and for each migration");
  report.add(of, "journal_owners", static_cast<double>(journal.owners), "registrations");
  report.add(of, "journal_counter", static_cast<double>(journal.counter), "values");
}

}  // namespace failsim::bench
