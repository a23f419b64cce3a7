// A disk that fails when it is told to: RocksDB writes through it to the machine's own file system.
//
// Unlike storage/fault_file_system.h, which plays a whole disk that can lose its power, everything
// that is written here is written and synced for real.
#pragma once

#include <memory>

#include "node/faults/switchboard.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace failsim::node {

// To open a store with; the switchboard outlives it. Writes stall, syncs are slow and writes fail
// as the faults in force say.
std::unique_ptr<rocksdb::Env> faulty_disk(Switchboard& switchboard);

}  // namespace failsim::node
