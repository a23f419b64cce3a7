#include "node/hypervisor/page_follower.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
// With pages missing the source always has something to send.
constexpr Duration kSilenceLimit = 5 * kSecond;

}  // namespace

PageFollower::PageFollower(std::shared_ptr<GuestMemory> memory, std::shared_ptr<PresenceMap> map,
                           std::uint64_t modelled_bytes, Signal& signal, Faults faults)
    : memory_(std::move(memory)),
      map_(std::move(map)),
      signal_(signal),
      faults_(std::move(faults)),
      modelled_bytes_left_(modelled_bytes),
      asked_for_(kNoPage) {
  map_->set_wanted([this] { signal_.wake(); });
}

PageFollower::~PageFollower() {
  map_->set_wanted({});
}

void PageFollower::accept(Fd socket) {
  const std::lock_guard lock(mutex_);
  socket_ = std::move(socket);
  signal_.wake();
}

Fd PageFollower::take_socket() {
  const std::lock_guard lock(mutex_);
  return std::move(socket_);
}

bool PageFollower::has_socket() {
  const std::lock_guard lock(mutex_);
  return socket_.valid();
}

bool PageFollower::is_complete() const {
  return map_->is_complete();
}

void PageFollower::follow() {
  while (!is_complete() && !signal_.aborted()) {
    Fd socket = take_socket();
    if (!socket.valid()) {
      signal_.wait(kNever);
      continue;
    }
    Channel channel(std::move(socket), signal_, faults_());
    receive_from(channel);
  }
}

void PageFollower::receive_from(Channel& channel) {
  asked_for_ = kNoPage;
  if (say_what_is_missing(channel) != Io::kDone) return;
  Time quiet_until = boottime_now() + kSilenceLimit;
  while (!is_complete() && !has_socket()) {
    if (ask_for_wanted(channel) != Io::kDone) return;
    bool readable = false;
    if (channel.await_input(quiet_until, readable) != Io::kDone) return;
    if (!readable && boottime_now() >= quiet_until) return;
    if (!readable) continue;
    if (receive_frame(channel) != Io::kDone) return;
    quiet_until = boottime_now() + kSilenceLimit;
  }
}

Io PageFollower::say_what_is_missing(Channel& channel) {
  std::vector<std::byte> frame;
  if (memory_->is_mapped()) {
    frame = missing_frame(map_->missing());
  } else {
    append_header({FrameType::kMissingPages, 0, modelled_bytes_left_}, frame);
  }
  iovec piece{frame.data(), frame.size()};
  return channel.send(&piece, 1, kSetupSilenceLimit);
}

Io PageFollower::ask_for_wanted(Channel& channel) {
  const std::optional<std::uint64_t> wanted = map_->wanted();
  if (!wanted || *wanted == asked_for_) return Io::kDone;
  asked_for_ = *wanted;
  std::vector<std::byte> frame = wanted_frame(*wanted);
  iovec piece{frame.data(), frame.size()};
  return channel.send(&piece, 1, kSetupSilenceLimit);
}

Io PageFollower::receive_frame(Channel& channel) {
  std::array<std::byte, kFrameHeaderBytes> head;
  const Io outcome = channel.receive(head.data(), head.size(), kSilenceLimit);
  if (outcome != Io::kDone) return outcome;
  const std::optional<FrameHeader> header = decode_header(head);
  if (!header) return Io::kClosed;
  if (header->type == FrameType::kModelled && !memory_->is_mapped()) {
    modelled_bytes_left_ -= std::min(modelled_bytes_left_, header->bytes);
    if (modelled_bytes_left_ == 0 && !map_->is_complete()) map_->came(0);
    return Io::kDone;
  }
  if (header->type != FrameType::kFollowingPages || !memory_->is_mapped()) return Io::kClosed;
  return receive_pages(channel, *header);
}

// Into a buffer first: a page may be here already, and what is corrupted must not touch the memory.
Io PageFollower::receive_pages(Channel& channel, const FrameHeader& header) {
  const bool fits = header.runs > 0 && header.runs <= kFollowingPagesMax &&
                    header.bytes == header.runs * kPageBytes;
  if (!fits) return Io::kClosed;
  numbers_.resize(header.runs * sizeof(std::uint64_t));
  pages_.resize(header.bytes);
  iovec pieces[2] = {{numbers_.data(), numbers_.size()}, {pages_.data(), pages_.size()}};
  const Io outcome = channel.receive(pieces, 2, kSilenceLimit);
  if (outcome != Io::kDone) return outcome;
  if (fast_crc32c(fast_crc32c(0, numbers_), pages_) != header.body_checksum) return Io::kClosed;
  const std::byte* bytes = pages_.data();
  for (const std::uint64_t page : decode_words(numbers_)) {
    if (page >= memory_->pages()) return Io::kClosed;
    if (!map_->has(page)) {
      std::memcpy(memory_->page(page), bytes, kPageBytes);
      map_->came(page);
    }
    bytes += kPageBytes;
  }
  return Io::kDone;
}

}  // namespace failsim::node
