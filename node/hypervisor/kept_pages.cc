#include "node/hypervisor/kept_pages.h"

#include <algorithm>
#include <utility>

namespace failsim::node {

KeptPages::KeptPages(MemoryBudget& budget, Workers& workers) : budget_(budget), workers_(workers) {
  budget_.set_keeper([this](std::uint64_t bytes) { make_room(bytes); });
}

KeptPages::~KeptPages() {
  budget_.set_keeper(nullptr);
  drop_all();
}

void KeptPages::keep(const std::string& vm, std::uint64_t boot_id, Kept kept) {
  drop(vm);
  Entry entry{vm, boot_id, kept.memory->pages() * kPageBytes, std::move(kept)};
  if (!budget_.keep(entry.bytes)) return unmap(std::move(entry));
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
}

std::optional<KeptPages::Kept> KeptPages::take(const std::string& vm, std::uint64_t boot_id,
                                               std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.vm == vm; });
  if (found == entries_.end()) return std::nullopt;
  Entry entry = std::move(*found);
  entries_.erase(found);
  if (entry.boot_id == boot_id && entry.bytes == bytes && budget_.take_kept(bytes)) {
    return std::move(entry.kept);
  }
  lock.unlock();
  give_back(std::move(entry));
  return std::nullopt;
}

void KeptPages::drop(const std::string& vm) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.vm == vm; });
  if (found == entries_.end()) return;
  Entry entry = std::move(*found);
  entries_.erase(found);
  lock.unlock();
  give_back(std::move(entry));
}

void KeptPages::drop_unless(const MayReturn& may_return) {
  std::list<Entry> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto here = entry++;
      if (!may_return(here->vm, here->boot_id)) gone.splice(gone.end(), entries_, here);
    }
  }
  for (Entry& entry : gone) give_back(std::move(entry));
}

void KeptPages::drop_all() {
  make_room(~std::uint64_t{0});
}

void KeptPages::make_room(std::uint64_t bytes) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (entries_.empty()) return;
    Entry entry = std::move(entries_.front());
    entries_.pop_front();
    lock.unlock();
    const std::uint64_t freed = entry.bytes;
    give_back(std::move(entry));
    if (freed >= bytes) return;
    bytes -= freed;
  }
}

void KeptPages::give_back(Entry entry) {
  const std::uint64_t bytes = entry.bytes;
  unmap(std::move(entry));
  budget_.drop_kept(bytes);  // last, so that it is in reach at every moment
}

// Takes long: not on the caller's time, but counted as on its way back at once.
void KeptPages::unmap(Entry entry) {
  entry.kept.memory->retire();
  workers_.run([memory = std::move(entry.kept.memory)]() mutable { memory.reset(); });
}

}  // namespace failsim::node
