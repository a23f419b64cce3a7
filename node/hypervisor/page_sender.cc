#include "node/hypervisor/page_sender.h"

#include <algorithm>
#include <cassert>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kSmallestBudget = 64 * 1024;
constexpr std::uint64_t kFramesPerSecond = 100;
// Of the link of a modelled VM whose migration has no bandwidth limit.
constexpr std::uint64_t kModelledLinkBytesPerSecond = std::uint64_t{1} << 30;
constexpr Duration kModelledSlice = 20 * kMillisecond;

std::uint64_t budget_of(std::uint64_t bandwidth) {
  if (bandwidth == 0) return kFramePageBytesMax;
  return std::clamp(bandwidth / kFramesPerSecond, kSmallestBudget, kFramePageBytesMax);
}

}  // namespace

PageSender::PageSender(Channel& channel, std::uint64_t bandwidth_bytes_per_second)
    : channel_(channel),
      bandwidth_(bandwidth_bytes_per_second),
      frame_budget_(budget_of(bandwidth_bytes_per_second)) {}

Io PageSender::send_pages(GuestMemory& memory, const PageRuns& runs) {
  const std::uint64_t page_bytes = runs.pages * kPageBytes;
  assert(page_bytes <= kFramePageBytesMax);
  const Io waited = wait_for_bandwidth(page_bytes);
  if (waited != Io::kDone) return waited;
  runs_.clear();
  append_runs(runs.runs, runs_);
  head_.clear();
  append_header({FrameType::kPages, static_cast<std::uint32_t>(runs.runs.size()), page_bytes,
                 fast_crc32c(0, runs_)},
                head_);
  pieces_ = {{head_.data(), head_.size()}, {runs_.data(), runs_.size()}};
  for (const PageRun& run : runs.runs) {
    pieces_.push_back({memory.page(run.first), run.count * kPageBytes});
  }
  const Io sent = send_all();
  return sent == Io::kDone ? send_seals(memory, runs) : sent;
}

// The kernel has copied the pages, so they are in the cache and are not read from memory again.
Io PageSender::send_seals(const GuestMemory& memory, const PageRuns& runs) {
  seals_.clear();
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      const std::uint32_t checksum = fast_crc32c(0, {memory.page(page), kPageBytes});
      seals_.push_back(memory.is_settled(page) ? checksum : kUnsettledSeal);
    }
  }
  head_.clear();
  append_seals(seals_, head_);
  pieces_.assign(1, {head_.data(), head_.size()});
  return send_all();
}

Io PageSender::send_modelled(std::uint64_t bytes) {
  const Time until = bandwidth_.is_limited()
                         ? bandwidth_.take_and_finish(bytes, boottime_now())
                         : boottime_now() + time_to_send(bytes, kModelledLinkBytesPerSecond);
  for (Time now = boottime_now(); now < until; now = boottime_now()) {
    const Io paused = channel_.pause(std::min(until, now + kModelledSlice));
    if (paused != Io::kDone) return paused;
  }
  const Io sent = send_header({FrameType::kModelled, 0, bytes});
  bytes_sent_ += bytes;
  return sent;
}

Io PageSender::send_header(const FrameHeader& header) {
  head_.clear();
  append_header(header, head_);
  pieces_.assign(1, {head_.data(), head_.size()});
  return send_all();
}

Io PageSender::send_message(FrameType type, const std::string& payload) {
  head_ = message_frame(type, payload);
  pieces_.assign(1, {head_.data(), head_.size()});
  return send_all();
}

Io PageSender::wait_for_bandwidth(std::uint64_t bytes) {
  const Time until = bandwidth_.take(bytes, boottime_now());
  while (boottime_now() < until) {
    const Io paused = channel_.pause(until);
    if (paused != Io::kDone) return paused;
  }
  return Io::kDone;
}

Io PageSender::send_all() {
  std::uint64_t bytes = 0;
  for (const iovec& piece : pieces_) bytes += piece.iov_len;
  const Io sent = channel_.send(pieces_.data(), pieces_.size(), kStreamSilenceLimit);
  if (sent == Io::kDone) bytes_sent_ += bytes;
  return sent;
}

}  // namespace failsim::node
