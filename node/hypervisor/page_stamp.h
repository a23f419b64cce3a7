// The bytes of a guest's page: a pure function of the boot, the page's number and its write count.
//
// So a page needs no reference copy to be checked, and a saved state needs no pages. The bytes do
// not compress. Count 0 is the page nobody has written: zeros.
#pragma once

#include <cstddef>
#include <cstdint>

namespace failsim::node {

// `page` is kPageBytes long and aligned to 8. Writing a page while a sender reads it is by design
// (the page is dirty afterwards and sent again): this function is where the thread sanitizer is
// told so, and nothing else writes guest pages beside a sender.
void stamp_page(std::byte* page, std::uint64_t boot_id, std::uint64_t number, std::uint32_t count);

bool page_matches(const std::byte* page, std::uint64_t boot_id, std::uint64_t number,
                  std::uint32_t count);

bool is_zero_page(const std::byte* page);

}  // namespace failsim::node
