// The streams of one transfer: a thread for each, which end together.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "node/hypervisor/channel.h"

namespace failsim::node {

// What wakes the threads of a transfer; the first is of the transfer's own thread.
class StreamSignals {
 public:
  explicit StreamSignals(std::uint32_t streams);

  // False if the process had no descriptor left for one of them.
  bool valid() const;
  Signal& of(std::uint32_t stream) { return *signals_[stream]; }
  std::uint32_t streams() const { return static_cast<std::uint32_t>(signals_.size()); }
  // Every call on a channel of the transfer ends at once. From any thread.
  void abort_all();

 private:
  std::vector<std::unique_ptr<Signal>> signals_;
};

class StreamGroup {
 public:
  struct Outcome {
    Io io = Io::kDone;
    std::uint32_t stream = 0;  // the first that was not done
  };
  using Work = std::function<Io(std::uint32_t stream)>;

  // The signals must outlive it. Threads beside the caller's only if there are several streams.
  explicit StreamGroup(StreamSignals& signals);
  ~StreamGroup();

  // Performs the work for each stream, stream 0 on this thread, and returns when all have ended:
  // kDone if all are done. The first that is not aborts the signals of all. While this thread waits
  // for the others it calls `meanwhile` every 100 ms.
  Outcome perform(const Work& work, const std::function<void()>& meanwhile);

 private:
  void serve(std::uint32_t stream);
  void ended(std::uint32_t stream, Io io);

  StreamSignals& signals_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const Work* work_ = nullptr;
  std::uint64_t turn_ = 0;  // of the work
  std::uint32_t under_way_ = 0;
  bool stopped_ = false;
  Outcome outcome_;
  std::vector<std::thread> threads_;
};

}  // namespace failsim::node
