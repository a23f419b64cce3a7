#include "node/faults/faulty_volume.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "cluster/error.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {
namespace {

// How often a blocked link is looked at.
constexpr Duration kLook = 5 * kMillisecond;

struct Asked {
  pb::VolumeRequest request;
  VolumePort::Callback callback;
  Time arrives_at = 0;  // at the volume
  bool is_sent = false;
  std::optional<pb::VolumeReply> reply;
  Time answered_at = 0;
};

bool writes(const pb::VolumeRequest& request) {
  return request.has_register_() || request.has_append() || request.has_write_state() ||
         request.has_delete_files();
}

pb::VolumeReply failure(Code code, const char* message) {
  pb::VolumeReply reply;
  reply.set_code(static_cast<std::uint32_t>(code));
  reply.set_message(message);
  return reply;
}

// One thread calls back, in the order of the requests.
class FaultyVolume final : public VolumePort {
 public:
  FaultyVolume(std::shared_ptr<VolumePort> volume, NodeId self, Switchboard& switchboard)
      : volume_(std::move(volume)),
        self_(self),
        switchboard_(switchboard),
        thread_([this] { run(); }) {}
  ~FaultyVolume() override { stop(); }

  void submit(pb::VolumeRequest request, Callback callback) override {
    const Time arrives_at = arrival(self_, fault::kVolumeEnd, request.ByteSizeLong(), to_volume_) +
                            switchboard_.volume_delay();
    const auto asked = std::make_shared<Asked>();
    asked->request = std::move(request);
    asked->callback = std::move(callback);
    asked->arrives_at = arrives_at;
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    asked_.push_back(asked);
    changed_.notify_one();
  }

  void stop() override {
    volume_->stop();
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  using AskedPtr = std::shared_ptr<Asked>;

  // A direction of the link, as a rate fills it.
  struct Way {
    std::uint64_t rate = 0;
    TokenBucket bucket{0};
  };

  Time arrival(NodeId from, NodeId to, std::size_t bytes, Way& way) {
    const Passage passage = switchboard_.passage(from, to, Traffic::kControl);
    const std::lock_guard lock(mutex_);
    const Time now = switchboard_.now();
    if (passage.rate != way.rate) way = {passage.rate, TokenBucket(passage.rate)};
    const Time gone_at = way.rate == 0 ? now : way.bucket.take_and_finish(bytes, now);
    return std::max(now, gone_at) + passage.delay;
  }

  bool is_blocked(NodeId from, NodeId to) const {
    return switchboard_.is_cut(from, to, Traffic::kControl) ||
           switchboard_.is_held(from, to, Traffic::kControl);
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (const AskedPtr next = next_to_send()) {
        lock.unlock();
        send(next);
        lock.lock();
      } else if (const AskedPtr answered = next_to_answer()) {
        lock.unlock();
        answered->callback(*answered->reply);
        lock.lock();
      } else if (is_stopping_ && asked_.empty()) {
        return;
      } else {
        wait(lock);
      }
    }
  }

  // The first that is not sent, if it is its time.
  AskedPtr next_to_send() {
    for (const AskedPtr& asked : asked_) {
      if (asked->is_sent) continue;
      if (is_stopping_) {
        asked->reply = failure(Code::kOperationAborted, "The node stops.");
      } else if (asked->arrives_at > switchboard_.now() || is_blocked(self_, fault::kVolumeEnd)) {
        return nullptr;
      }
      asked->is_sent = true;
      return is_stopping_ ? nullptr : asked;
    }
    return nullptr;
  }

  // The oldest, if its answer is here.
  AskedPtr next_to_answer() {
    if (asked_.empty()) return nullptr;
    const AskedPtr first = asked_.front();
    if (!is_stopping_) {
      if (!first->reply || first->answered_at > switchboard_.now()) return nullptr;
      if (is_blocked(fault::kVolumeEnd, self_)) return nullptr;
    } else if (!first->reply) {
      first->reply = failure(Code::kOperationAborted, "The node stops.");
    }
    asked_.pop_front();
    return first;
  }

  void send(const AskedPtr& asked) {
    if (switchboard_.volume_refuses_writes() && writes(asked->request)) {
      return take(asked, failure(Code::kWriteFault, "The shared volume refuses every write."));
    }
    volume_->submit(asked->request,
                    [this, asked](const pb::VolumeReply& reply) { take(asked, reply); });
  }

  void take(const AskedPtr& asked, const pb::VolumeReply& reply) {
    const Time answered_at = arrival(fault::kVolumeEnd, self_, reply.ByteSizeLong(), to_node_);
    const std::lock_guard lock(mutex_);
    if (asked->reply) return;  // the node stops, and has been told so
    asked->reply = reply;
    asked->answered_at = answered_at;
    changed_.notify_one();
  }

  // Until something comes, or what waits may be due.
  void wait(std::unique_lock<std::mutex>& lock) {
    const bool has_due = std::any_of(asked_.begin(), asked_.end(), [](const AskedPtr& asked) {
      return !asked->is_sent || asked->reply.has_value();
    });
    if (has_due) {
      changed_.wait_for(lock, std::chrono::nanoseconds(kLook));
    } else {
      changed_.wait(lock);
    }
  }

  const std::shared_ptr<VolumePort> volume_;
  const NodeId self_;
  Switchboard& switchboard_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AskedPtr> asked_;  // in the order of the requests
  Way to_volume_;
  Way to_node_;
  bool is_stopping_ = false;
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace

std::shared_ptr<VolumePort> faulty_volume(std::shared_ptr<VolumePort> volume, NodeId self,
                                          Switchboard& switchboard) {
  return std::make_shared<FaultyVolume>(std::move(volume), self, switchboard);
}

}  // namespace failsim::node
