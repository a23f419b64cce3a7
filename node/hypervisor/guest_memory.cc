#include "node/hypervisor/guest_memory.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include <sys/mman.h>

namespace failsim::node {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kPrefaultBytes = std::size_t{8} << 20;  // between two looks at the abort flag

bool populate(std::byte* from, std::size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  while (madvise(from, bytes, MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno != EINVAL) return false;
    break;  // a kernel before 5.14: touch each page below
  }
#endif
  for (std::size_t offset = 0; offset < bytes; offset += kPageBytes) {
    auto* byte = reinterpret_cast<volatile unsigned char*>(from + offset);
    *byte = *byte;
  }
  return true;
}

}  // namespace

GuestMemory::~GuestMemory() {
  retire();
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
  budget_.end_release(bytes_);
}

bool GuestMemory::map() {
  assert(mapping_ == nullptr);
  const bool huge = bytes_ >= 2 * kHugePageBytes;
  mapping_bytes_ = bytes_ + (huge ? kHugePageBytes : 0);
  void* mapping = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return false;
  mapping_ = mapping;
  memory_ = static_cast<std::byte*>(mapping);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapping);
    memory_ += (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
    // Only a matter of speed: a kernel without huge pages may refuse it.
    madvise(memory_, bytes_, MADV_HUGEPAGE);
  }
  // Guest pages in a core file help nobody.
  madvise(memory_, bytes_, MADV_DONTDUMP);
  dirty_.emplace(pages());
  return true;
}

bool GuestMemory::prefault(const std::atomic<bool>& aborted) {
  assert(memory_ != nullptr);
  for (std::size_t offset = 0; offset < bytes_; offset += kPrefaultBytes) {
    if (aborted.load(std::memory_order_relaxed)) return false;
    if (!populate(memory_ + offset, std::min(kPrefaultBytes, bytes_ - offset))) return false;
  }
  return true;
}

// The bytes of a page are no atomics: the two fences order them against `writing_`. A reader that
// saw any byte of a write either sees that it is under way, or sees the dirty bit that ended it.
void GuestMemory::begin_write(std::uint64_t page) {
  writing_.store(page, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_release);
}

void GuestMemory::end_write(std::uint64_t page) {
  dirty_->set(page);
  writing_.store(kNoPage, std::memory_order_release);
}

bool GuestMemory::is_settled(std::uint64_t page) const {
  std::atomic_thread_fence(std::memory_order_acquire);
  return writing_.load(std::memory_order_acquire) != page && !dirty_->test(page);
}

void GuestMemory::retire() {
  if (!retired_.exchange(true)) budget_.begin_release(bytes_);
}

}  // namespace failsim::node
