// Where the memory of a target comes from, and where it goes if nothing comes of the transfer.
#include "node/hypervisor/target_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "world.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kBytes = 2 * kMiB;
constexpr std::uint64_t kPages = kBytes / kPageBytes;

class MemoryOfATarget : public testing::Test {
 protected:
  MemoryOfATarget() { vm.config.set_memory_bytes(kBytes); }
  ~MemoryOfATarget() override {
    if (memory) memory->let_go();
  }

  bool find() {
    order = vm.transfer(TransferRole::kTarget, TransferStage::kPrepare, 1);
    memory.emplace(order, "node2", &kept, budget, workers);
    return memory->find(signal, dropped, failure);
  }
  // What a VM has left here, page 3 with this byte.
  void leave(const std::string& name, std::uint64_t boot_id, std::byte byte) {
    ASSERT_EQ(budget.reserve(kBytes), MemoryBudget::Answer::kGranted);
    auto left = std::make_shared<GuestMemory>(budget, kBytes);
    ASSERT_TRUE(left->map());
    left->page(3)[0] = byte;
    kept.keep(name, boot_id, {std::move(left), std::vector<std::uint32_t>(kPages, 6)});
    ASSERT_EQ(budget.kept(), kBytes);
  }
  std::uint64_t present_pages() const {
    std::vector<unsigned char> present(kPages);
    EXPECT_EQ(mincore(memory->get().page(0), kBytes, present.data()), 0);
    return static_cast<std::uint64_t>(
        std::count_if(present.begin(), present.end(), [](unsigned char page) { return page & 1; }));
  }
  // What is on its way back has come back.
  void expect_all_given_back() {
    workers.stop();
    EXPECT_EQ(budget.reserve(4 * kBytes), MemoryBudget::Answer::kGranted);
  }

  TestVm vm;
  TransferOrder order;
  MemoryBudget budget{4 * kBytes};
  Workers workers{1};
  KeptPages kept{budget, workers};
  Signal signal;
  std::atomic<bool> dropped = false;
  Failure failure;
  std::optional<TargetMemory> memory;
};

TEST_F(MemoryOfATarget, OfAVmThatWasNeverHereIsReservedAndPresent) {
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_EQ(memory->get().pages(), kPages);
  EXPECT_EQ(present_pages(), kPages);
  EXPECT_EQ(budget.free(), 3 * kBytes);
  EXPECT_FALSE(memory->is_kept());
  EXPECT_TRUE(memory->take_kept_counts().empty());
}

TEST_F(MemoryOfATarget, OfAGuestThatWasNeverFilledIsNotMadePresent) {
  vm.config.set_fill(pb::FILL_ZERO);
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_TRUE(memory->get().is_mapped());
  EXPECT_EQ(present_pages(), 0u);
}

TEST_F(MemoryOfATarget, OfAModelledVmIsOnlyReserved) {
  vm.config.set_modelled(true);
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_FALSE(memory->get().is_mapped());
  EXPECT_EQ(budget.free(), 3 * kBytes);
}

TEST_F(MemoryOfATarget, OfAVmThatReturnsIsWhatItHasLeft) {
  leave(vm.name, vm.boot_id, std::byte{77});
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_EQ(memory->get().page(3)[0], std::byte{77});
  EXPECT_TRUE(memory->is_kept());
  EXPECT_EQ(budget.kept(), 0u);
  EXPECT_EQ(memory->take_kept_counts(), std::vector<std::uint32_t>(kPages, 6));
  EXPECT_FALSE(memory->is_kept()) << "they are told once";
}

TEST_F(MemoryOfATarget, OfAnotherBootIsFresh) {
  leave(vm.name, vm.boot_id + 1, std::byte{77});
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_EQ(memory->get().page(3)[0], std::byte{0});
  EXPECT_FALSE(memory->is_kept());
}

TEST_F(MemoryOfATarget, ThatDoesNotFitIsRefusedInASentence) {
  vm.config.set_memory_bytes(5 * kBytes);
  EXPECT_FALSE(find());
  EXPECT_EQ(failure.result, VMTaskResult::kOutOfMemoryError);
  EXPECT_EQ(failure.message, budget.refusal("node2", "web", 5 * kBytes));
  EXPECT_EQ(memory->refusal().message, failure.message);
  expect_all_given_back();
}

// The first answer of the budget is that it has to be asked again.
TEST_F(MemoryOfATarget, IsWaitedForWhileOthersMakeRoom) {
  leave("old", 1, std::byte{0});
  vm.config.set_memory_bytes(4 * kBytes);
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_EQ(budget.kept(), 0u);
  EXPECT_EQ(budget.free(), 0u);
}

TEST_F(MemoryOfATarget, IsNotWaitedForByATransferThatWasDropped) {
  ASSERT_EQ(budget.reserve(4 * kBytes), MemoryBudget::Answer::kGranted);
  budget.begin_release(kBytes);  // which never ends
  dropped.store(true);
  EXPECT_FALSE(find());
  EXPECT_EQ(failure.message, "");
}

TEST_F(MemoryOfATarget, IsNotMadePresentForATransferThatWasDropped) {
  dropped.store(true);
  EXPECT_FALSE(find());
  EXPECT_EQ(failure.message, "");
  memory->let_go();
  expect_all_given_back();
}

TEST_F(MemoryOfATarget, ThatWasReservedIsGivenBack) {
  ASSERT_TRUE(find()) << failure.message;
  memory->let_go();
  expect_all_given_back();
}

TEST_F(MemoryOfATarget, ThatNobodyWasToldOfStaysKept) {
  leave(vm.name, vm.boot_id, std::byte{77});
  ASSERT_TRUE(find()) << failure.message;
  memory->let_go();
  EXPECT_EQ(budget.kept(), kBytes);
  ASSERT_TRUE(find()) << failure.message;
  EXPECT_EQ(memory->get().page(3)[0], std::byte{77});
  EXPECT_EQ(memory->take_kept_counts(), std::vector<std::uint32_t>(kPages, 6));
}

TEST_F(MemoryOfATarget, ThatASourceMayHaveWrittenToIsNotKept) {
  leave(vm.name, vm.boot_id, std::byte{77});
  ASSERT_TRUE(find()) << failure.message;
  memory->take_kept_counts();
  memory->let_go();
  EXPECT_EQ(budget.kept(), 0u);
  expect_all_given_back();
}

TEST_F(MemoryOfATarget, OfAnImageIsNotLetGo) {
  ASSERT_TRUE(find()) << failure.message;
  const std::shared_ptr<GuestMemory> image = memory->pass_on();
  memory->let_go();
  EXPECT_EQ(budget.free(), 3 * kBytes);
  memory->give_back(image);
  EXPECT_EQ(budget.free(), 3 * kBytes) << "it is free when it is unmapped";
}

}  // namespace
}  // namespace failsim::node
