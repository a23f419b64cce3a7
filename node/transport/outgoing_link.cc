#include "node/transport/outgoing_link.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace failsim::node {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestBackOff{1000};
constexpr std::chrono::milliseconds kShortestPause{20};  // whatever the peer does
constexpr std::chrono::seconds kConnectLimit{2};
// Of what was sent. A connection that waited longer would be tried again after as long again, for
// TCP doubles its pauses; a new one is tried every second.
constexpr std::chrono::milliseconds kAcknowledgedWithin{3000};
constexpr std::chrono::seconds kStaleAfter{1};  // of what waits for a link that is down
constexpr std::size_t kDownQueueBytes = 4 * 1024 * 1024;
constexpr std::size_t kUpQueueBytes = 64 * 1024 * 1024;  // more than this: the peer is stuck
constexpr std::size_t kWriteBytes = 256 * 1024;          // united in one write

void limit_silence(tcp::socket& socket, error_code& failure) {
  const auto limit = static_cast<unsigned>(kAcknowledgedWithin.count());
  if (::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit)) {
    failure.assign(errno, boost::system::system_category());
  }
}

}  // namespace

OutgoingLink::OutgoingLink(boost::asio::io_context& io, Config config, TransportCounters& counters)
    : config_(std::move(config)),
      counters_(counters),
      socket_(io),
      timer_(io),
      back_off_(config_.first_back_off) {}

void OutgoingLink::send(std::string frame) {
  if (is_closed_) return;
  queued_bytes_ += frame.size();
  queue_.push_back({std::move(frame), Clock::now()});
  if (!is_up_) {
    drop_stale();
    while (queued_bytes_ > kDownQueueBytes) drop_oldest();
    return;
  }
  if (queued_bytes_ > kUpQueueBytes) {
    while (!queue_.empty()) drop_oldest();
    fail();
    return;
  }
  write();
}

void OutgoingLink::reset() {
  if (is_up_) fail();
}

void OutgoingLink::close() {
  is_closed_ = true;
  ++attempt_;
  error_code ignored;  // closing twice is no error
  socket_.close(ignored);
  timer_.cancel();
}

void OutgoingLink::connect() {
  if (is_closed_) return;
  is_waiting_ = false;
  if (config_.is_passable && !config_.is_passable()) return fail();
  const unsigned attempt = ++attempt_;
  error_code failure;
  socket_.close(failure);
  socket_.open(config_.to.protocol(), failure);
  if (!failure) socket_.bind(config_.from, failure);
  if (!failure) socket_.set_option(tcp::no_delay(true), failure);
  if (!failure) limit_silence(socket_, failure);
  if (failure) return fail();
  timer_.expires_after(kConnectLimit);
  timer_.async_wait([self = shared_from_this(), attempt](const error_code& canceled) {
    if (!canceled && attempt == self->attempt_ && !self->is_up_) self->fail();
  });
  socket_.async_connect(config_.to, [self = shared_from_this(), attempt](const error_code& error) {
    if (attempt != self->attempt_) return;
    error ? self->fail() : self->connected();
  });
}

void OutgoingLink::connected() {
  timer_.cancel();
  is_up_ = true;
  up_since_ = Clock::now();
  drop_stale();
  std::string hello = config_.hello();
  queued_bytes_ += hello.size();
  queue_.push_front({std::move(hello), Clock::now()});
  config_.changed(true);
  watch();
  write();
}

// Writes what is queued, up to kWriteBytes at once; one write is in flight at any time.
void OutgoingLink::write() {
  if (!is_up_ || !writing_.empty() || queue_.empty()) return;
  std::size_t bytes = 0;
  while (!queue_.empty() &&
         (writing_.empty() || bytes + queue_.front().frame.size() <= kWriteBytes)) {
    bytes += queue_.front().frame.size();
    writing_.push_back(std::move(queue_.front().frame));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  std::vector<boost::asio::const_buffer> buffers;
  for (const std::string& frame : writing_) buffers.push_back(boost::asio::buffer(frame));
  boost::asio::async_write(
      socket_, buffers,
      [self = shared_from_this(), attempt = attempt_](const error_code& error, std::size_t) {
        if (attempt != self->attempt_) return;
        if (error) return self->fail();
        self->counters_.frames_sent += self->writing_.size();
        self->writing_.clear();
        self->write();
      });
}

// The peer says nothing on this connection: what can be read is its end.
void OutgoingLink::watch() {
  socket_.async_read_some(
      boost::asio::buffer(&unexpected_, 1),
      [self = shared_from_this(), attempt = attempt_](const error_code&, std::size_t) {
        if (attempt == self->attempt_) self->fail();
      });
}

void OutgoingLink::fail() {
  if (is_closed_) return;
  ++attempt_;
  error_code ignored;
  socket_.close(ignored);
  writing_.clear();  // how much of it arrived is not known: it counts as lost
  if (is_up_) {
    is_up_ = false;
    // A peer that accepts and closes at once is not asked fifty times a second.
    if (Clock::now() - up_since_ > kLongestBackOff) back_off_ = config_.first_back_off;
    ++counters_.links_lost;
    config_.changed(false);
  }
  connect_after(back_off_);
  back_off_ = std::max(config_.first_back_off, std::min(2 * back_off_, kLongestBackOff));
}

void OutgoingLink::connect_after(std::chrono::milliseconds delay) {
  is_waiting_ = true;
  timer_.expires_after(delay);
  timer_.async_wait([self = shared_from_this(), attempt = attempt_](const error_code& canceled) {
    if (!canceled && attempt == self->attempt_) self->connect();
  });
}

void OutgoingLink::peer_heard() {
  if (is_waiting_ && !is_closed_) connect_after(kShortestPause);
}

void OutgoingLink::try_now() {
  if (!is_waiting_ || is_closed_) return;
  back_off_ = config_.first_back_off;
  connect_after(std::chrono::milliseconds(0));
}

void OutgoingLink::drop_oldest() {
  queued_bytes_ -= queue_.front().frame.size();
  queue_.pop_front();
  ++counters_.dropped_queue_full;
}

void OutgoingLink::drop_stale() {
  const auto oldest = Clock::now() - kStaleAfter;
  while (!queue_.empty() && queue_.front().since < oldest) drop_oldest();
}

}  // namespace failsim::node
