#include "node/hypervisor/stream_group.h"

#include <algorithm>
#include <chrono>

#include "node/hypervisor/threads.h"

namespace failsim::node {
namespace {

constexpr std::chrono::milliseconds kMeanwhile{100};

}  // namespace

StreamSignals::StreamSignals(std::uint32_t streams) {
  for (std::uint32_t i = 0; i < streams; ++i) signals_.push_back(std::make_unique<Signal>());
}

bool StreamSignals::valid() const {
  return std::all_of(signals_.begin(), signals_.end(),
                     [](const auto& signal) { return signal->valid(); });
}

void StreamSignals::abort_all() {
  for (const auto& signal : signals_) signal->abort();
}

StreamGroup::StreamGroup(StreamSignals& signals) : signals_(signals) {
  for (std::uint32_t stream = 1; stream < signals_.streams(); ++stream) {
    threads_.emplace_back([this, stream] { serve(stream); });
  }
}

StreamGroup::~StreamGroup() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

StreamGroup::Outcome StreamGroup::perform(const Work& work,
                                          const std::function<void()>& meanwhile) {
  {
    const std::lock_guard lock(mutex_);
    outcome_ = {};
    work_ = &work;
    under_way_ = signals_.streams();
    ++turn_;
    changed_.notify_all();
  }
  ended(0, work(0));
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kMeanwhile, [this] { return under_way_ == 0; })) {
    lock.unlock();
    meanwhile();
    lock.lock();
  }
  return outcome_;
}

void StreamGroup::serve(std::uint32_t stream) {
  make_thread_modest();
  std::uint64_t served = 0;
  for (;;) {
    const Work* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopped_ || turn_ != served; });
      if (turn_ == served) return;
      served = turn_;
      work = work_;
    }
    ended(stream, (*work)(stream));
  }
}

void StreamGroup::ended(std::uint32_t stream, Io io) {
  const std::lock_guard lock(mutex_);
  --under_way_;
  if (io != Io::kDone && outcome_.io == Io::kDone) {
    outcome_ = {io, stream};
    signals_.abort_all();
  }
  if (under_way_ == 0) changed_.notify_all();
}

}  // namespace failsim::node
