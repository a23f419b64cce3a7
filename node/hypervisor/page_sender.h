// Puts pages and messages on a data connection, at the bandwidth that was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {

class PageSender {
 public:
  PageSender(Channel& channel, std::uint64_t bandwidth_bytes_per_second);

  // At most frame_budget() of pages: one header, the runs as they lie in memory, then the seals.
  Io send_pages(GuestMemory& memory, const PageRuns& runs);
  // As if `bytes` of pages had been sent: takes the time, sends the size.
  Io send_modelled(std::uint64_t bytes);
  Io send_header(const FrameHeader& header);
  Io send_message(FrameType type, const std::string& payload);

  // Small enough that a slow stream notices an abort and shows progress.
  std::uint64_t frame_budget() const { return frame_budget_; }
  // Bytes sent, frames and all, in the whole of this connection.
  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  Io wait_for_bandwidth(std::uint64_t bytes);
  Io send_seals(const GuestMemory& memory, const PageRuns& runs);
  Io send_all();

  Channel& channel_;
  TokenBucket bandwidth_;
  std::uint64_t frame_budget_;
  std::uint64_t bytes_sent_ = 0;
  // Reused.
  std::vector<std::byte> head_;
  std::vector<std::byte> runs_;
  std::vector<std::uint64_t> seals_;
  std::vector<iovec> pieces_;
};

}  // namespace failsim::node
