// The pages of VMs that have left this node, kept while there is room.
//
// They are no guest: nothing here can execute, and they count as free memory. They are the first to
// go when memory is wanted, the oldest first. What is in them is named by the boot and the write
// count of each page; a VM that returns in the same boot sends only pages whose count has changed.
// The pages of another boot are dropped as soon as anything is heard of the VM, and those of a VM
// that was deleted or has begun another boot elsewhere when the agreed state says so.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/threads.h"

namespace failsim::node {

// Any thread.
class KeptPages {
 public:
  struct Kept {
    std::shared_ptr<GuestMemory> memory;
    std::vector<std::uint32_t> write_counts;  // of each page, as it is in `memory`
  };

  // Both must outlive it.
  KeptPages(MemoryBudget& budget, Workers& workers);
  ~KeptPages();

  // Nobody writes to the memory any more. Unmapped at once if there is no room.
  void keep(const std::string& vm, std::uint64_t boot_id, Kept kept);
  // What is kept of this boot of the VM and has this size; it belongs to the caller then, as a
  // reservation would. What is kept of another boot, or has another size, is dropped.
  std::optional<Kept> take(const std::string& vm, std::uint64_t boot_id, std::uint64_t bytes);
  void drop(const std::string& vm);
  // Drops what is kept of a boot that does not come back, whoever owns the VM.
  using MayReturn = std::function<bool(const std::string& vm, std::uint64_t boot_id)>;
  void drop_unless(const MayReturn& may_return);
  void drop_all();

 private:
  struct Entry {
    std::string vm;
    std::uint64_t boot_id = 0;
    std::uint64_t bytes = 0;
    Kept kept;
  };

  // Drops the oldest until so much is on its way back.
  void make_room(std::uint64_t bytes);
  void give_back(Entry entry);
  void unmap(Entry entry);

  MemoryBudget& budget_;
  Workers& workers_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the oldest first
};

}  // namespace failsim::node
