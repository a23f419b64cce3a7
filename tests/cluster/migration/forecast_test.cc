#include "cluster/migration/forecast.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/cluster/migration/random_migrations.h"
#include "tests/cluster/migration/simulated_precopy.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr int kCases = 300;

MigrationForecast forecast_of(const DrawnMigration& drawn) {
  const DirtyReading reading =
      drawn.config.modelled() ? DirtyReading::kAtOnce : DirtyReading::kPageByPage;
  return forecast(drawn.settings, drawn.config.memory_bytes(), drawn.guest(), reading,
                  drawn.link_bytes_per_second);
}

bool within_percent(Duration told, Duration real, Duration percent) {
  return std::abs(told - real) <= real / 100 * percent;
}

// Held against a guest that writes page by page, and a policy that knows only what it measures.
TEST(Forecast, IsRightInThreeHundredMigrations) {
  Random random(1);
  int verdicts = 0;
  int totals = 0;
  int downtimes = 0;
  int converged = 0;
  for (int i = 0; i < kCases; ++i) {
    const DrawnMigration drawn = draw_migration(random);
    const MigrationForecast told = forecast_of(drawn);
    SimulatedPrecopy real(drawn.config, drawn.link_bytes_per_second, random.next());
    PrecopyPolicy policy(drawn.settings, drawn.config.memory_bytes(), real.reading());
    const PrecopyDecision ended = real.run(policy);
    const Duration downtime = real.downtime(drawn.settings);
    converged += ended == PrecopyDecision::kSwitch;
    verdicts += told.ends_with == ended;
    totals += within_percent(told.total, real.elapsed() + downtime, 15);
    downtimes += within_percent(told.downtime, downtime, 25);
  }
  RecordProperty("converged", converged);
  RecordProperty("verdicts", verdicts);
  RecordProperty("totals", totals);
  RecordProperty("downtimes", downtimes);
  EXPECT_GE(verdicts, kCases * 95 / 100);
  EXPECT_GE(totals, kCases * 95 / 100) << "within 15 %";
  EXPECT_GE(downtimes, kCases * 95 / 100) << "within 25 %";
  EXPECT_GE(converged, kCases / 4) << "of the cases that were drawn";
  EXPECT_LE(converged, kCases * 3 / 4);
}

TEST(Forecast, OfAnIdleGuestIsOneRoundAndTheFixedPart) {
  const MigrationForecast told =
      forecast({}, 256 * kMiB, DirtyModel{}, DirtyReading::kPageByPage, 256 * kMiB);
  EXPECT_EQ(told.ends_with, PrecopyDecision::kSwitch);
  EXPECT_EQ(told.rounds, 1u);
  EXPECT_EQ(told.sent_bytes, 256 * kMiB);
  EXPECT_EQ(told.downtime, 20 * kMillisecond);
  EXPECT_EQ(told.total, kSecond + 20 * kMillisecond);
}

TEST(Forecast, OfAMigrationThatMustConvergeAndWillNotHasNoDowntime) {
  PrecopySettings settings;
  settings.on_no_convergence = pb::NO_CONVERGENCE_FAIL;
  const MigrationForecast told =
      forecast(settings, 256 * kMiB, {256 * kMiB, 64 * kMiB}, DirtyReading::kPageByPage, 64 * kMiB);
  EXPECT_EQ(told.ends_with, PrecopyDecision::kFail);
  EXPECT_EQ(told.rounds, 3u);
  EXPECT_EQ(told.downtime, 0);
  EXPECT_NE(told.not_converging, "");
}

TEST(Forecast, NoLinkIsFasterThanTheBandwidthLimit) {
  PrecopySettings settings;
  settings.bandwidth_bytes_per_second = 64 * kMiB;
  const MigrationForecast told =
      forecast(settings, 256 * kMiB, DirtyModel{}, DirtyReading::kPageByPage, 256 * kMiB);
  EXPECT_EQ(told.total, 4 * kSecond + 20 * kMillisecond);
}

}  // namespace
}  // namespace failsim
