// Whether a write-ahead log of RocksDB is whole, torn or damaged.
//
// RocksDB cannot be asked: opened strictly it refuses what a loss of power leaves behind (a record
// that was being appended), opened tolerantly it drops acknowledged records behind a flipped bit,
// and in both ways it skips a zeroed block. So its files are read once before they are opened. The
// format is public and stable:
//
//   log    := blocks of 32 KiB
//   block  := records, then less than 7 zero bytes
//   record := checksum u32, length u16, type u8, payload      (little-endian)
//   type   := 1 whole; 2, 3, 4 first, middle and last part of one that spans blocks
//   checksum := CRC-32C over type and payload, rotated right by 15 bits, plus 0xa282ead8
//   payload  := sequence number u64, number of changes u32, changes
#pragma once

#include <cstddef>
#include <string_view>

namespace failsim {

enum class LogEnd {
  kWhole,    // after the last record there is nothing, or only zeros
  kTorn,     // after the last whole record there is something, but no part of a record
  kDamaged,  // something does not parse, and a part of a later record does
};

struct WriteAheadLog {
  LogEnd end = LogEnd::kWhole;
  std::size_t records = 0;      // whole ones before the end, the tear or the damage
  bool has_changes = false;     // some of those records change something
  std::size_t whole_bytes = 0;  // up to the end of the last of them
};

WriteAheadLog inspect_write_ahead_log(std::string_view bytes);

}  // namespace failsim
