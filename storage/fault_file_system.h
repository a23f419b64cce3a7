// A disk that fails on purpose, for tests of RocksStore: files are real, but what was not synced
// can be lost, the power can go at any operation, and writes or syncs can be refused.
//
// An operation is anything that changes the disk: creating, appending to, truncating, syncing,
// renaming and removing a file, and syncing a directory. A created or renamed file has its name
// durably only after a sync of the directory.
#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace failsim {

class FaultFileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem();

  // To open databases with; valid as long as this object.
  rocksdb::Env* env();

  std::uint64_t operations() const;
  // The power goes in the n-th operation from now (n > 0): an append then writes half of its bytes,
  // any other does nothing; it and every later operation fails.
  void power_off_in(std::uint64_t n);
  // What was not synced is lost, but for the first `torn_bytes` behind the synced part of each
  // file; then the power is back and nothing fails. Every database must be closed.
  void crash(std::uint64_t torn_bytes = 0);
  // All that was written is there and nothing fails any more, as if only the process had been
  // killed.
  void restart_process();

  enum class Call { kAppend, kSync };
  enum class Kind { kNoSpace, kIoError };
  // After `after` more of these calls each fails, until heal(). Only files that end in ".log", if
  // `only_log`.
  void fail(Call call, Kind kind, std::uint64_t after, bool only_log = false);
  void heal();

 private:
  class Disk;
  std::shared_ptr<Disk> disk_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace failsim
