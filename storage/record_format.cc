#include "storage/record_format.h"

#include <cassert>
#include <cstdint>

#include "cluster/raft/checksum.h"
#include "cluster/little_endian.h"

namespace failsim {
namespace {

constexpr std::size_t kHeaderBytes = 8;

std::uint32_t checksum_of(std::string_view length, std::string_view payload) {
  return raft::crc32c(raft::crc32c(0, length), payload);
}

// The bytes of the whole record at the beginning of `bytes`; 0 if there is none.
std::size_t record_bytes(std::string_view bytes, std::size_t maximum_payload_bytes) {
  if (bytes.size() < kHeaderBytes) return 0;
  const std::size_t length = load_u32(bytes);
  if (length == 0 || length > bytes.size() - kHeaderBytes) return 0;
  if (length > maximum_payload_bytes) return 0;
  const std::string_view payload = bytes.substr(kHeaderBytes, length);
  const bool intact = checksum_of(bytes.substr(0, 4), payload) == load_u32(bytes.substr(4));
  return intact ? kHeaderBytes + length : 0;
}

bool has_record_behind(std::string_view bytes, std::size_t maximum_payload_bytes) {
  for (std::size_t at = 1; at + kHeaderBytes < bytes.size(); ++at) {
    if (record_bytes(bytes.substr(at), maximum_payload_bytes) != 0) return true;
  }
  return false;
}

}  // namespace

std::string encode_record(std::string_view payload) {
  assert(!payload.empty());
  std::string bytes;
  bytes.reserve(kHeaderBytes + payload.size());
  append_u32(bytes, static_cast<std::uint32_t>(payload.size()));
  append_u32(bytes, checksum_of(bytes, payload));
  bytes += payload;
  return bytes;
}

RecordScan scan_records(std::string_view bytes,
                        const std::function<bool(std::string_view payload)>& visit,
                        std::size_t maximum_payload_bytes) {
  RecordScan scan;
  while (scan.whole_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(scan.whole_bytes);
    const std::size_t length = record_bytes(rest, maximum_payload_bytes);
    if (length == 0) {
      scan.end =
          has_record_behind(rest, maximum_payload_bytes) ? RecordsEnd::kDamaged : RecordsEnd::kTorn;
      return scan;
    }
    if (!visit(rest.substr(kHeaderBytes, length - kHeaderBytes))) {
      scan.end = RecordsEnd::kDamaged;  // its checksum holds, so it was written so
      return scan;
    }
    scan.whole_bytes += length;
  }
  return scan;
}

}  // namespace failsim
