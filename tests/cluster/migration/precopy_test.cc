#include "cluster/migration/precopy.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/random.h"

namespace failsim {
namespace {

std::vector<std::uint64_t> pages_in(const PageRuns& runs) {
  std::vector<std::uint64_t> pages;
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t i = 0; i < run.count; ++i) pages.push_back(run.first + i);
  }
  return pages;
}

TEST(PageRuns, MergeNeighboursAndKeepGaps) {
  PageRuns runs;
  runs.append(3);
  runs.append(4);
  runs.append(6, 2);
  EXPECT_EQ(runs.runs, (std::vector<PageRun>{{3, 2}, {6, 2}}));
  EXPECT_EQ(runs.pages, 4u);
}

TEST(DirtyBitmap, RunsGoAcrossWords) {
  DirtyBitmap dirty(200);
  for (std::uint64_t page = 60; page < 140; ++page) dirty.set(page);
  PageRuns runs;
  EXPECT_EQ(dirty.take_runs(0, 1000, runs), 200u);
  EXPECT_EQ(runs.runs, (std::vector<PageRun>{{60, 80}}));
  EXPECT_EQ(dirty.count(), 0u);
}

TEST(DirtyBitmap, TakesNoMoreThanAskedForAndGoesOnBehindIt) {
  DirtyBitmap dirty(130);
  dirty.set_all();
  PageRuns runs;
  EXPECT_EQ(dirty.take_runs(0, 70, runs), 70u);
  EXPECT_EQ(runs.runs, (std::vector<PageRun>{{0, 70}}));
  EXPECT_EQ(dirty.take_runs(70, 1000, runs), 130u);
  EXPECT_EQ(runs.runs, (std::vector<PageRun>{{0, 130}}));
}

TEST(DirtyBitmap, AllOfAnyNumberOfPages) {
  for (const std::uint64_t pages : {1u, 63u, 64u, 65u, 128u, 1000u}) {
    DirtyBitmap dirty(pages);
    dirty.set_all();
    EXPECT_EQ(dirty.count(), pages);
    dirty.clear_all();
    EXPECT_EQ(dirty.count(), 0u);
  }
}

TEST(DirtyBitmap, EveryPageIsTakenOnceWhateverTheBudget) {
  Random random(7);
  for (int repetition = 0; repetition < 50; ++repetition) {
    const std::uint64_t pages = 1 + random.below(500);
    DirtyBitmap dirty(pages);
    std::vector<std::uint64_t> expected;
    for (std::uint64_t page = 0; page < pages; ++page) {
      if (random.below(3) == 0) continue;
      dirty.set(page);
      expected.push_back(page);
    }
    PrecopyRound round;
    PageRuns runs;
    while (round.take(dirty, kPageBytes * (1 + random.below(90)), runs)) {
    }
    EXPECT_EQ(pages_in(runs), expected);
    EXPECT_EQ(round.bytes_taken(), expected.size() * kPageBytes);
  }
}

TEST(PrecopyRound, APageDirtiedBehindTheRoundWaitsForTheNext) {
  DirtyBitmap dirty(100);
  dirty.set(10);
  dirty.set(50);
  PrecopyRound round;
  PageRuns runs;
  ASSERT_TRUE(round.take(dirty, kPageBytes, runs));
  dirty.set(5);
  ASSERT_TRUE(round.take(dirty, kPageBytes, runs));
  EXPECT_FALSE(round.take(dirty, kPageBytes, runs));
  EXPECT_EQ(pages_in(runs), (std::vector<std::uint64_t>{10, 50}));
  EXPECT_EQ(dirty.count(), 1u);
}

// The order of safety.md C14 against a running guest: the copy never misses the last write.
TEST(DirtyBitmap, AWriterThatRunsBesideTheSenderLosesNothing) {
  constexpr std::uint64_t kPages = 97;
  DirtyBitmap dirty(kPages);
  std::vector<std::atomic<std::uint64_t>> memory(kPages);
  std::vector<std::uint64_t> copy(kPages, 0);
  std::atomic<bool> stopped = false;
  std::thread guest([&] {
    Random random(1);
    for (std::uint64_t i = 1; i <= 200'000; ++i) {
      const std::uint64_t page = random.below(kPages);
      memory[page].store(i, std::memory_order_relaxed);
      dirty.set(page);
    }
    stopped.store(true, std::memory_order_release);
  });
  const auto send_round = [&] {
    PrecopyRound round;
    PageRuns runs;
    while (round.take(dirty, 8 * kPageBytes, runs)) {
      for (const std::uint64_t page : pages_in(runs)) {
        copy[page] = memory[page].load(std::memory_order_relaxed);
      }
      runs.clear();
    }
  };
  while (!stopped.load(std::memory_order_acquire)) send_round();
  send_round();
  guest.join();
  for (std::uint64_t page = 0; page < kPages; ++page) EXPECT_EQ(copy[page], memory[page].load());
}

TEST(PrecopyRound, StreamsShareARoundAndEachPageHasOneStream) {
  constexpr std::uint64_t kPages = 5 * kStripePages + 77;
  for (const std::uint32_t streams : {1u, 2u, 3u, 8u}) {
    DirtyBitmap dirty(kPages);
    dirty.set_all();
    std::vector<int> taken(kPages, 0);
    for (std::uint32_t stream = 0; stream < streams; ++stream) {
      PrecopyRound round(stream, streams);
      for (PageRuns runs; round.take(dirty, 100 * kPageBytes, runs); runs.clear()) {
        EXPECT_LE(runs.pages, 100u);
        for (const std::uint64_t page : pages_in(runs)) {
          EXPECT_EQ(stream_of(page, streams), stream);
          ++taken[page];
        }
      }
    }
    EXPECT_EQ(taken, std::vector<int>(kPages, 1)) << streams;
    EXPECT_EQ(dirty.count(), 0u);
  }
}

TEST(DirtyBitmap, NothingBehindTheEndIsTaken) {
  DirtyBitmap dirty(200);
  dirty.set_all();
  PageRuns runs;
  EXPECT_EQ(dirty.take_runs(10, 1000, runs, 100), 100u);
  EXPECT_EQ(runs.runs, (std::vector<PageRun>{{10, 90}}));
  EXPECT_EQ(dirty.count(), 110u);
}

}  // namespace
}  // namespace failsim
