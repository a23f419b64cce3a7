// The same migrations in both worlds: real pages between two hypervisors of this process, and a
// modelled VM, of which only the closed forms are known, in virtual time.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/hypervisor.h"
#include "tests/node/hypervisor/world.h"
#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

struct Case {
  pb::DirtyPattern pattern = pb::PATTERN_UNIFORM;
  std::uint64_t memory_mib = 8;
  std::uint64_t working_set_mib = 4;
  std::uint64_t link_mib = 32;      // a second
  std::uint64_t dirty_percent = 0;  // of the link
  Duration downtime_limit = 50 * kMillisecond;
  std::uint32_t max_rounds = 6;
};

const char* word_of(pb::DirtyPattern pattern) {
  if (pattern == pb::PATTERN_SEQUENTIAL) return "in order";
  return pattern == pb::PATTERN_HOT_SET ? "hot set" : "uniform";
}

// For the names of the tests.
void PrintTo(const Case& drawn, std::ostream* out) {
  *out << word_of(drawn.pattern) << ", " << drawn.working_set_mib << " of " << drawn.memory_mib
       << " MiB, at " << drawn.dirty_percent << " % of " << drawn.link_mib << " MiB a second";
}

// None is a near thing: at no end of a round is the downtime that is left within a fifth of its
// limit, nor within what the guest dirties anew in 10 ms. Where it is, a thread that wakes a little
// later than in virtual time leads to a round more or less.
constexpr Case kCases[] = {
    {pb::PATTERN_UNIFORM, 4, 2, 32, 0, 50 * kMillisecond},
    {pb::PATTERN_UNIFORM, 4, 2, 32, 20, 50 * kMillisecond},
    {pb::PATTERN_UNIFORM, 4, 4, 32, 40, 20 * kMillisecond},
    {pb::PATTERN_UNIFORM, 8, 2, 64, 60, 26 * kMillisecond},
    {pb::PATTERN_UNIFORM, 8, 8, 64, 80, 75 * kMillisecond},
    {pb::PATTERN_UNIFORM, 8, 4, 32, 120, 20 * kMillisecond},
    {pb::PATTERN_UNIFORM, 4, 4, 32, 200, 60 * kMillisecond},
    {pb::PATTERN_UNIFORM, 4, 1, 32, 300, 100 * kMillisecond},
    {pb::PATTERN_UNIFORM, 4, 3, 16, 100, 200 * kMillisecond},
    {pb::PATTERN_UNIFORM, 8, 4, 48, 50, 40 * kMillisecond},
    {pb::PATTERN_HOT_SET, 4, 4, 32, 40, 50 * kMillisecond},
    {pb::PATTERN_HOT_SET, 4, 4, 32, 80, 50 * kMillisecond},
    {pb::PATTERN_HOT_SET, 8, 8, 64, 120, 40 * kMillisecond},
    {pb::PATTERN_HOT_SET, 8, 4, 64, 200, 20 * kMillisecond},
    {pb::PATTERN_HOT_SET, 4, 2, 32, 300, 26 * kMillisecond},
    {pb::PATTERN_HOT_SET, 8, 6, 48, 60, 16 * kMillisecond},
    {pb::PATTERN_SEQUENTIAL, 4, 4, 32, 10, 50 * kMillisecond},
    {pb::PATTERN_SEQUENTIAL, 4, 4, 32, 20, 20 * kMillisecond},
    {pb::PATTERN_SEQUENTIAL, 8, 8, 64, 30, 9 * kMillisecond},
    {pb::PATTERN_SEQUENTIAL, 8, 8, 48, 40, 22 * kMillisecond},
};

pb::VmConfig config_of(const Case& drawn) {
  pb::VmConfig config;
  config.set_memory_bytes(drawn.memory_mib * kMebibyte);
  config.set_working_set_bytes(drawn.working_set_mib * kMebibyte);
  config.set_dirty_bytes_per_second(drawn.link_mib * kMebibyte / 100 * drawn.dirty_percent);
  config.set_pattern(drawn.pattern);
  return config;
}

pb::MigrationParameters parameters_of(const Case& drawn) {
  pb::MigrationParameters parameters;
  parameters.set_bandwidth_bytes_per_second(drawn.link_mib * kMebibyte);
  parameters.set_downtime_limit_ns(drawn.downtime_limit);
  parameters.set_max_rounds(drawn.max_rounds);
  return parameters;
}

// What a migration was like.
struct Course {
  int rounds = 0;
  std::uint64_t bytes = 0;
  Duration total = 0;  // of the rounds, and the downtime
  Duration downtime = 0;
};

template <typename Rounds>
Course course_of(const Rounds& rounds, Duration downtime) {
  Course course{0, 0, downtime, downtime};
  for (const pb::MigrationRound& round : rounds) {
    ++course.rounds;
    course.bytes += round.sent_bytes();
    course.total += round.duration_ns();
  }
  return course;
}

// Virtual time knows nothing of the machine. A busy one lets a thread wait for milliseconds
// whenever it wakes, and has little time for those of a node, which are modest (threads.h). While
// this lives the clock-drift of faults has the nodes of this process live ten times as slowly: by
// their clock such a wait is a tenth as long, and what they do in a second has ten seconds of the
// machine. It is the same code with the same numbers, on a machine that is ten times as fast.
class SlowClock {
 public:
  SlowClock() { node::set_clock_drift(-900'000); }
  ~SlowClock() { node::set_clock_drift(0); }
  SlowClock(const SlowClock&) = delete;
  SlowClock& operator=(const SlowClock&) = delete;
};

// The guest begins to write when its migration connects. What one that writes in order dirties
// depends on where it is when the first round begins: a modelled one is at its first page, and how
// far this one would have come while the target was prepared depends on the machine.
class WriterOnceConnected final : public node::SoundWorld {
 public:
  std::unique_ptr<node::DataFaults> connection_to(NodeId) override {
    is_connected_ = true;
    return nullptr;
  }
  std::optional<std::uint64_t> dirty_rate(const std::string&) override {
    return is_connected_ ? std::nullopt : std::optional<std::uint64_t>(0);
  }

 private:
  std::atomic<bool> is_connected_ = false;
};

Course on_processes(const Case& drawn) {
  const SlowClock slow;
  WriterOnceConnected writer;
  node::VolumeInMemory volume;
  node::TestNode one(volume, 1, 64 * kMebibyte, nullptr, &writer);
  node::TestNode two(volume, 2, 64 * kMebibyte);
  one.lease(3600 * kSecond);
  two.lease(3600 * kSecond);
  node::TestVm vm;
  vm.config = config_of(drawn);
  vm.parameters = parameters_of(drawn);
  one.order(vm.want(pb::GUEST_RUNNING));
  one.await(pb::CONDITION_RUNNING);
  TransferReport converged;
  const TransferReport checked = node::migrate(one, 1, two, 2, vm, &converged);
  EXPECT_EQ(checked.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << checked.error;
  return course_of(converged.rounds, checked.statistics.downtime_ns());
}

class TwoWorlds : public Story, public testing::WithParamInterface<Case> {
 protected:
  Course in_virtual_time(const Case& drawn) {
    begin();
    const NodeId source = leader();
    pb::VmConfig config = config_of(drawn);
    config.set_modelled(true);
    run_vm("web", source, config);
    wait_for_task(migrate("web", node_beside({source}), parameters_of(drawn)).task());
    const pb::MigrationJob& job = last_job("web");
    return course_of(job.rounds(), job.statistics().downtime_ns());
  }
};

// Of a number and an amount that the rest of the way costs in one world and not in the other: the
// wake-up of threads here, the agreement of three nodes there.
void expect_near(const char* what, std::int64_t real, std::int64_t told, std::int64_t slack) {
  EXPECT_LE(std::abs(real - told), real * 15 / 100 + slack)
      << what << ": " << real << " on processes, " << told << " in virtual time";
}

TEST_P(TwoWorlds, TellTheSame) {
  const Course real = on_processes(GetParam());
  const Course told = in_virtual_time(GetParam());
  expect_near("rounds", real.rounds, told.rounds, 1);
  expect_near("bytes", static_cast<std::int64_t>(real.bytes), static_cast<std::int64_t>(told.bytes),
              16 * kPageBytes);
  expect_near("total, in ns", real.total, told.total, 30 * kMillisecond);
  expect_near("downtime, in ns", real.downtime, told.downtime, 30 * kMillisecond);
  RecordProperty("rounds", std::to_string(real.rounds) + " " + std::to_string(told.rounds));
  RecordProperty("bytes", std::to_string(real.bytes) + " " + std::to_string(told.bytes));
  RecordProperty("total_ns", std::to_string(real.total) + " " + std::to_string(told.total));
  RecordProperty("downtime_ns",
                 std::to_string(real.downtime) + " " + std::to_string(told.downtime));
}

INSTANTIATE_TEST_SUITE_P(Cases, TwoWorlds, testing::ValuesIn(kCases));

}  // namespace
}  // namespace failsim::sim
