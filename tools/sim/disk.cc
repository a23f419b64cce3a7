#include "tools/sim/disk.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace failsim::sim {
namespace {

constexpr std::size_t kCopies = 8;

std::uint64_t size_of(const DurableBatch& batch) {
  std::uint64_t bytes = 0;
  for (const EntryPtr& entry : batch.append) bytes += entry->ByteSizeLong();
  for (const RowChange& row : batch.rows) {
    bytes += row.key.size() + (row.value ? row.value->size() : 0);
  }
  return bytes + 1;  // no write is free
}

}  // namespace

Disk::Disk(EventQueue& queue, std::uint64_t seed, NodeId node, StoreId store_id,
           const pb::Bootstrap& bootstrap)
    : queue_(queue),
      random_(seed),
      node_(node),
      bootstrap_(bootstrap),
      store_(MemoryStore::format(node, store_id, bootstrap)) {}

Recovered Disk::open(std::uint32_t instance, User user) {
  if (!is_replaced()) {
    copies_.push_front(store_->copy());
    if (copies_.size() > kCopies) copies_.pop_back();
  }
  store_->open(instance);
  user_ = std::move(user);
  ++openings_;
  has_failed_ = false;
  Result<Recovered> recovered = store_->recover();
  assert(recovered.ok());
  return recovered.take();
}

void Disk::forget_user() {
  waiting_.clear();
  writing_ = 0;
  is_held_up_ = false;
  user_ = {};
  ++openings_;
}

void Disk::kill() {
  if (!store_->is_open()) return;  // the power went before
  // What was being written may have reached the disk in part, in its order.
  if (writing_ > 0) write(random_.below(writing_ + 1));
  forget_user();
  store_->close();
}

bool Disk::lose_power() {
  if (!store_->is_open()) return false;
  if (writing_ > 0) write(random_.below(writing_ + 1));
  forget_user();
  const std::size_t promised = store_->promised();
  if (promised == 0) {
    store_->crash(random_.below(store_->unsynced() + 1));
    return false;
  }
  store_->close();
  if (!is_replaced()) replaced_ = store_->copy();
  store_->crash(random_.below(promised));
  return true;
}

std::optional<Error> Disk::refused() const {
  if (store_->identity().node != node_) {
    return Error{Code::kInvalidData,
                 "The store on the disk of " + node_name(node_) + " is the one of " +
                     node_name(store_->identity().node) + ".",
                 ""};
  }
  return store_->damage();
}

void Disk::take_out() {
  assert(!store_->is_open());
  assert(!is_replaced());
  replaced_ = std::move(store_);
}

void Disk::replace() {
  take_out();
  is_blank_ = true;
  store_ = MemoryStore::format(node_, random_.next(), bootstrap_);
  store_->take_history_of(*replaced_);
}

void Disk::restore(std::size_t age) {
  assert(age > 0 && age <= copies_.size());
  take_out();
  store_ = copies_[age - 1]->copy();
}

void Disk::place_copy_of(const Disk& other) {
  take_out();
  assert(!other.copies_.empty());
  store_ = other.copies_.front()->copy();
}

void Disk::put_back() {
  assert(!store_->is_open());
  assert(is_replaced());
  if (std::exchange(is_blank_, false)) replaced_->take_history_of(*store_);
  store_ = std::exchange(replaced_, nullptr);
}

void Disk::lie() {
  is_lying_ = true;
  store_->set_lying(true);
}

void Disk::stop_lying() {
  is_lying_ = false;
  store_->set_lying(false);
}

void Disk::forget_replaced() {
  assert(is_replaced());
  replaced_.reset();
}

void Disk::flip_bit(Part part) {
  assert(!store_->is_open());
  assert(!is_flipped());
  unflipped_ = store_->copy();
  if (part == Part::kLog) return store_->flip_log_bit(random_);
  store_->flip_row_bit();
}

void Disk::flip_back() {
  assert(!store_->is_open());
  store_ = std::exchange(unflipped_, nullptr);
}

void Disk::fail_writes(const std::string& error) {
  store_->fail_writes(Error{Code::kWriteFault, "The disk says " + error + ".", ""});
}

void Disk::submit(DurableBatch batch, std::uint64_t sequence) {
  waiting_.push_back(Waiting{std::move(batch), sequence});
  if (writing_ == 0) begin();
}

void Disk::begin() {
  writing_ = waiting_.size();
  const bool synced = std::any_of(waiting_.begin(), waiting_.end(), [](const Waiting& waiting) {
    return waiting.batch.needs_sync();
  });
  Duration duration = 0;
  if (synced) {
    const auto span = static_cast<std::uint64_t>(quality_.sync_max - quality_.sync_min);
    duration = quality_.sync_min + static_cast<Duration>(random_.below(span + 1));
    duration += rules_.added(random_);
  }
  queue_.after(duration, [this, openings = openings_] {
    if (openings == openings_) finish();
  });
}

// Returns how many were written before the disk failed.
std::size_t Disk::write(std::size_t count) {
  for (std::size_t done = 0; done < count; ++done) {
    if (has_failed_) return done;
    has_failed_ = !write(waiting_[done].batch);
    if (has_failed_) return done;
  }
  return count;
}

bool Disk::write(const DurableBatch& batch) {
  if (rules_.is_failing()) {
    const std::optional<std::string> error = rules_.take(size_of(batch));
    if (error) fail_writes(*error);
  }
  return !store_->write(batch).has_value();
}

void Disk::remove(StorageRules::Id rule) {
  rules_.remove(rule);
  if (!is_held_up_ || rules_.is_stalled()) return;
  is_held_up_ = false;
  queue_.after(0, [this, openings = openings_] {
    if (openings == openings_) finish();
  });
}

void Disk::finish() {
  if (rules_.is_stalled()) {
    is_held_up_ = true;
    return;
  }
  const std::size_t asked = writing_;
  const std::size_t done = write(asked);
  const std::uint64_t sequence = done == 0 ? 0 : waiting_[done - 1].sequence;
  writing_ = 0;
  if (done < asked) {
    waiting_.clear();
    if (sequence != 0) user_.written(sequence);
    user_.failed("a write failed: the disk does not take any more");
    return;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
  if (!waiting_.empty()) begin();
  user_.written(sequence);
}

}  // namespace failsim::sim
