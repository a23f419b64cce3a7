#include "storage/write_ahead_log.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cluster/little_endian.h"
#include "cluster/raft/checksum.h"

namespace failsim {
namespace {

constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kSequenceBytes = 8;

enum Type : unsigned char { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Part {
  Type type;
  std::size_t bytes;  // with its header
};

std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

std::size_t left_in_block(std::size_t at) {
  return kBlockBytes - at % kBlockBytes;
}

// The part of a record that begins at `at`; none if what is there is none.
std::optional<Part> part_at(std::string_view bytes, std::size_t at) {
  const std::size_t room = std::min(left_in_block(at), bytes.size() - at);
  if (room < kHeaderBytes) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
  const unsigned char type = byte(6);
  if (type < kFull || type > kLast) return std::nullopt;
  const std::size_t length = byte(4) | static_cast<std::size_t>(byte(5)) << 8;
  if (kHeaderBytes + length > room) return std::nullopt;
  const std::uint32_t crc = raft::crc32c(0, bytes.substr(at + 6, 1 + length));
  if (masked(crc) != load_u32(bytes.substr(at))) return std::nullopt;
  return Part{static_cast<Type>(type), kHeaderBytes + length};
}

// RocksDB begins a log with a record of no changes when the one before it is torn.
bool changes_nothing(std::string_view part) {
  const std::string_view payload = part.substr(kHeaderBytes);
  return part[kHeaderBytes - 1] == kFull &&
         payload.size() == kSequenceBytes + sizeof(std::uint32_t) &&
         load_u32(payload.substr(kSequenceBytes)) == 0;
}

bool has_part_behind(std::string_view bytes, std::size_t at) {
  for (++at; at + kHeaderBytes <= bytes.size(); ++at) {
    if (part_at(bytes, at)) return true;
  }
  return false;
}

bool only_zeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

}  // namespace

WriteAheadLog inspect_write_ahead_log(std::string_view bytes) {
  WriteAheadLog log;
  bool inside_record = false;  // its first part was read, its last one not yet
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (left_in_block(at) < kHeaderBytes) {
      at = std::min(at + left_in_block(at), bytes.size());
      continue;
    }
    const std::optional<Part> part = part_at(bytes, at);
    const bool continues = part && (part->type == kMiddle || part->type == kLast);
    if (!part || continues != inside_record) {
      if (has_part_behind(bytes, at) || part)
        log.end = LogEnd::kDamaged;
      else if (inside_record || !only_zeros(bytes.substr(at)))
        log.end = LogEnd::kTorn;
      return log;
    }
    log.has_changes = log.has_changes || !changes_nothing(bytes.substr(at, part->bytes));
    at += part->bytes;
    inside_record = part->type == kFirst || part->type == kMiddle;
    if (!inside_record) {
      ++log.records;
      log.whole_bytes = at;
    }
  }
  if (inside_record) log.end = LogEnd::kTorn;
  return log;
}

}  // namespace failsim
