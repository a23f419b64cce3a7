#include "storage/journal_format.h"

#include <cassert>
#include <optional>

#include "cluster/raft/checksum.h"
#include "storage/little_endian.h"

namespace failsim {
namespace {

constexpr std::size_t kHeaderBytes = 8;

std::uint32_t checksum_of(std::string_view length, std::string_view payload) {
  return raft::crc32c(raft::crc32c(0, length), payload);
}

// The bytes of the whole record at the beginning of `bytes`; 0 if there is none.
std::size_t record_bytes(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return 0;
  const std::size_t length = load_u32(bytes);
  if (length == 0 || length > kJournalPayloadBytesMax) return 0;
  if (bytes.size() < kHeaderBytes + length) return 0;
  const std::string_view payload = bytes.substr(kHeaderBytes, length);
  const bool intact = checksum_of(bytes.substr(0, 4), payload) == load_u32(bytes.substr(4));
  return intact ? kHeaderBytes + length : 0;
}

bool has_record_behind(std::string_view bytes) {
  for (std::size_t at = 1; at + kHeaderBytes < bytes.size(); ++at) {
    if (record_bytes(bytes.substr(at)) != 0) return true;
  }
  return false;
}

}  // namespace

std::string encode_journal_record(const pb::JournalRecord& record) {
  const std::string payload = record.SerializeAsString();
  assert(!payload.empty());
  assert(payload.size() <= kJournalPayloadBytesMax);
  std::string bytes;
  append_u32(bytes, static_cast<std::uint32_t>(payload.size()));
  append_u32(bytes, checksum_of(bytes, payload));
  return bytes + payload;
}

JournalScan scan_journal(std::string_view bytes,
                         const std::function<void(const pb::JournalRecord&)>& visit) {
  JournalScan scan;
  pb::JournalRecord record;
  while (scan.whole_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(scan.whole_bytes);
    const std::size_t length = record_bytes(rest);
    if (length == 0 || !record.ParseFromArray(rest.data() + kHeaderBytes,
                                              static_cast<int>(length - kHeaderBytes))) {
      scan.end = has_record_behind(rest) ? JournalEnd::kDamaged : JournalEnd::kTorn;
      return scan;
    }
    visit(record);
    scan.whole_bytes += length;
  }
  return scan;
}

}  // namespace failsim
