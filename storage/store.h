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
  // What was written before; to be called once, before the first write.
  virtual Result<Recovered> recover() = 0;
  // Writes the batch atomically, synced if batch.needs_sync(). After an error no further write is
  // ever attempted: the caller ends its part.
  virtual std::optional<Error> write(const DurableBatch& batch) = 0;
};

}  // namespace failsim
