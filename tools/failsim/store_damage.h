// Damage to the files of a node's store, done while no process has it open: what a bad disk, a loss
// of power in the middle of a write, and an operator who mixes up disks leave behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace failsim::cli {

enum class StorePart {
  kLog,   // the write-ahead log: what was written last
  kTable  // a table: what was settled before
};

struct FlippedBit {
  std::filesystem::path file;
  std::uint64_t offset = 0;
};

// Flips a bit of the first record of the newest log, or of the first block of the newest table. A
// Failure, and nothing has changed, if there is no such file, or if the log has one record only:
// damage to the last record looks like a write that was cut off, and would be repaired as one.
FlippedBit flip_bit(const std::filesystem::path& store, StorePart part);
// Nothing happens if the file is gone.
void flip_back(const FlippedBit& flipped);

// Behind the last record of the newest log: the first part of another one.
void tear_log(const std::filesystem::path& store);

// Each store takes the place of the one before it, the first that of the last.
void rotate_stores(const std::vector<std::filesystem::path>& stores);

}  // namespace failsim::cli
