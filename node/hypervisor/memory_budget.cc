#include "node/hypervisor/memory_budget.h"

#include <algorithm>
#include <cassert>

namespace failsim::node {
namespace {

std::string in_mib(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  return std::to_string(bytes / kMiB) + " MiB";
}

}  // namespace

MemoryBudget::Answer MemoryBudget::reserve(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes <= unused()) {
    used_ += bytes;
    return Answer::kGranted;
  }
  return bytes <= unused() + returning_ ? Answer::kSoon : Answer::kRefused;
}

void MemoryBudget::begin_release(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  returning_ += bytes;
  assert(returning_ <= used_);
}

void MemoryBudget::end_release(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  assert(bytes <= returning_);
  returning_ -= bytes;
  used_ -= bytes;
}

void MemoryBudget::set_pressure(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  pressure_ = bytes;
}

std::uint64_t MemoryBudget::free() const {
  const std::lock_guard lock(mutex_);
  return unused();
}

std::uint64_t MemoryBudget::unused() const {
  const std::uint64_t rest = total_ - used_;
  return rest - std::min(rest, pressure_);
}

std::string MemoryBudget::refusal(const std::string& node, const std::string& vm,
                                  std::uint64_t bytes) const {
  return "VM '" + vm + "' needs " + in_mib(bytes) + " of memory, but " + node + " has only " +
         in_mib(free()) + " of its " + in_mib(total_) +
         " free; stop or move another VM, or give the node more memory";
}

}  // namespace failsim::node
