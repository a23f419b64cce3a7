// Random faults in virtual time; the world checks every rule at every step.
#include <cstdlib>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "raft_world.h"

namespace failsim::raft {
namespace {

WorldOptions options_of(std::uint64_t seed) {
  Random random(seed);
  WorldOptions options;
  options.seed = seed;
  options.members = static_cast<std::uint32_t>(1 + random.below(6));
  options.delay_least = 200 * kMicrosecond;
  options.delay_most = static_cast<Duration>(1 + random.below(30)) * kMillisecond;
  options.loss_per_mille = random.below(60);
  options.repeat_per_mille = random.below(60);
  options.sync_least = 100 * kMicrosecond;
  options.sync_most = static_cast<Duration>(1 + random.below(20)) * kMillisecond;
  options.compact_every = random.below(4) == 0 ? 0 : 2 + random.below(12);
  options.keep_entries = random.below(6);
  options.max_append_bytes = 64 + random.below(400);
  options.max_in_flight = 1 + random.below(8);
  return options;
}

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed)
      : options_(options_of(seed)), random_(~seed), world_(options_) {}

  // Returns the history, the same for the same seed.
  std::uint64_t run() {
    const Time end = 30 * kSecond;
    while (world_.now() < end && !::testing::Test::HasFailure()) {
      world_.run_for(milliseconds(1, 120));
      act();
    }
    calm_down();
    return world_.history();
  }

 private:
  NodeId anyone() { return static_cast<NodeId>(1 + random_.below(options_.members)); }
  Duration milliseconds(std::uint64_t least, std::uint64_t most) {
    return static_cast<Duration>(least + random_.below(most - least)) * kMillisecond;
  }

  void act() {
    const NodeId id = anyone();
    const std::uint64_t drawn = random_.below(100);
    if (drawn < 50) return work();
    if (drawn < 60) return crash_or_start(id);
    if (drawn < 68) return world_.cut(id, anyone());
    if (drawn < 72) return world_.isolate(id);
    if (drawn < 82) return world_.heal();
    if (drawn < 86) return world_.stall_disk(id, milliseconds(10, 1500));
    if (drawn < 92) return start_everybody();
    if (!world_.is_up(id)) return;
    if (drawn < 96) return world_.stop_for(id, milliseconds(10, 3000));
    if (drawn < 97 && !stopped(id)) return world_.step_down(id);
    if (drawn == 99 && random_.below(4) == 0) return replace_disk(id);
  }

  // One voter at most: more could lose the quorum for ever.
  void replace_disk(NodeId id) {
    if (options_.members < 3 || blank_ != kNoNode) return;
    blank_ = id;
    if (world_.is_up(id)) world_.crash(id);
    world_.format_store(id);
    world_.start(id);
  }

  // Whoever believes to lead is asked, also a leader that is deposed and does not know.
  void work() {
    for (NodeId id = 1; id <= options_.members; ++id) {
      if (!world_.is_up(id) || stopped(id) || !world_.raft(id).leads()) continue;
      world_.confirm(id, ++nonce_);
      for (std::uint64_t count = random_.below(6); count > 0; --count) {
        world_.propose(
            id, "command " + std::to_string(++commands_) + std::string(random_.below(100), '.'));
      }
      if (random_.below(2) == 0) world_.confirm(id, ++nonce_);
      if (random_.below(12) == 0) lose_while_writing(id);
    }
  }

  // What a leader has sent and stored is then a matter of luck.
  void lose_while_writing(NodeId id) {
    world_.run_for(milliseconds(0, 20));
    if (world_.is_up(id)) world_.crash(id);
    world_.run_for(milliseconds(0, 1500));
    if (!world_.is_up(id)) world_.start(id);
  }

  void crash_or_start(NodeId id) {
    if (world_.is_up(id)) {
      world_.crash(id);
    } else {
      world_.start(id);
    }
  }

  void start_everybody() {
    for (NodeId id = 1; id <= options_.members; ++id) {
      if (!world_.is_up(id)) world_.start(id);
    }
  }

  bool stopped(NodeId id) const { return world_.is_stopped(id); }

  void calm_down() {
    if (::testing::Test::HasFailure()) return;
    world_.heal();
    world_.set_loss(0);
    start_everybody();
    if (blank_ != kNoNode) world_.crash(blank_);  // no voter any more: nobody waits for it
    world_.run_for(8 * kSecond);
    const NodeId leader = world_.ready_leader();
    ASSERT_NE(leader, kNoNode) << "nobody leads after healing";
    const auto index = world_.propose(leader, "the last word");
    ASSERT_TRUE(index.has_value());
    world_.confirm(leader, ++nonce_);
    EXPECT_TRUE(world_.spread(*index)) << "no progress after healing";
    EXPECT_TRUE(world_.run_until([&] { return world_.is_confirmed(nonce_); }));
  }

  WorldOptions options_;
  Random random_;
  RaftWorld world_;
  std::uint64_t commands_ = 0;
  std::uint64_t nonce_ = 0;
  NodeId blank_ = kNoNode;  // whose disk was replaced
};

std::uint64_t seeds_from_environment(std::uint64_t otherwise) {
  const char* seeds = std::getenv("FAILSIM_RAFT_SEEDS");
  return seeds == nullptr ? otherwise : std::stoull(seeds);
}

TEST(RaftChaos, RulesHoldUnderEveryFaultAndProgressReturns) {
  const std::uint64_t seeds = seeds_from_environment(60);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos(seed).run();
    if (HasFailure()) return;
  }
}

TEST(RaftChaos, TheSameSeedIsTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) EXPECT_EQ(Chaos(seed).run(), Chaos(seed).run());
}

}  // namespace
}  // namespace failsim::raft
