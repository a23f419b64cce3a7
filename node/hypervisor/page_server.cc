#include "node/hypervisor/page_server.h"

#include <algorithm>
#include <utility>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/presence_map.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {
namespace {

constexpr Duration kFirstRetry = 2 * kMillisecond;
constexpr Duration kLongestRetry = 100 * kMillisecond;
// When everything was sent and nobody closes: the connection may be dead, so it is asked again.
constexpr Duration kQuietLimit = 2 * kSecond;
constexpr std::uint64_t kModelledPiece = std::uint64_t{1} << 20;
constexpr Duration kSlowFrame = kSecond;  // well before the target gives the connection up
constexpr Duration kQuickFrame = kSlowFrame / 8;

std::uint64_t bit_of(std::uint64_t page) {
  return std::uint64_t{1} << (page % 64);
}

// Of `most` bytes what goes in a second at this rate (0 = any), a page at least.
std::uint64_t in_a_second(std::uint64_t bytes_per_second, std::uint64_t most) {
  return bytes_per_second == 0 ? most
                               : std::clamp<std::uint64_t>(bytes_per_second, kPageBytes, most);
}

}  // namespace

PageServer::PageServer(std::shared_ptr<const GuestMemory> memory,
                       std::vector<std::uint64_t> missing, std::uint64_t modelled_bytes,
                       SharedBucket& bandwidth, Signal& signal)
    : memory_(std::move(memory)),
      kept_(std::move(missing)),
      modelled_bytes_(modelled_bytes),
      bandwidth_(bandwidth),
      signal_(signal),
      link_pages_(kFollowingPagesMax) {}

void PageServer::serve(const Connect& connect, const NoteSent& note_sent) {
  Duration retry = kFirstRetry;
  while (!signal_.aborted()) {
    const std::unique_ptr<Channel> channel = connect();
    if (channel != nullptr && hear_what_is_missing(*channel) == Io::kDone) {
      retry = kFirstRetry;
      serve_one(*channel, note_sent);
    }
    if (signal_.aborted()) return;
    signal_.wait(boottime_now() + retry);
    retry = std::min(2 * retry, kLongestRetry);
  }
}

Io PageServer::hear_what_is_missing(Channel& channel) {
  std::array<std::byte, kFrameHeaderBytes> head;
  Io outcome = channel.receive(head.data(), head.size(), kSetupSilenceLimit);
  if (outcome != Io::kDone) return outcome;
  const std::optional<FrameHeader> header = decode_header(head);
  const std::uint64_t bytes = kept_.size() * sizeof(std::uint64_t);
  const bool is_modelled = kept_.empty();
  const bool fits =
      header && header->type == FrameType::kMissingPages && (is_modelled || header->bytes == bytes);
  if (!fits) return Io::kClosed;
  if (is_modelled) {
    modelled_bytes_left_ = std::min(modelled_bytes_, header->bytes);
    return Io::kDone;
  }
  std::vector<std::byte> body(bytes);
  outcome = channel.receive(body.data(), body.size(), kSetupSilenceLimit);
  if (outcome != Io::kDone) return outcome;
  if (fast_crc32c(0, body) != header->body_checksum) return Io::kClosed;
  left_ = decode_words(body);
  for (std::size_t i = 0; i < left_.size(); ++i) left_[i] &= kept_[i];
  next_ = 0;
  limit_ = memory_->pages();
  wanted_.clear();
  return Io::kDone;
}

void PageServer::serve_one(Channel& channel, const NoteSent& note_sent) {
  Time quiet_since = boottime_now();
  for (;;) {
    const bool is_quiet = !has_more();
    if (!is_quiet) quiet_since = boottime_now();
    const Time until = is_quiet ? quiet_since + kQuietLimit : 0;
    if (is_quiet && boottime_now() >= until) return;
    if (take_wishes(channel, until) != Io::kDone) return;
    if (has_more() && send_next(channel, note_sent) != Io::kDone) return;
  }
}

// Everything that has been asked for until now; waits for the first wish until then.
Io PageServer::take_wishes(Channel& channel, Time until) {
  for (;;) {
    bool readable = false;
    Io outcome = channel.await_input(until, readable);
    if (outcome != Io::kDone || !readable) return outcome;
    std::array<std::byte, kFrameHeaderBytes> head;
    outcome = channel.receive(head.data(), head.size(), kStreamSilenceLimit);
    if (outcome != Io::kDone) return outcome;
    const std::optional<FrameHeader> header = decode_header(head);
    if (!header || header->type != FrameType::kWantedPage || header->bytes >= limit_) {
      return Io::kClosed;
    }
    wanted_.push_back(header->bytes);
    until = 0;
  }
}

bool PageServer::take(std::uint64_t page) {
  const bool is_left = (left_[page / 64] & bit_of(page)) != 0;
  left_[page / 64] &= ~bit_of(page);
  return is_left;
}

// Those that are waited for alone, so that they are there soonest. One that was sent already is on
// its way.
std::vector<std::uint64_t> PageServer::next_pages() {
  const std::uint64_t most = pages_at_once();
  std::vector<std::uint64_t> pages;
  for (; !wanted_.empty() && pages.size() < most; wanted_.pop_front()) {
    if (take(wanted_.front())) pages.push_back(wanted_.front());
  }
  if (!pages.empty()) return pages;
  for (; next_ < limit_ && pages.size() < most; ++next_) {
    if (take(next_)) pages.push_back(next_);
  }
  return pages;
}

// What the guest waits for does not wait for its share of the link.
Io PageServer::await_share(Channel& channel) {
  while (wanted_.empty()) {
    const Time now = boottime_now();
    const Time go_at = bandwidth_.free_from(now);
    if (go_at <= now) break;
    const Io waited = take_wishes(channel, go_at);
    if (waited != Io::kDone) return waited;
  }
  return Io::kDone;
}

// What was not sent in time is sent again over the next connection, in smaller pieces.
void PageServer::fit_to_link(Duration took) {
  if (took > kSlowFrame) link_pages_ = std::max<std::uint64_t>(pages_at_once() / 2, 1);
  if (took < kQuickFrame)
    link_pages_ = std::min<std::uint64_t>(2 * link_pages_, kFollowingPagesMax);
}

std::uint64_t PageServer::pages_at_once() const {
  const std::uint64_t bytes = in_a_second(bandwidth_.rate(), kFollowingPagesMax * kPageBytes);
  return std::min(link_pages_, bytes / kPageBytes);
}

Io PageServer::send_next(Channel& channel, const NoteSent& note_sent) {
  const Io waited = await_share(channel);
  if (waited != Io::kDone) return waited;
  const std::vector<std::uint64_t> pages = next_pages();
  std::uint64_t bytes = pages.size() * kPageBytes;
  if (pages.empty())
    bytes = std::min(modelled_bytes_left_, in_a_second(bandwidth_.rate(), kModelledPiece));
  if (bytes == 0) return Io::kDone;
  bandwidth_.take(bytes, boottime_now());
  Io outcome = Io::kDone;
  if (pages.empty()) {
    modelled_bytes_left_ -= bytes;
    std::vector<std::byte> frame;
    append_header({FrameType::kModelled, 0, bytes}, frame);
    iovec piece{frame.data(), frame.size()};
    outcome = channel.send(&piece, 1, kStreamSilenceLimit);
  } else {
    const Time began = boottime_now();
    outcome = send_following(channel, *memory_, pages);
    fit_to_link(boottime_now() - began);
  }
  if (outcome == Io::kDone) note_sent(bytes);
  return outcome;
}

}  // namespace failsim::node
