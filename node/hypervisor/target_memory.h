// The memory that a transfer is received into: the pages that were kept of the VM when it was here
// before (kept_pages.h), or a reservation, mapped and made present; and where it goes if nothing
// comes of the transfer.
//
// Of the thread of the transfer, but for give_back().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/kept_pages.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/threads.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {

class TargetMemory {
 public:
  // `node` is the name of this one, for messages. Without `kept` nothing is ever kept. All
  // references must outlive it.
  TargetMemory(const TransferOrder& order, std::string node, KeptPages* kept, MemoryBudget& budget,
               Workers& workers);

  // Once. Waits for what is on its way back, until `dropped`, of which `signal` tells. False if
  // there is none: `failure` says why, or has no message if the wait ended.
  bool find(Signal& signal, const std::atomic<bool>& dropped, Failure& failure);
  // What a node without room for the VM says.
  Failure refusal() const;

  // ---- after find() ----
  GuestMemory& get() const { return *memory_; }
  // It has the pages of before, and nobody has been told.
  bool is_kept() const { return !kept_counts_.empty(); }
  // Their write counts, which are told to a source; none if nothing is kept. From now on it may
  // write to them.
  std::vector<std::uint32_t> take_kept_counts() { return std::exchange(kept_counts_, {}); }
  // It is the image's.
  std::shared_ptr<GuestMemory> pass_on() { return std::move(memory_); }
  // If it is still here: what was kept and nobody has written to stays kept, the rest is given
  // back.
  void let_go();

  // ---- from any thread ----
  // Unmapping takes long: not on the caller's time, but counted as on its way back at once.
  void give_back(std::shared_ptr<GuestMemory> memory) const;

 private:
  bool reserve(Signal& signal, const std::atomic<bool>& dropped, Failure& failure);
  bool map(const std::atomic<bool>& dropped);

  const TransferOrder& order_;
  const std::string node_;
  KeptPages* const kept_;
  MemoryBudget& budget_;
  Workers& workers_;
  std::shared_ptr<GuestMemory> memory_;
  std::vector<std::uint32_t> kept_counts_;  // until they are told
};

}  // namespace failsim::node
