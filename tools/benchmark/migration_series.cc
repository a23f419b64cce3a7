#include "tools/benchmark/migration_series.h"

#include <algorithm>

#include "tools/benchmark/statistics.h"

namespace failsim::bench {
namespace {

Migrated from_json(const json::object& migration) {
  const auto number = [&](const char* key) {
    return static_cast<double>(cli::number_in(migration, key));
  };
  Migrated migrated;
  migrated.to = cli::text_in(migration, "to");
  migrated.downtime_ms = number("downtime_ms");
  migrated.limit_ms = number("downtime_limit_ms");
  migrated.cause = cli::text_in(migration, "downtime_cause");
  migrated.total_ms = number("total_ms");
  migrated.bytes_sent = number("bytes_sent");
  migrated.rounds = number("rounds");
  migrated.digest_match = cli::flag_in(migration, "digest_match");
  migrated.was_said_to_fit = !cli::flag_in(migration, "forced_switch");
  const json::array& rounds = migration.at("rounds_record").as_array();
  if (!rounds.empty()) {
    const json::object& last = rounds.back().as_object();
    const auto rate = static_cast<double>(cli::number_in(last, "sent_bytes_per_second"));
    const auto dirty = static_cast<double>(cli::number_in(last, "bytes_dirty"));
    if (rate > 0) migrated.last_pages_ms = dirty / rate * 1000;
  }
  return migrated;
}

std::vector<double> column(const std::vector<Migrated>& migrations, double Migrated::*field) {
  std::vector<double> values;
  for (const Migrated& migrated : migrations) values.push_back(migrated.*field);
  return values;
}

void expect_named_excesses(const std::vector<Migrated>& migrations, Report& report) {
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const Migrated& migrated = migrations[i];
    if (migrated.downtime_ms <= migrated.limit_ms) continue;
    const std::string which = "migration " + std::to_string(i + 1) + " to " + migrated.to +
                              " stood still for " +
                              std::to_string(static_cast<int>(migrated.downtime_ms)) + " ms";
    report.say(which + ": " + migrated.cause);
    report.expect(!migrated.cause.empty(), which + " and names the cause");
  }
}

}  // namespace

void create_dirtying_vm(const TestCluster& cluster, const std::string& vm,
                        const std::string& dirty_rate, const std::string& working_set) {
  cluster.verb({"vm", "create", vm, "--memory", "256MiB", "--owner", "node-1", "--dirty-rate",
                dirty_rate, "--working-set", working_set, "--start"});
}

std::vector<Migrated> migrate_round(const TestCluster& cluster, const std::string& vm,
                                    std::uint32_t count, Report& report) {
  const std::vector<std::string> nodes = cluster.nodes();
  std::vector<Migrated> done;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string owner = cli::text_in(cluster.vm(vm), "owner_node");
    const auto here = std::find(nodes.begin(), nodes.end(), owner);
    const std::string next =
        here == nodes.end() || here + 1 == nodes.end() ? nodes.front() : *(here + 1);
    const VerbResult result = cluster.try_verb({"migrate", vm, "--to", next});
    report.expect(result.exit == 0, "migration " + std::to_string(i + 1) + " from " + owner +
                                        " to " + next + " succeeds (status " +
                                        std::to_string(result.exit) + ": " + result.message + ")");
    if (result.exit != 0) continue;
    done.push_back(from_json(result.answer.as_object()));
    if ((i + 1) % 20 == 0) report.say(std::to_string(i + 1) + " migrations done");
  }
  return done;
}

void report_migrations(const std::string& of, const std::vector<Migrated>& migrations,
                       Report& report) {
  report.expect(!migrations.empty(), of + ": at least one migration succeeds");
  if (migrations.empty()) return;
  const std::vector<double> downtime = column(migrations, &Migrated::downtime_ms);
  const Peer limit{"limit", migrations.front().limit_ms};
  const auto count = [&](const auto& holds) {
    return static_cast<std::size_t>(std::count_if(migrations.begin(), migrations.end(), holds));
  };
  const std::size_t fitting =
      count([](const Migrated& migrated) { return migrated.was_said_to_fit; });
  const std::size_t within = count([](const Migrated& migrated) {
    return migrated.was_said_to_fit && migrated.downtime_ms <= migrated.limit_ms;
  });
  std::vector<double> beside_pages;
  for (const Migrated& migrated : migrations) {
    beside_pages.push_back(migrated.downtime_ms - migrated.last_pages_ms);
  }
  const std::size_t matching =
      count([](const Migrated& migrated) { return migrated.digest_match; });
  const auto all = static_cast<double>(migrations.size());

  report.add(of, "downtime_p50", percentile(downtime, 50), "ms", limit);
  report.add(of, "downtime_p99", percentile(downtime, 99), "ms", limit);
  report.add(of, "downtime_max", maximum(downtime), "ms", limit);
  report.add(of, "within_limit", static_cast<double>(within), "migrations",
             Peer{"said to fit", static_cast<double>(fitting)});
  report.add(of, "beside_last_pages_p50", percentile(beside_pages, 50), "ms", Peer{"wanted", 5});
  report.add(of, "beside_last_pages_p99", percentile(beside_pages, 99), "ms", Peer{"wanted", 20});
  report.add(of, "digest_match", static_cast<double>(matching), "migrations", Peer{"all", all});
  report.add(of, "total_p50", median(column(migrations, &Migrated::total_ms)), "ms");
  report.add(of, "sent_p50", median(column(migrations, &Migrated::bytes_sent)) / (1 << 20), "MiB");
  report.add(of, "rounds_p50", median(column(migrations, &Migrated::rounds)), "rounds");

  report.expect(matching == migrations.size(), of + ": every digest matches");
  report.expect(within >= fitting - fitting / 100,
                of + ": 99 of a hundred that were said to fit keep the downtime limit (" +
                    std::to_string(within) + " of " + std::to_string(fitting) + " did)");
  expect_named_excesses(migrations, report);
}

}  // namespace failsim::bench
