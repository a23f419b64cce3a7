// A node's disk in the virtual world: what was synced, and behind it the batches that were not.
//
// The store outlives the processes that use it: the world opens it for each process start, closes
// it when the process ends (nothing is lost: the page cache survives a kill), and crashes it when
// the power goes (unsynced batches are lost from some point on). A batch costs its changes; entries
// are shared, not copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/random.h"
#include "storage/store.h"

namespace failsim {

class MemoryStore : public Store {
 public:
  // A formatted store that no process has opened yet.
  static std::unique_ptr<MemoryStore> format(NodeId node, StoreId store_id,
                                             const pb::Bootstrap& bootstrap);

  // A process starts: raises `starts`. The store must not be open.
  void open(std::uint32_t instance = 0);
  // The process has ended in any way but loss of power.
  void close();
  // The power went: of the unsynced batches, in order, the first `keep` survive. Closes the store.
  void crash(std::size_t keep);
  bool is_open() const { return is_open_; }
  // From now on no sync does anything, until it is told the truth again: what was written meanwhile
  // is synced then.
  void set_lying(bool is_lying);
  // Of the unsynced batches those up to the last one that is said to be synced.
  std::size_t promised() const;
  // Batches that a crash may take.
  std::size_t unsynced() const { return unsynced_.size(); }
  // All that is written, as another store; neither is open. The unsynced batches count as written.
  std::unique_ptr<MemoryStore> copy() const;
  // The starts of another store become those of this one, so that nothing but the store id tells it
  // from that one.
  void take_history_of(const MemoryStore& other);
  // A bit flips in an entry of the log, or, if it has none, in the rows. No process may have it
  // open.
  void flip_log_bit(Random& random);
  // The same in the rows, where the checksums of the database notice it, as RocksDB's do.
  void flip_row_bit() { flipped_ = Flipped::kRow; }
  // What recover() would refuse.
  std::optional<Error> damage() const;
  // After `after` more batches, each write fails with this error until the store is opened again;
  // of the failed batch nothing is there.
  void fail_writes(Error error, std::uint64_t after = 0);

  const StoreIdentity& identity() const override { return identity_; }
  // kInvalidData if a bit has flipped, kInvalidState if it is superseded.
  Result<Recovered> recover() override;
  std::optional<Error> write(const DurableBatch& batch) override;

 private:
  MemoryStore() = default;

  // Everything as of some batch.
  struct Image {
    pb::HardState hard_state;
    pb::LogStart log_start;
    std::deque<EntryPtr> entries;  // contiguous after log_start
    std::map<std::string, std::string> rows;
    Index applied = 0;
    std::uint64_t synced = 0;
    bool is_retired = false;
  };
  struct Failure {
    Error error;
    std::uint64_t after = 0;
  };

  Recovered read() const;
  static void perform(DurableBatch&& batch, Image& image);
  void settle(std::size_t batches);  // the first of the unsynced ones become part of the image

  StoreIdentity identity_;
  bool is_open_ = false;
  bool is_lying_ = false;
  std::vector<StoreStart> starts_;     // synced when it is opened
  Image image_;                        // all that is synced
  std::deque<DurableBatch> unsynced_;  // written later, in order
  std::optional<Failure> failure_;
  enum class Flipped { kNothing, kLog, kRow } flipped_ = Flipped::kNothing;
};

}  // namespace failsim
