#include "node/faults/frame_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace failsim::node {
namespace {

// More than this does not fit on the way, and the oldest is lost: the peer is stuck.
constexpr std::size_t kLongestWayBytes = 64 * 1024 * 1024;

}  // namespace

FrameQueue::FrameQueue(boost::asio::io_context& io, Switchboard& switchboard, Config config)
    : switchboard_(switchboard), config_(std::move(config)), timer_(io) {}

void FrameQueue::push(std::string frame) {
  const Passage passage = switchboard_.passage(config_.from, config_.to, config_.traffic);
  if (passage.is_clean() && waiting_.empty()) return config_.send(std::move(frame));
  if (passage.is_cut || passage.is_lost) return;
  const bool keeps_order = config_.traffic != Traffic::kHeartbeat;
  Time due = switchboard_.now() + passage.delay + passage.overtaken;
  if (passage.rate != rate_) bucket_ = TokenBucket(rate_ = passage.rate);
  if (rate_ != 0) due = std::max(due, bucket_.take_and_finish(frame.size(), switchboard_.now()));
  if (keeps_order) due = latest_ = std::max(latest_, due);
  if (passage.is_corrupt) {
    const std::uint64_t bit = switchboard_.random_below(frame.size() * 8);
    frame[bit / 8] = static_cast<char>(frame[bit / 8] ^ (1 << (bit % 8)));
  }
  for (int copies = passage.is_doubled ? 2 : 1; copies > 0; --copies) {
    waiting_bytes_ += frame.size();
    waiting_.emplace(due, frame);
  }
  while (waiting_bytes_ > kLongestWayBytes) {
    waiting_bytes_ -= waiting_.begin()->second.size();
    waiting_.erase(waiting_.begin());
  }
  pump();
}

void FrameQueue::pump() {
  // What is held waits for faults_changed().
  if (switchboard_.is_held(config_.from, config_.to, config_.traffic)) return;
  const Time now = switchboard_.now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    std::string frame = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    waiting_bytes_ -= frame.size();
    config_.send(std::move(frame));
  }
  arm();
}

void FrameQueue::clear() {
  waiting_.clear();
  waiting_bytes_ = 0;
  timer_.cancel();
}

// The next frame may have become due since pump() looked: then the timer is over at once.
void FrameQueue::arm() {
  if (waiting_.empty()) return;
  const Duration rest = std::max<Duration>(0, waiting_.begin()->first - switchboard_.now());
  timer_.expires_after(std::chrono::nanoseconds(rest));
  timer_.async_wait([this](const boost::system::error_code& canceled) {
    if (!canceled) pump();
  });
}

}  // namespace failsim::node
