// The disk of one node: what it has stored outlives the node's processes; what a process has only
// asked to be written does not have to.
//
// Batches are written in order, as many at a time as are waiting when the disk is free: one sync
// for all of them. A killed process loses what it had not handed over yet; a power failure takes
// what was not synced, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cluster/durable.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "storage/memory_store.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/storage_rules.h"

namespace failsim::sim {

struct DiskQuality {
  Duration sync_min = 100 * kMicrosecond;
  Duration sync_max = 2 * kMillisecond;
};

class Disk {
 public:
  // The process that uses the disk.
  struct User {
    std::function<void(std::uint64_t sequence)> written;  // with every batch before it
    std::function<void(const std::string& reason)> failed;
  };

  Disk(EventQueue& queue, std::uint64_t seed, NodeId node, StoreId store_id,
       const pb::Bootstrap& bootstrap);

  // A process starts: what it finds.
  Recovered open(std::uint32_t instance, User user);
  // Of a blank disk, too: the count goes on, so that nothing but the store id tells it from the
  // old.
  std::uint64_t starts() const { return store_->identity().starts; }
  StoreId store_id() const { return store_->identity().store_id; }
  void kill();  // the process is gone
  // With the machine. Returns whether something is lost that was said to be synced.
  bool lose_power();

  // What a process that opened it now would refuse: damage, or the store of another node.
  std::optional<Error> refused() const;

  // ---- between processes ----
  // Another store takes the place of the node's own, until that is put back: one formatted anew, an
  // older copy of it (as it was before the last `age` starts), or a copy of another node's.
  void replace();
  void restore(std::size_t age);
  void place_copy_of(const Disk& other);
  void put_back();
  // From now on a sync does nothing: when the power goes, the store is an older one from then on,
  // and the node's own is what it had acknowledged.
  void lie();
  void stop_lying();
  bool is_lying() const { return is_lying_; }
  // What is in the place of the node's own store is its own now.
  void forget_replaced();
  bool is_replaced() const { return replaced_ != nullptr; }
  // How old a copy may be, in starts.
  std::size_t copies() const { return copies_.size(); }
  // A bit flips in its log or its rows, until it is flipped back.
  enum class Part { kLog, kTable };
  void flip_bit(Part part);
  void flip_back();
  bool is_flipped() const { return unflipped_ != nullptr; }

  void submit(DurableBatch batch, std::uint64_t sequence);
  bool is_idle() const { return waiting_.empty(); }

  void set_quality(const DiskQuality& quality) { quality_ = quality; }
  StorageRules::Id add(StorageRule rule) { return rules_.add(std::move(rule)); }
  void remove(StorageRules::Id rule);
  // The next write fails, and all later ones of this process.
  void fail_writes(const std::string& error = "EIO");

 private:
  struct Waiting {
    DurableBatch batch;
    std::uint64_t sequence = 0;
  };
  void begin();
  void finish();
  std::size_t write(std::size_t count);
  bool write(const DurableBatch& batch);
  void forget_user();
  void take_out();

  EventQueue& queue_;
  Random random_;
  DiskQuality quality_;
  const NodeId node_;
  const pb::Bootstrap bootstrap_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<MemoryStore> replaced_;  // the node's own, while another is in its place
  bool is_lying_ = false;
  bool is_blank_ = false;  // that other one was formatted anew
  std::unique_ptr<MemoryStore> unflipped_;
  std::deque<std::unique_ptr<MemoryStore>> copies_;  // before each of its starts, the newest first
  User user_;
  std::deque<Waiting> waiting_;  // the first `writing_` of them are being written
  std::size_t writing_ = 0;
  bool has_failed_ = false;
  std::uint64_t openings_ = 0;
  StorageRules rules_;
  bool is_held_up_ = false;  // what is being written waits for the end of a stall
};

}  // namespace failsim::sim
