// The journal of a VM as bytes: one record after another,
//
//   record := length u32, checksum u32, payload       (little-endian)
//   length := bytes of the payload, 1 .. kJournalPayloadBytesMax
//   checksum := CRC-32C over the four bytes of length and the payload
//   payload := a serialized failsim.pb.JournalRecord
//
// A journal ends where its file ends. What a crash leaves of a record that was being appended, at
// the very end, is a torn tail; anything else that does not parse is damage.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "storage/proto/volume.pb.h"

namespace failsim {

inline constexpr std::size_t kJournalPayloadBytesMax = 128;

std::string encode_journal_record(const pb::JournalRecord& record);

enum class JournalEnd {
  kWhole,    // the last record ends where the bytes end
  kTorn,     // the rest is what is left of one record
  kDamaged,  // a record that does not parse has a whole one behind it
};

struct JournalScan {
  std::size_t whole_bytes = 0;  // of the records before the end, the tear or the damage
  JournalEnd end = JournalEnd::kWhole;
};

// Shows every record up to the first that does not parse.
JournalScan scan_journal(std::string_view bytes,
                         const std::function<void(const pb::JournalRecord&)>& visit);

}  // namespace failsim
