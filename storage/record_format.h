// Files of records, one after another, each with its length and checksum:
//
//   record := length u32, checksum u32, payload       (little-endian)
//   length := bytes of the payload, at least 1
//   checksum := CRC-32C over the four bytes of length and the payload
//
// A file ends where its bytes end. What a crash leaves of a record that was being written, at the
// very end, is a torn tail; anything else that does not parse is damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace failsim {

std::string encode_record(std::string_view payload);

enum class RecordsEnd {
  kWhole,    // the last record ends where the bytes end
  kTorn,     // the rest is what is left of one record
  kDamaged,  // a record that does not parse has a whole one behind it
};

struct RecordScan {
  std::size_t whole_bytes = 0;  // of the records before the end, the tear or the damage
  RecordsEnd end = RecordsEnd::kWhole;
};

// Shows the payload of every record up to the first that does not parse; `visit` says whether the
// payload makes sense. No payload of this file is longer than `maximum_payload_bytes`: the smaller
// it is, the sooner damage in a long file is told from a tear.
RecordScan scan_records(
    std::string_view bytes, const std::function<bool(std::string_view payload)>& visit,
    std::size_t maximum_payload_bytes = std::numeric_limits<std::uint32_t>::max());

}  // namespace failsim
