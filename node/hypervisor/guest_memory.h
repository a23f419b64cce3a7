// The memory of one guest: a reservation, and for a backed VM pages mapped for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/memory_budget.h"

namespace failsim::node {

class GuestMemory {
 public:
  // Takes over `bytes` that were reserved in `budget`, which must outlive it.
  GuestMemory(MemoryBudget& budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {}
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  // Maps zero pages. False if the kernel refuses.
  bool map();
  // Makes every page present, so that nobody waits for the first touch later. Stops early when
  // `aborted`; false if that happened or the kernel refuses.
  bool prefault(const std::atomic<bool>& aborted);

  // Nobody uses the pages any more: their way back into the budget has begun. The destructor, which
  // may take long, ends it and may run in any thread.
  void retire();

  bool is_mapped() const { return memory_ != nullptr; }
  std::uint64_t pages() const { return bytes_ / kPageBytes; }
  std::byte* page(std::uint64_t number) { return memory_ + number * kPageBytes; }
  const std::byte* page(std::uint64_t number) const { return memory_ + number * kPageBytes; }

  // Which pages were written since a sender took them; for mapped memory only.
  DirtyBitmap& dirty() { return *dirty_; }

  // Around each write to a page while senders may read it; by the one thread that writes.
  void begin_write(std::uint64_t page);
  void end_write(std::uint64_t page);
  // For a sender that took the page, had it sent and has read it again since: false if the two may
  // have seen different bytes. The page is dirty again then, or is about to be.
  bool is_settled(std::uint64_t page) const;

 private:
  static constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

  MemoryBudget& budget_;
  const std::uint64_t bytes_;
  std::atomic<bool> retired_ = false;
  void* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  std::byte* memory_ = nullptr;
  std::optional<DirtyBitmap> dirty_;
  std::atomic<std::uint64_t> writing_ = kNoPage;
};

}  // namespace failsim::node
