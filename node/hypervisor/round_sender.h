// Sends one stream's share of a round: takes its dirty pages, and finds for each the cheapest way
// to say what is in it (zero; like a page sent before; compressed; as it is).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/page_compression.h"
#include "node/hypervisor/page_sender.h"
#include "node/hypervisor/repeated_pages.h"

namespace failsim::node {

class RoundSender {
 public:
  struct Place {
    std::uint32_t stream = 0;
    std::uint32_t streams = 1;
    bool compress = false;
  };
  // What the transfer does around the pieces of a round; called on the stream's thread.
  struct Hooks {
    // Before each piece: anything but kDone ends the round.
    std::function<Io(std::uint32_t stream)> before_piece;
    // Before each piece: the rest is left to the next round. Usually empty.
    std::function<bool()> ends_early;
    // May take pages out of a piece. For faults; usually empty.
    std::function<void(PageRuns& runs)> edit;
    // So many pages of the round are done.
    std::function<void(std::uint32_t stream, std::uint64_t pages)> after_piece;
  };

  // All must outlive it.
  RoundSender(PageSender& sender, SharedLink& link, GuestMemory& memory, Place place);

  // Every page of this stream that is dirty; everything is on its way when this returns.
  Io send_round(const Hooks& hooks);

 private:
  Io send_piece(const PageRuns& runs);
  void sort_out(const PageRuns& runs);
  Io send_written(const PageRuns& written);
  Io send_plain(const PageRuns& written);
  Io send_smaller(const PageRuns& written, bool& sent);
  Io send_repeats();
  void remember(const PageRuns& written, const std::vector<std::uint64_t>& seals);
  Io send_zero();

  struct Repeat {
    std::uint64_t page = 0;
    std::uint64_t of = 0;
  };

  PageSender& sender_;
  SharedLink& link_;
  GuestMemory& memory_;
  const Place place_;
  RepeatedPages repeated_;
  std::optional<CompressionGauge> gauge_;
  std::optional<PageCompressor> compressor_;
  PageRuns zero_;  // of this round, not sent yet
  // ---- of the piece that is being sent ----
  PageRuns written_;
  std::vector<std::uint64_t> hashes_;  // of written_
  std::vector<Repeat> repeats_;
  // Reused.
  PageRuns piece_;
  PageRuns rest_;
  std::vector<PageCopy> copies_;
  std::vector<std::byte> raw_;
  std::vector<std::uint64_t> seals_;
};

}  // namespace failsim::node
