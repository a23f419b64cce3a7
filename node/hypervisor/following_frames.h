// What goes over the connection on which pages follow a guest (post-copy).
//
//   target, once:  missing, one bit a page (presence_map.h); of a modelled VM none
//   target:        wanted*
//   source:        following* | modelled*
//
//   missing   := header, u64 times (bytes / 8)
//   wanted    := header; `bytes` is the number of the page
//   following := header, runs times (page u64), then the pages; `bytes` is the pages' size
//
// The connection begins with a hello that says so, like the first ones of the transfer (frames.h),
// and may be replaced by another at any time: what is missing then says where to go on. The pages
// of the source do not change any more, so the checksum of a body covers the pages, too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"

namespace failsim::node {

// A page that the guest waits for stands behind one frame at most.
inline constexpr std::uint32_t kFollowingPagesMax = 16;

std::vector<std::byte> missing_frame(const std::vector<std::uint64_t>& words);
std::vector<std::byte> wanted_frame(std::uint64_t page);

Io send_following(Channel& channel, const GuestMemory& memory,
                  const std::vector<std::uint64_t>& pages);

// The words of a body; its checksum is compared already.
std::vector<std::uint64_t> decode_words(std::span<const std::byte> bytes);

}  // namespace failsim::node
