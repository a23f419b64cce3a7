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

}  // namespace

PageSender::PageSender(Channel& channel, SharedLink& link) : channel_(channel), link_(link) {}

std::uint64_t PageSender::frame_budget() const {
  const std::uint64_t rate = link_.bandwidth.rate();
  if (rate == 0) return kFramePageBytesMax;
  return std::clamp(rate / kFramesPerSecond, kSmallestBudget, kFramePageBytesMax);
}

Io PageSender::send_pages(GuestMemory& memory, const PageRuns& runs) {
  const std::uint64_t page_bytes = runs.pages * kPageBytes;
  assert(page_bytes <= kFramePageBytesMax);
  const Io waited = wait_for_bandwidth(page_bytes);
  if (waited != Io::kDone) return waited;
  body_.clear();
  append_runs(runs.runs, body_);
  begin_frame({FrameType::kPages, static_cast<std::uint32_t>(runs.runs.size()), page_bytes,
               fast_crc32c(0, body_)});
  for (const PageRun& run : runs.runs) {
    pieces_.push_back({memory.page(run.first), run.count * kPageBytes});
  }
  const Io sent = send_all();
  if (sent == Io::kDone) seal(memory, runs);
  return sent;
}

// The kernel has copied the pages, so they are in the cache and are not read from memory again.
void PageSender::seal(const GuestMemory& memory, const PageRuns& runs) {
  seals_.clear();
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      const std::uint32_t checksum = fast_crc32c(0, {memory.page(page), kPageBytes});
      seals_.push_back(memory.is_settled(page) ? checksum : kUnsettledSeal);
    }
  }
  append_seals(seals_, kept_back_);
}

Io PageSender::send_compressed(const PageRuns& runs, std::span<const std::byte> compressed,
                               const std::vector<std::uint64_t>& seals) {
  const Io waited = wait_for_bandwidth(compressed.size());
  if (waited != Io::kDone) return waited;
  body_.clear();
  append_runs(runs.runs, body_);
  begin_frame({FrameType::kCompressedPages, static_cast<std::uint32_t>(runs.runs.size()),
               compressed.size(), fast_crc32c(0, body_)});
  // sendmsg only reads.
  pieces_.push_back({const_cast<std::byte*>(compressed.data()), compressed.size()});
  const Io sent = send_all();
  if (sent == Io::kDone) append_seals(seals, kept_back_);
  return sent;
}

Io PageSender::send_zero(const PageRuns& runs) {
  assert(runs.runs.size() <= kZeroRunsMax);
  body_.clear();
  append_runs(runs.runs, body_);
  return send_body(FrameType::kZeroPages, runs.runs.size());
}

Io PageSender::send_copies(const std::vector<PageCopy>& copies) {
  assert(copies.size() <= kCopiesMax);
  body_.clear();
  append_copies(copies, body_);
  return send_body(FrameType::kCopiedPages, copies.size());
}

Io PageSender::send_body(FrameType type, std::size_t entries) {
  const Io waited = wait_for_bandwidth(body_.size());
  if (waited != Io::kDone) return waited;
  begin_frame({type, static_cast<std::uint32_t>(entries), 0, fast_crc32c(0, body_)});
  return send_all();
}

Io PageSender::send_modelled(std::uint64_t bytes) {
  const Time until = link_.bandwidth.is_limited()
                         ? link_.bandwidth.take_and_finish(bytes, boottime_now())
                         : boottime_now() + time_to_send(bytes, kModelledLinkBytesPerSecond);
  for (Time now = boottime_now(); now < until; now = boottime_now()) {
    const Io paused = channel_.pause(std::min(until, now + kModelledSlice));
    if (paused != Io::kDone) return paused;
  }
  const Io sent = send_header({FrameType::kModelled, 0, bytes});
  link_.bytes_sent += bytes;
  return sent;
}

Io PageSender::send_header(const FrameHeader& header) {
  body_.clear();
  begin_frame(header);
  return send_all();
}

Io PageSender::send_message(FrameType type, const std::string& payload) {
  const auto bytes = std::as_bytes(std::span(payload));
  body_.assign(bytes.begin(), bytes.end());
  begin_frame({type, 0, payload.size(), fast_crc32c(0, body_)});
  return send_all();
}

Io PageSender::flush() {
  if (kept_back_.empty()) return Io::kDone;
  pieces_.assign(1, {kept_back_.data(), kept_back_.size()});
  return send_all();
}

Io PageSender::wait_for_bandwidth(std::uint64_t bytes) {
  const Time until = link_.bandwidth.take(bytes, boottime_now());
  while (boottime_now() < until) {
    const Io paused = channel_.pause(until);
    if (paused != Io::kDone) return paused;
  }
  return Io::kDone;
}

// What was kept back, the header, and the body.
void PageSender::begin_frame(const FrameHeader& header) {
  head_.clear();
  append_header(header, head_);
  pieces_.clear();
  if (!kept_back_.empty()) pieces_.push_back({kept_back_.data(), kept_back_.size()});
  pieces_.push_back({head_.data(), head_.size()});
  if (!body_.empty()) pieces_.push_back({body_.data(), body_.size()});
}

Io PageSender::send_all() {
  std::uint64_t bytes = 0;
  for (const iovec& piece : pieces_) bytes += piece.iov_len;
  const Io sent = channel_.send(pieces_.data(), pieces_.size(), kStreamSilenceLimit);
  kept_back_.clear();
  if (sent == Io::kDone) link_.bytes_sent += bytes;
  return sent;
}

}  // namespace failsim::node
