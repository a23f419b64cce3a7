#include "node/hypervisor/page_checker.h"

#include "node/hypervisor/page_stamp.h"

namespace failsim::node {

void PageChecker::before_write(const GuestMemory& memory, std::uint64_t boot_id, std::uint64_t page,
                               std::uint32_t count) {
  if (!checked_[page]) check(memory, boot_id, page, count);
}

bool PageChecker::slice(const GuestMemory& memory, const DeviceState& state, std::uint64_t most) {
  while (next_ < checked_.size() && most > 0) {
    if (!checked_[next_]) {
      check(memory, state.boot_id, next_, state.write_counts[next_]);
      --most;
    }
    ++next_;
  }
  return next_ == checked_.size();
}

void PageChecker::check(const GuestMemory& memory, std::uint64_t boot_id, std::uint64_t page,
                        std::uint32_t count) {
  checked_[page] = true;
  ++result_.pages;
  if (!page_matches(memory.page(page), boot_id, page, count) && result_.match()) {
    result_.first_mismatch = page;
  }
}

}  // namespace failsim::node
