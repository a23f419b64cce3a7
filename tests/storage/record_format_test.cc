#include "storage/record_format.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim {
namespace {

struct Found {
  RecordScan scan;
  std::vector<std::string> payloads;
};

Found scan(const std::string& bytes) {
  Found found;
  found.scan = scan_records(bytes, [&](std::string_view payload) {
    found.payloads.emplace_back(payload);
    return payload != "nonsense";
  });
  return found;
}

const std::vector<std::string> kTwo = {"first", "the second"};

std::string two_records() {
  return encode_record(kTwo[0]) + encode_record(kTwo[1]);
}

TEST(RecordFormat, GivesBackWhatWasWritten) {
  const Found found = scan(two_records());
  EXPECT_EQ(found.scan.end, RecordsEnd::kWhole);
  EXPECT_EQ(found.scan.whole_bytes, two_records().size());
  EXPECT_EQ(found.payloads, kTwo);
  EXPECT_EQ(scan("").scan.end, RecordsEnd::kWhole);
}

TEST(RecordFormat, ATearAtAnyByteKeepsThePrefix) {
  const std::string last = encode_record("the last record");
  for (std::size_t bytes = 1; bytes < last.size(); ++bytes) {
    for (const std::size_t zeros : {0u, 1u, 100u}) {
      const Found found = scan(two_records() + last.substr(0, bytes) + std::string(zeros, '\0'));
      ASSERT_EQ(found.scan.end, RecordsEnd::kTorn) << bytes;
      ASSERT_EQ(found.scan.whole_bytes, two_records().size());
      ASSERT_EQ(found.payloads, kTwo);
    }
  }
}

TEST(RecordFormat, AFlippedByteIsDamageUnlessInTheLastRecord) {
  const std::string whole = two_records() + encode_record("the last record");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const RecordsEnd end = scan(bytes).scan.end;
      ASSERT_EQ(end, at < two_records().size() ? RecordsEnd::kDamaged : RecordsEnd::kTorn) << at;
    }
  }
}

TEST(RecordFormat, ALongerRecordThanTheFileMayHoldIsNone) {
  const auto scan_up_to = [](const std::string& bytes, std::size_t maximum_payload_bytes) {
    return scan_records(
        bytes, [](std::string_view) { return true; }, maximum_payload_bytes);
  };
  EXPECT_EQ(scan_up_to(two_records(), kTwo[1].size()).end, RecordsEnd::kWhole);
  const RecordScan scan = scan_up_to(two_records(), kTwo[0].size());
  EXPECT_EQ(scan.end, RecordsEnd::kTorn);
  EXPECT_EQ(scan.whole_bytes, encode_record(kTwo[0]).size());
}

TEST(RecordFormat, AWholeRecordThatMakesNoSenseIsDamage) {
  const Found found = scan(two_records() + encode_record("nonsense"));
  EXPECT_EQ(found.scan.end, RecordsEnd::kDamaged);
  EXPECT_EQ(found.scan.whole_bytes, two_records().size());
}

}  // namespace
}  // namespace failsim
