#include "node/runtime/storage_writer.h"

#include <exception>
#include <optional>
#include <utility>

#include "node/runtime/unite.h"

namespace failsim::node {
namespace {

constexpr std::size_t kUnitedBytes = 4 * 1024 * 1024;  // enough for one write

// A store answers with an Error; what it throws (no memory) is a failed write like any other.
std::optional<std::string> failure_of(Store& store, const DurableBatch& batch) {
  try {
    if (auto error = store.write(batch)) return error->message;
  } catch (const std::exception& exception) {
    return std::string("The store could not write a batch: ") + exception.what() + ".";
  }
  return std::nullopt;
}

}  // namespace

StorageWriter::StorageWriter(Store& store, Calls calls)
    : store_(store), calls_(std::move(calls)), thread_([this] { run(); }) {}

StorageWriter::~StorageWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void StorageWriter::submit(std::uint64_t sequence, DurableBatch batch) {
  const std::size_t bytes = byte_size(batch);
  waiting_bytes_ += bytes;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({sequence, std::move(batch), bytes});
  }
  changed_.notify_one();
}

void StorageWriter::run() {
  std::deque<Waiting> taken;
  while (take(taken)) {
    while (!taken.empty()) {
      if (!write(taken)) return;
    }
  }
}

// Everything that waits; false at the end.
bool StorageWriter::take(std::deque<Waiting>& taken) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
  taken.swap(waiting_);
  return !taken.empty();
}

// Writes as many of the first batches as can be united; false when the store failed.
bool StorageWriter::write(std::deque<Waiting>& taken) {
  Waiting united = std::move(taken.front());
  taken.pop_front();
  while (!taken.empty() && united.bytes < kUnitedBytes &&
         can_unite(united.batch, taken.front().batch)) {
    unite(united.batch, std::move(taken.front().batch));
    united.sequence = taken.front().sequence;
    united.bytes += taken.front().bytes;
    taken.pop_front();
  }
  if (auto reason = failure_of(store_, united.batch)) {
    calls_.failed(std::move(*reason));
    return false;
  }
  waiting_bytes_ -= united.bytes;
  calls_.written(united.sequence);
  return true;
}

}  // namespace failsim::node
