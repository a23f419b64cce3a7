// Takes the page frames of one stream into a guest's memory. What arrives is not trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/page_compression.h"

namespace failsim::node {

// Which pages of the memory were written since it was mapped: the others are zero. Streams write
// different words of it, because their stripes are.
class TouchedPages {
 public:
  TouchedPages(std::uint64_t pages, bool all)
      : words_((pages + 63) / 64, all ? ~std::uint64_t{0} : 0) {}
  bool test(std::uint64_t page) const { return ((words_[page / 64] >> (page % 64)) & 1) != 0; }
  void set(std::uint64_t page) { words_[page / 64] |= std::uint64_t{1} << (page % 64); }

 private:
  std::vector<std::uint64_t> words_;
};

// Why a stream ended too early.
struct StreamFault {
  Io io = Io::kClosed;        // of the connection, if `what` is empty
  bool is_corrupted = false;  // a checksum was wrong
  std::string what;           // what was wrong in it: "contains ..."
};

class PageReceiver {
 public:
  // Of this stream among so many. All must outlive it.
  PageReceiver(Channel& channel, GuestMemory& memory, TouchedPages& touched, std::uint32_t stream,
               std::uint32_t streams)
      : channel_(channel), memory_(memory), touched_(touched), stream_(stream), streams_(streams) {}

  static bool is_page_frame(FrameType type);
  // Receives what follows the header of a page frame; false when fault() says why.
  bool take(const FrameHeader& header);
  // Receives and checks what a header announces.
  bool receive_body(const FrameHeader& header, std::span<std::byte> body);
  bool check(Io outcome);
  bool refuse(const std::string& what);
  bool refuse_corrupted();

  const StreamFault& fault() const { return fault_; }
  std::uint64_t received_bytes() const { return received_bytes_; }

 private:
  bool take_pages(const FrameHeader& header);
  bool take_compressed(const FrameHeader& header);
  bool take_zero(const FrameHeader& header);
  bool take_copies(const FrameHeader& header);
  // The table of runs; at most `most` pages in all.
  bool receive_runs(const FrameHeader& header, std::uint32_t runs_most, std::uint64_t most);
  bool receive_seals();
  // All of the run goes by this stream.
  bool is_ours(const PageRun& run) const;

  Channel& channel_;
  GuestMemory& memory_;
  TouchedPages& touched_;
  const std::uint32_t stream_;
  const std::uint32_t streams_;
  StreamFault fault_;
  std::uint64_t received_bytes_ = 0;
  std::optional<PageDecompressor> decompressor_;
  // Reused.
  std::vector<std::byte> bytes_;
  std::vector<PageRun> runs_;
  std::uint64_t run_pages_ = 0;
  std::vector<PageCopy> copies_;
  std::vector<iovec> pieces_;
  std::vector<std::uint64_t> seals_;
};

}  // namespace failsim::node
