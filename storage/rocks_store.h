// The disk of a node in RocksDB. Keys are readable with `ldb scan`:
//
//   meta/identity          StoreRecord (store.proto), written by formatting
//   meta/starts            how often a process has opened the store, decimal
//   meta/hard_state        HardState
//   meta/log_start         LogStart
//   meta/applied           index of the last entry that the rows contain, decimal
//   log/<20 digits>        LogEntry
//   row/<key of the row>   the row's bytes, as given: row/property/... holds CLUSPROP bytes
//
// Opening keeps what a crash leaves: every synced batch and a prefix of the later ones. A torn last
// record of the write-ahead log is cut off; damage anywhere else is refused with a sentence,
// because going on without acknowledged records would make this voter lie.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "storage/store.h"

namespace rocksdb {
class DB;
class Env;
class WriteBatch;
}  // namespace rocksdb

namespace failsim {

struct RocksStoreOptions {
  rocksdb::Env* env = nullptr;  // of the caller, for tests; null = the machine's
  std::uint32_t instance = 0;   // of the process that opens it: the low half of its incarnation
};

// What a store holds, for people who look at it.
struct StoreContent {
  StoreIdentity identity;
  Recovered recovered;
};

class RocksStore : public Store {
 public:
  // Reads it and changes nothing, also while a process has it open: then as it was a moment ago.
  static Result<StoreContent> look(const std::string& path);

  // Writes the identity into a new store (`starts` is ignored: none yet); the directory is created
  // if its parent exists. Refuses a formatted one with kAlreadyExists and leaves it untouched.
  static std::optional<Error> format(const std::string& path, const StoreIdentity& identity,
                                     const RocksStoreOptions& options = {});
  // Raises `starts` and writes down who that is, synced.
  static Result<std::unique_ptr<RocksStore>> open(const std::string& path,
                                                  const RocksStoreOptions& options = {});
  ~RocksStore() override;

  const StoreIdentity& identity() const override { return identity_; }
  Result<Recovered> recover() override;
  // A failed write closes the database; each later call returns the same error.
  std::optional<Error> write(const DurableBatch& batch) override;

 private:
  RocksStore(std::string path, std::unique_ptr<rocksdb::DB> db);

  std::optional<Error> load_identity();
  std::optional<Error> count_start(std::uint32_t instance);
  Result<Recovered> read();
  std::optional<Error> commit(rocksdb::WriteBatch& batch, bool sync);

  std::string path_;
  StoreIdentity identity_;
  std::unique_ptr<rocksdb::DB> db_;  // null after a failed write
  std::optional<Error> failure_;
};

}  // namespace failsim
