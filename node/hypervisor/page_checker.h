// Checks the pages of a resumed guest against its write counts while the guest runs on.
//
// The guest thread owns the counts and writes the pages, so it also checks them: in slices between
// the guest's quanta, and each page at the latest just before the guest overwrites it, because a
// page the guest has stamped anew proves nothing about what was transferred.
#pragma once

#include <cstdint>
#include <vector>

#include "node/hypervisor/image.h"

namespace failsim::node {

class PageChecker {
 public:
  explicit PageChecker(std::uint64_t pages) : checked_(pages, false) {}

  // `count` is the page's count as transferred, that is before the write that is about to happen.
  void before_write(const GuestMemory& memory, std::uint64_t boot_id, std::uint64_t page,
                    std::uint32_t count);
  // Checks the next pages; true when all are checked.
  bool slice(const GuestMemory& memory, const DeviceState& state, std::uint64_t most);

  const PageCheck& result() const { return result_; }

 private:
  void check(const GuestMemory& memory, std::uint64_t boot_id, std::uint64_t page,
             std::uint32_t count);

  std::vector<bool> checked_;
  std::uint64_t next_ = 0;
  PageCheck result_;
};

}  // namespace failsim::node
