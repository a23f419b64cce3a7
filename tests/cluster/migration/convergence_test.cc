#include "cluster/migration/convergence.h"

#include <gtest/gtest.h>

#include "tests/cluster/migration/random_migrations.h"
#include "tests/cluster/migration/simulated_precopy.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

PrecopyCourse course_of(const DirtyModel& guest, std::uint64_t link) {
  return PrecopyCourse::behind(DirtyHabit::even(guest), 0, link, 500 * kMillisecond);
}

// 64 MiB written through three times a round over 128 MiB/s: the row of QEMU that never ended.
Standing never_ending() {
  Standing standing;
  standing.course = course_of({384 * kMiB, 64 * kMiB}, 128 * kMiB);
  standing.downtime_limit = 300 * kMillisecond;
  standing.rounds_left = 27;
  return standing;
}

TEST(Outlook, AFullSpeedDirtierConvergesIfItsWorkingSetFits) {
  Standing standing = never_ending();
  EXPECT_FALSE(look_ahead(standing).converges);
  EXPECT_TRUE(look_ahead(standing).levels_off);
  standing.downtime_limit = 500 * kMillisecond;  // W <= R L
  EXPECT_TRUE(look_ahead(standing).converges);
}

TEST(Outlook, AGuestSlowerThanTheLinkConvergesIfItMay) {
  Standing standing = never_ending();
  standing.course = course_of({100 * kMiB, 64 * kMiB}, 128 * kMiB);
  standing.downtime_limit = 5 * kMillisecond;
  const Outlook outlook = look_ahead(standing);
  EXPECT_TRUE(outlook.converges);
  ASSERT_GT(outlook.rounds, 2u);
  standing.rounds_left = outlook.rounds - 1;
  EXPECT_FALSE(look_ahead(standing).converges) << "too few rounds";
  standing.rounds_left = 27;
  standing.time_left = 100 * kMillisecond;
  EXPECT_FALSE(look_ahead(standing).converges) << "too little time";
  standing.time_left = kNever;
  standing.bytes_left = kMiB;
  EXPECT_FALSE(look_ahead(standing).converges) << "too few bytes";
}

TEST(Outlook, NothingIsSaidOfAnUnknownLink) {
  Standing standing = never_ending();
  standing.course.set_link(0);
  EXPECT_TRUE(look_ahead(standing).converges);
}

TEST(Sentence, SaysWhatWasMeasuredAndWhatWouldDo) {
  EXPECT_EQ(
      not_converging_sentence(never_ending()),
      "the guest dirties 384 MiB/s in a working set of 64 MiB and the link carries 128 MiB/s, so "
      "at best 43.1 MiB stay dirty, which is 336 ms of downtime where 300 ms are allowed; what "
      "would do is a downtime limit of 380 ms, a bandwidth of 158.4 MiB/s or a guest throttled by "
      "27 % to 280.3 MiB/s");
}

TEST(Remedies, MoreRoundsWhereItOnlyTakesLong) {
  Standing standing = never_ending();
  standing.course = course_of({100 * kMiB, 64 * kMiB}, 128 * kMiB);
  standing.downtime_limit = 5 * kMillisecond;
  const std::uint32_t needed = look_ahead(standing).rounds;
  standing.rounds_left = 2;
  EXPECT_EQ(remedies(standing).rounds, needed - 2);
}

// Each remedy is tried alone, on the guest as it is.
TEST(Remedies, DoWhatTheySay) {
  Random random(5);
  int tried = 0;
  int did = 0;
  const auto converges = [&](const DrawnMigration& drawn) {
    SimulatedPrecopy real(drawn.config, drawn.link_bytes_per_second, random.next());
    PrecopyPolicy policy(drawn.settings, drawn.config.memory_bytes());
    return real.run(policy) == PrecopyDecision::kSwitch;
  };
  for (int i = 0; i < 100; ++i) {
    const DrawnMigration drawn = draw_migration(random);
    if (converges(drawn)) continue;
    Standing standing;
    standing.course = PrecopyCourse::behind(
        DirtyHabit::even(drawn.guest()), 0, drawn.link_bytes_per_second,
        time_to_send(drawn.config.working_set_bytes(), drawn.link_bytes_per_second));
    standing.downtime_limit = drawn.settings.downtime_limit;
    standing.fixed_downtime = expected_fixed_downtime(drawn.settings.downtime_limit);
    standing.rounds_left = 27;
    const Remedies would_do = remedies(standing);
    DrawnMigration other = drawn;
    other.settings.downtime_limit = would_do.downtime_limit.value_or(0);
    ++tried;
    did += converges(other);
    other = drawn;
    other.link_bytes_per_second = would_do.link_bytes_per_second.value_or(1);
    ++tried;
    did += converges(other);
    other = drawn;
    if (!would_do.throttle_percent) continue;
    other.config.set_dirty_bytes_per_second(would_do.dirty_bytes_per_second);
    ++tried;
    did += converges(other);
  }
  RecordProperty("tried", tried);
  RecordProperty("did", did);
  EXPECT_GE(tried, 100);
  EXPECT_GE(did * 100, tried * 95);
}

}  // namespace
}  // namespace failsim
