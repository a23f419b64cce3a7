// The thread that writes batches to the store, so that the event loop never waits for a disk.
//
// Batches are written in the order they were handed over. While one write is under way the next
// ones gather and are united into as few writes, and syncs, as their order allows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/durable.h"
#include "storage/store.h"

namespace failsim::node {

class StorageWriter {
 public:
  // Called on the writer's own thread; they must only post. `written`: every batch up to this
  // sequence is in the store. `failed`: nothing after the last written sequence is, nothing will
  // be; called at most once, and the last call.
  struct Calls {
    std::function<void(std::uint64_t sequence)> written;
    std::function<void(std::string reason)> failed;
  };

  StorageWriter(Store& store, Calls calls);
  // Writes what was handed over, then ends the thread.
  ~StorageWriter();
  StorageWriter(const StorageWriter&) = delete;
  StorageWriter& operator=(const StorageWriter&) = delete;

  // `sequence` grows with every call.
  void submit(std::uint64_t sequence, DurableBatch batch);
  // So much waits that no new work should be accepted until some of it is written.
  bool is_full() const { return waiting_bytes_.load(std::memory_order_relaxed) > kFullBytes; }

  static constexpr std::size_t kFullBytes = 64 * 1024 * 1024;

 private:
  struct Waiting {
    std::uint64_t sequence;
    DurableBatch batch;
    std::size_t bytes;
  };

  void run();
  bool take(std::deque<Waiting>& taken);
  bool write(std::deque<Waiting>& taken);

  Store& store_;
  const Calls calls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool is_ending_ = false;
  std::atomic<std::size_t> waiting_bytes_ = 0;  // handed over and not yet written
  std::thread thread_;
};

}  // namespace failsim::node
