#include "storage/memory_store.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/log_damage.h"

namespace failsim {

std::unique_ptr<MemoryStore> MemoryStore::format(NodeId node, StoreId store_id,
                                                 const pb::Bootstrap& bootstrap) {
  std::unique_ptr<MemoryStore> store(new MemoryStore());
  store->identity_ = {node, store_id, bootstrap, 0};
  return store;
}

void MemoryStore::open(std::uint32_t instance) {
  assert(!is_open_);
  is_open_ = true;
  failure_.reset();
  starts_.push_back({instance, read().synced});
  ++identity_.starts;
}

void MemoryStore::close() {
  assert(is_open_);
  is_open_ = false;
}

void MemoryStore::crash(std::size_t keep) {
  assert(keep <= unsynced_.size());
  settle(keep);
  unsynced_.clear();
  is_open_ = false;
}

void MemoryStore::fail_writes(Error error, std::uint64_t after) {
  failure_ = Failure{std::move(error), after};
}

// What is given back rests on every batch written so far, so a later loss of power may still take
// the unsynced ones: as with real files, which are read through the page cache.
Result<Recovered> MemoryStore::recover() {
  assert(is_open_);
  if (auto error = damage()) return *error;
  return read();
}

Recovered MemoryStore::read() const {
  Image image = image_;
  for (DurableBatch batch : unsynced_) perform(std::move(batch), image);

  Recovered recovered;
  recovered.hard_state = image.hard_state;
  recovered.log_start = image.log_start;
  recovered.entries.assign(image.entries.begin(), image.entries.end());
  for (auto& [key, value] : image.rows) recovered.rows.push_back({key, std::move(value)});
  recovered.applied = image.applied;
  recovered.starts = starts_;
  recovered.synced = image.synced;
  return recovered;
}

std::unique_ptr<MemoryStore> MemoryStore::copy() const {
  assert(!is_open_);
  std::unique_ptr<MemoryStore> copied(new MemoryStore(*this));
  copied->settle(copied->unsynced_.size());
  copied->is_lying_ = false;
  return copied;
}

void MemoryStore::take_history_of(const MemoryStore& other) {
  assert(!is_open_);
  identity_.starts = other.identity_.starts;
  starts_ = other.starts_;
  settle(unsynced_.size());
  image_.synced = other.read().synced;
}

void MemoryStore::flip_log_bit(Random& random) {
  assert(!is_open_);
  settle(unsynced_.size());
  std::deque<EntryPtr>& entries = image_.entries;
  if (entries.empty()) return flip_row_bit();
  EntryPtr& hit = entries[random.below(entries.size())];
  const auto flipped = std::make_shared<pb::LogEntry>(*hit);
  std::string& command = *flipped->mutable_command();
  if (command.empty()) {
    flipped->set_term(flipped->term() ^ (std::uint64_t{1} << random.below(64)));
  } else {
    char& byte = command[random.below(command.size())];
    byte = static_cast<char>(byte ^ (1 << random.below(8)));
  }
  hit = flipped;
  flipped_ = Flipped::kLog;
}

std::optional<Error> MemoryStore::damage() const {
  if (image_.is_retired) return superseded_store("The store of " + node_name(identity_.node));
  if (flipped_ == Flipped::kNothing) return std::nullopt;
  const std::optional<std::string> wrong = flipped_ == Flipped::kLog
                                               ? log_damage(read())
                                               : "a block of its rows does not have its checksum";
  if (!wrong) return std::nullopt;
  return Error{Code::kInvalidData,
               "The store of " + node_name(identity_.node) + " is damaged: " + *wrong + ".", ""};
}

std::optional<Error> MemoryStore::write(const DurableBatch& batch) {
  assert(is_open_);
  if (failure_) {
    if (failure_->after == 0) return failure_->error;
    --failure_->after;
  }
  unsynced_.push_back(batch);
  if (batch.needs_sync() && !is_lying_) settle(unsynced_.size());
  return std::nullopt;
}

void MemoryStore::set_lying(bool is_lying) {
  is_lying_ = is_lying;
  if (!is_lying) settle(promised());
}

std::size_t MemoryStore::promised() const {
  const auto last = std::find_if(unsynced_.rbegin(), unsynced_.rend(),
                                 [](const DurableBatch& batch) { return batch.needs_sync(); });
  return static_cast<std::size_t>(unsynced_.rend() - last);
}

void MemoryStore::settle(std::size_t batches) {
  for (; batches > 0; --batches) {
    perform(std::move(unsynced_.front()), image_);
    unsynced_.pop_front();
  }
}

void MemoryStore::perform(DurableBatch&& batch, Image& image) {
  std::deque<EntryPtr>& entries = image.entries;
  if (batch.hard_state) image.hard_state = *batch.hard_state;
  if (batch.truncate_from != 0) {
    while (!entries.empty() && entries.back()->index() >= batch.truncate_from) entries.pop_back();
  }
  for (EntryPtr& entry : batch.append) {
    const Index last = entries.empty() ? image.log_start.index() : entries.back()->index();
    // A snapshot that takes the place of the log may come with entries that follow it.
    assert(entry->index() == last + 1 || batch.log_start);
    entries.push_back(std::move(entry));
  }
  if (batch.log_start) {
    image.log_start = *batch.log_start;
    while (!entries.empty() && entries.front()->index() <= image.log_start.index()) {
      entries.pop_front();
    }
  }
  if (batch.replace_rows) image.rows.clear();
  for (RowChange& row : batch.rows) {
    if (row.value)
      image.rows[row.key] = std::move(*row.value);
    else
      image.rows.erase(row.key);
  }
  if (batch.applied) image.applied = *batch.applied;
  if (batch.synced != 0) image.synced = batch.synced;
  if (batch.retired) image.is_retired = true;
}

}  // namespace failsim
