// Puts the frames of one stream on its connection, at the bandwidth that was asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {

// What the streams of one transfer share; any thread.
struct SharedLink {
  explicit SharedLink(std::uint64_t bytes_per_second) : bandwidth(bytes_per_second) {}

  SharedBucket bandwidth;                     // at most; it may change meanwhile
  std::atomic<std::uint64_t> bytes_sent = 0;  // frames and all
  std::atomic<std::uint64_t> zero_pages = 0;
  std::atomic<std::uint64_t> copied_pages = 0;
  std::atomic<std::uint64_t> compressed_pages = 0;
};

class PageSender {
 public:
  // Both must outlive it.
  PageSender(Channel& channel, SharedLink& link);

  // At most kFramePageBytesMax of pages: one header, the runs as they lie in memory. Their seals
  // follow with the next frame, or with flush().
  Io send_pages(GuestMemory& memory, const PageRuns& runs);
  // `compressed` is what became of the pages, whose seals are `seals`.
  Io send_compressed(const PageRuns& runs, std::span<const std::byte> compressed,
                     const std::vector<std::uint64_t>& seals);
  // At most kZeroRunsMax.
  Io send_zero(const PageRuns& runs);
  // At most kCopiesMax.
  Io send_copies(const std::vector<PageCopy>& copies);
  // As if `bytes` of pages had been sent: takes the time, sends the size.
  Io send_modelled(std::uint64_t bytes);
  Io send_header(const FrameHeader& header);
  Io send_message(FrameType type, const std::string& payload);
  // Nothing is kept back any more.
  Io flush();

  // Of the pages that send_pages() sent last, in their order.
  const std::vector<std::uint64_t>& seals() const { return seals_; }
  // How much of pages to send at once at the rate of the moment: so little that a slow stream
  // notices an abort and shows progress.
  std::uint64_t frame_budget() const;

 private:
  Io wait_for_bandwidth(std::uint64_t bytes);
  void seal(const GuestMemory& memory, const PageRuns& runs);
  void begin_frame(const FrameHeader& header);
  Io send_body(FrameType type, std::size_t entries);
  Io send_all();

  Channel& channel_;
  SharedLink& link_;
  // Reused.
  std::vector<std::byte> head_;
  std::vector<std::byte> body_;
  std::vector<std::uint64_t> seals_;
  std::vector<std::byte> kept_back_;  // the seals of the last frame
  std::vector<iovec> pieces_;
};

}  // namespace failsim::node
