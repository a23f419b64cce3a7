// Which pages a source sends, and which it leaves.
#include "node/hypervisor/source_pages.h"

#include <gtest/gtest.h>

#include "source_world.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kPages = 4 * kStripePages;

class ForgettingWorld final : public SoundWorld {
 public:
  bool forgets_page() override { return true; }
};

// Over two streams. The pages are all zero, so that what is sent of them fits into the sockets and
// nobody has to read it.
class Pages : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(memory->map());
    ASSERT_TRUE(source.connections.connect());
    open(nullptr);
  }
  void open(HypervisorFaults* faults) {
    SourcePages::Settings settings;
    settings.faults = faults;
    settings.is_suspended = [this] { return is_suspended.load(); };
    pages.emplace(memory, source.connections, *source.signals, source.link, source.reports,
                  std::move(settings));
  }
  std::uint64_t pages_sent() const { return source.link.zero_pages.load(); }

  TargetPort target = TargetPort::that_welcomes();
  SourceParts source{2};
  MemoryBudget budget{kPages * kPageBytes};
  std::shared_ptr<GuestMemory> memory = (budget.reserve(kPages * kPageBytes),
                                         std::make_shared<GuestMemory>(budget, kPages* kPageBytes));
  std::atomic<bool> is_suspended = false;
  std::optional<SourcePages> pages;
};

TEST_F(Pages, TheFirstRoundSendsAllOfThemAndTheNextNone) {
  pages->mark_all();
  EXPECT_EQ(pages->dirty_bytes(), kPages * kPageBytes);
  ASSERT_TRUE(pages->send_round());
  EXPECT_EQ(pages_sent(), kPages);
  EXPECT_EQ(pages->dirty_bytes(), 0u);
  ASSERT_TRUE(pages->send_round());
  EXPECT_EQ(pages_sent(), kPages);
}

TEST_F(Pages, ThoseWithTheSameCountAtTheTargetAreKept) {
  std::vector<std::uint32_t> there(kPages, 3);
  std::vector<std::uint32_t> here(kPages, 3);
  here[17] = 4;
  there[700] = 0;
  EXPECT_EQ(pages->mark_changed(there, here), kPages - 2);
  ASSERT_TRUE(pages->send_round());
  EXPECT_EQ(pages_sent(), 2u);
}

TEST_F(Pages, OneThatWasWrittenSinceItWasCountedIsSentAlthoughItsCountIsTheSame) {
  const std::vector<std::uint32_t> counts(kPages, 3);
  memory->dirty().set(17);
  EXPECT_EQ(pages->mark_changed(counts, counts), kPages);
  EXPECT_EQ(pages->dirty_bytes(), kPageBytes);
}

TEST_F(Pages, ATransferThatIsToStandStillLeavesTheRoundToTheNext) {
  pages->mark_all();
  is_suspended.store(true);
  ASSERT_TRUE(pages->send_round());
  EXPECT_EQ(pages_sent(), 0u);
  is_suspended.store(false);
  ASSERT_TRUE(pages->send_round());
  EXPECT_EQ(pages_sent(), kPages);
}

TEST_F(Pages, TheRestIsSentWhateverElseIsAskedFor) {
  pages->mark_all();
  is_suspended.store(true);
  ASSERT_TRUE(pages->send_rest());
  EXPECT_EQ(pages_sent(), kPages);
}

TEST_F(Pages, TheRestThatWillFollowIsNamedAndNotSent) {
  memory->dirty().set(3);
  memory->dirty().set(64);
  const SourceMemory::Rest rest = pages->name_rest();
  EXPECT_EQ(rest.bytes, 2 * kPageBytes);
  ASSERT_EQ(rest.missing.size(), kPages / 64);
  EXPECT_EQ(rest.missing[0], std::uint64_t{1} << 3);
  EXPECT_EQ(rest.missing[1], 1u);
  EXPECT_EQ(pages->dirty_bytes(), 0u);
  EXPECT_EQ(pages_sent(), 0u);
}

TEST_F(Pages, AFaultForgetsTheSamePageInEveryRound) {
  ForgettingWorld world;
  open(&world);
  for (const std::uint64_t expected : {kPages - 1, 2 * (kPages - 1)}) {
    pages->mark_all();
    ASSERT_TRUE(pages->send_round());
    EXPECT_EQ(pages_sent(), expected);
  }
  pages->mark_all();
  EXPECT_EQ(pages->name_rest().bytes, (kPages - 1) * kPageBytes);
}

TEST_F(Pages, ADropEndsTheRoundAndIsNoFailure) {
  pages->mark_all();
  source.signals->drop();
  EXPECT_FALSE(pages->send_round());
  EXPECT_TRUE(source.told.empty());
}

TEST_F(Pages, ATargetThatIsGoneFailsTheRound) {
  pages->mark_all();
  target.say_and_close(message_frame(FrameType::kRefusal, "node2 has heard enough."));
  while (pages->send_round()) pages->mark_all();
  EXPECT_EQ(source.told.back().error, "node2 has heard enough.");
}

}  // namespace
}  // namespace failsim::node
