#include "node/hypervisor/memory_budget.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace failsim::node {
namespace {

std::string in_mib(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  return std::to_string(bytes / kMiB) + " MiB";
}

}  // namespace

MemoryBudget::Answer MemoryBudget::reserve(std::uint64_t bytes) {
  MakeRoom make_room;
  std::uint64_t missing = 0;
  {
    const std::lock_guard lock(mutex_);
    if (bytes <= unused()) {
      used_ += bytes;
      return Answer::kGranted;
    }
    if (bytes > in_reach()) return Answer::kRefused;
    const std::uint64_t soon = unused() + returning_;
    missing = bytes - std::min(bytes, soon);
    make_room = make_room_;
  }
  if (missing > 0 && make_room) make_room(missing);
  return Answer::kSoon;
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
  MakeRoom make_room;
  std::uint64_t missing = 0;
  {
    const std::lock_guard lock(mutex_);
    pressure_ = bytes;
    missing = bytes - std::min(bytes, total_ - used_);
    if (kept_ > 0) make_room = make_room_;
  }
  if (missing > 0 && make_room) make_room(missing);
}

void MemoryBudget::set_keeper(MakeRoom make_room) {
  const std::lock_guard lock(mutex_);
  make_room_ = std::move(make_room);
}

bool MemoryBudget::keep(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (pressure_ > total_ - used_) return false;
  kept_ += bytes;
  assert(kept_ <= used_);
  return true;
}

bool MemoryBudget::take_kept(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  assert(bytes <= kept_);
  if (bytes > in_reach()) return false;  // somebody else has taken memory
  kept_ -= bytes;
  return true;
}

void MemoryBudget::drop_kept(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  assert(bytes <= kept_);
  kept_ -= bytes;
}

std::uint64_t MemoryBudget::free() const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t rest = total_ - used_ + kept_;
  return rest - std::min(rest, pressure_);
}

std::uint64_t MemoryBudget::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

std::uint64_t MemoryBudget::unused() const {
  const std::uint64_t rest = total_ - used_;
  return rest - std::min(rest, pressure_);
}

std::uint64_t MemoryBudget::in_reach() const {
  const std::uint64_t rest = total_ - used_ + returning_ + kept_;
  return rest - std::min(rest, pressure_);
}

std::string MemoryBudget::refusal(const std::string& node, const std::string& vm,
                                  std::uint64_t bytes) const {
  return "VM '" + vm + "' needs " + in_mib(bytes) + " of memory, but " + node + " has only " +
         in_mib(free()) + " of its " + in_mib(total_) +
         " free; stop or move another VM, or give the node more memory";
}

}  // namespace failsim::node
