// The disk of a node: one atomic batch after another, and everything back when it is opened again.
//
// Implementations: RocksStore (RocksDB, the process world) and MemoryStore (the virtual world,
// which can lose unsynced batches). Neither interprets what it stores beyond the log's order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/durable.h"
#include "cluster/error.h"
#include "cluster/proto/state.pb.h"

namespace failsim {

// What a store was formatted with, and how often a process has opened it.
struct StoreIdentity {
  NodeId node = kNoNode;
  StoreId store_id = 0;
  pb::Bootstrap bootstrap;
  std::uint64_t starts = 0;  // including this one; synced before open returns
};

class Store {
 public:
  virtual ~Store() = default;

  virtual const StoreIdentity& identity() const = 0;
  // What was written before; to be called once, before the first write. kInvalidState if a process
  // was told that the store is superseded.
  virtual Result<Recovered> recover() = 0;
  // Writes the batch atomically, synced if batch.needs_sync(). After an error no further write is
  // ever attempted: the caller ends its part.
  virtual std::optional<Error> write(const DurableBatch& batch) = 0;
};

// Why a store that was superseded is not opened; `which`: "The store in ...".
inline Error superseded_store(const std::string& which) {
  return {
      Code::kInvalidState,
      which +
          " is superseded: the other nodes know of promises that its node has made and it "
          "does not hold, so it is an older copy, or its disk has lost what it acknowledged.",
      "Put the newest store of the node back; without it leave this node out: the others go on."};
}

}  // namespace failsim
