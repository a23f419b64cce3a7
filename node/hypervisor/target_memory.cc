#include "node/hypervisor/target_memory.h"

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

constexpr Duration kRetryInterval = 2 * kMillisecond;

}  // namespace

TargetMemory::TargetMemory(const TransferOrder& order, std::string node, KeptPages* kept,
                           MemoryBudget& budget, Workers& workers)
    : order_(order), node_(std::move(node)), kept_(kept), budget_(budget), workers_(workers) {}

bool TargetMemory::find(Signal& signal, const std::atomic<bool>& dropped, Failure& failure) {
  const std::uint64_t bytes = order_.config.memory_bytes();
  if (kept_ != nullptr) {
    auto kept = kept_->take(order_.vm, order_.boot_id, bytes);
    if (kept) {
      memory_ = std::move(kept->memory);
      kept_counts_ = std::move(kept->write_counts);
      return true;
    }
  }
  if (!reserve(signal, dropped, failure)) return false;
  memory_ = std::make_shared<GuestMemory>(budget_, bytes);
  if (order_.config.modelled() || map(dropped)) return true;
  if (dropped.load(std::memory_order_acquire)) return false;
  failure = {VMTaskResult::kOutOfMemoryError,
             "the host of " + node_ + " refused to map the memory of VM '" + order_.vm + "'"};
  return false;
}

bool TargetMemory::reserve(Signal& signal, const std::atomic<bool>& dropped, Failure& failure) {
  const std::uint64_t bytes = order_.config.memory_bytes();
  MemoryBudget::Answer answer = budget_.reserve(bytes);
  while (answer == MemoryBudget::Answer::kSoon) {
    signal.wait(boottime_now() + kRetryInterval);
    if (dropped.load(std::memory_order_acquire)) return false;
    answer = budget_.reserve(bytes);
  }
  if (answer == MemoryBudget::Answer::kRefused) failure = refusal();
  return answer == MemoryBudget::Answer::kGranted;
}

// A guest that was never filled leaves most pages untouched: making them present would only cost
// memory.
bool TargetMemory::map(const std::atomic<bool>& dropped) {
  const bool prefault = order_.config.fill() != pb::FILL_ZERO;
  return memory_->map() && (!prefault || memory_->prefault(dropped));
}

Failure TargetMemory::refusal() const {
  return {VMTaskResult::kOutOfMemoryError,
          budget_.refusal(node_, order_.vm, order_.config.memory_bytes())};
}

void TargetMemory::let_go() {
  if (memory_ != nullptr && is_kept()) {
    kept_->keep(order_.vm, order_.boot_id, {std::move(memory_), take_kept_counts()});
  } else {
    give_back(std::move(memory_));
  }
}

void TargetMemory::give_back(std::shared_ptr<GuestMemory> memory) const {
  if (memory == nullptr) return;
  memory->retire();
  workers_.run([memory = std::move(memory)]() mutable { memory.reset(); });
}

}  // namespace failsim::node
