#include "storage/journal_format.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim {
namespace {

pb::JournalRecord record(std::uint64_t counter) {
  pb::JournalRecord result;
  result.mutable_epoch()->set_recovery(1);
  result.mutable_epoch()->set_counter(7);
  result.set_counter(counter);
  result.set_boot_id(0xffffffffffffffff);
  return result;
}

struct Found {
  JournalScan scan;
  std::vector<std::uint64_t> counters;
};

Found scan(const std::string& bytes) {
  Found found;
  found.scan = scan_journal(
      bytes, [&](const pb::JournalRecord& each) { found.counters.push_back(each.counter()); });
  return found;
}

const std::vector<std::uint64_t> kTwo = {1, 2};
const std::vector<std::uint64_t> kThree = {1, 2, 3};

std::string two_records() {
  return encode_journal_record(record(1)) + encode_journal_record(record(2));
}

TEST(JournalFormat, GivesBackWhatWasWritten) {
  const std::string bytes = two_records() + encode_journal_record(record(3));
  const Found found = scan(bytes);
  EXPECT_EQ(found.scan.end, JournalEnd::kWhole);
  EXPECT_EQ(found.scan.whole_bytes, bytes.size());
  EXPECT_EQ(found.counters, kThree);
  EXPECT_EQ(scan("").scan.end, JournalEnd::kWhole);
}

TEST(JournalFormat, ATearAtAnyByteKeepsThePrefix) {
  const std::string last = encode_journal_record(record(3));
  for (std::size_t bytes = 1; bytes < last.size(); ++bytes) {
    for (const std::size_t zeros : {0u, 1u, 100u}) {
      const Found found = scan(two_records() + last.substr(0, bytes) + std::string(zeros, '\0'));
      ASSERT_EQ(found.scan.end, JournalEnd::kTorn) << bytes;
      ASSERT_EQ(found.scan.whole_bytes, two_records().size());
      ASSERT_EQ(found.counters, kTwo);
    }
  }
}

TEST(JournalFormat, AFlippedByteIsDamageUnlessInTheLastRecord) {
  const std::string whole = two_records() + encode_journal_record(record(3));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const JournalEnd end = scan(bytes).scan.end;
      ASSERT_EQ(end, at < two_records().size() ? JournalEnd::kDamaged : JournalEnd::kTorn) << at;
    }
  }
}

}  // namespace
}  // namespace failsim
