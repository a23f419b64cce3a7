#include "storage/write_ahead_log.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/little_endian.h"
#include "cluster/raft/checksum.h"

namespace failsim {
namespace {

constexpr std::size_t kBlock = 32 * 1024;

// Writes records as RocksDB does, and remembers where each ends.
class LogWriter {
 public:
  void add(const std::string& payload) {
    std::size_t at = 0;
    bool begins = true;
    do {
      std::size_t room = kBlock - bytes_.size() % kBlock;
      if (room < 7) {
        bytes_.append(room, '\0');
        room = kBlock;
      }
      const std::size_t length = std::min(room - 7, payload.size() - at);
      const bool ends = at + length == payload.size();
      add_part(static_cast<char>(begins ? (ends ? 1 : 2) : (ends ? 4 : 3)),
               payload.substr(at, length));
      at += length;
      begins = false;
    } while (at < payload.size());
    ends_.push_back(bytes_.size());
  }

  const std::string& bytes() const { return bytes_; }
  std::size_t end_of(std::size_t record) const { return ends_[record]; }

 private:
  void add_part(char type, const std::string& payload) {
    const std::uint32_t crc = raft::crc32c(0, type + payload);
    append_u32(bytes_, ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
    bytes_.push_back(static_cast<char>(payload.size() & 0xff));
    bytes_.push_back(static_cast<char>(payload.size() >> 8));
    bytes_.push_back(type);
    bytes_ += payload;
  }

  std::string bytes_;
  std::vector<std::size_t> ends_;
};

LogWriter three_records(std::size_t last_bytes) {
  LogWriter log;
  log.add("the first record");
  log.add("the second record");
  log.add(std::string(last_bytes, 'x'));
  return log;
}

TEST(WriteAheadLog, AnEmptyOneIsWhole) {
  EXPECT_EQ(inspect_write_ahead_log("").end, LogEnd::kWhole);
  EXPECT_EQ(inspect_write_ahead_log(std::string(5000, '\0')).end, LogEnd::kWhole);
}

TEST(WriteAheadLog, WholeRecordsAreWholeWithAndWithoutZerosBehind) {
  for (const std::size_t last_bytes : {1u, 300u, 32'700u, 32'755u, 32'760u, 100'000u}) {
    const LogWriter log = three_records(last_bytes);
    for (const std::string& tail :
         {std::string(), std::string(3, '\0'), std::string(50'000, '\0')}) {
      const WriteAheadLog found = inspect_write_ahead_log(log.bytes() + tail);
      EXPECT_EQ(found.end, LogEnd::kWhole) << last_bytes;
      EXPECT_EQ(found.records, 3u);
      EXPECT_EQ(found.whole_bytes, log.bytes().size());
    }
  }
}

TEST(WriteAheadLog, ARecordOfNoChangesChangesNothing) {
  LogWriter log;
  log.add(std::string("12345678") + std::string(4, '\0'));
  EXPECT_EQ(inspect_write_ahead_log(log.bytes()).records, 1u);
  EXPECT_FALSE(inspect_write_ahead_log(log.bytes()).has_changes);
  log.add(std::string("12345678") + std::string("\1\0\0\0put", 7));
  EXPECT_TRUE(inspect_write_ahead_log(log.bytes()).has_changes);
  EXPECT_TRUE(inspect_write_ahead_log(three_records(1).bytes()).has_changes);
}

TEST(WriteAheadLog, ATearAtAnyByteOfTheLastRecordIsATear) {
  const LogWriter log = three_records(300);
  for (std::size_t bytes = log.end_of(1) + 1; bytes < log.end_of(2); ++bytes) {
    for (const std::size_t zeros : {0u, 10u, 400u}) {
      const WriteAheadLog found =
          inspect_write_ahead_log(log.bytes().substr(0, bytes) + std::string(zeros, '\0'));
      ASSERT_EQ(found.end, LogEnd::kTorn) << bytes;
      ASSERT_EQ(found.records, 2u);
      ASSERT_EQ(found.whole_bytes, log.end_of(1));
    }
  }
}

TEST(WriteAheadLog, ATearBetweenThePartsOfARecordIsATear) {
  const LogWriter log = three_records(100'000);
  EXPECT_EQ(inspect_write_ahead_log(log.bytes().substr(0, kBlock)).end, LogEnd::kTorn);
  EXPECT_EQ(inspect_write_ahead_log(log.bytes().substr(0, 2 * kBlock)).end, LogEnd::kTorn);
}

TEST(WriteAheadLog, AnyFlippedByteInTheLastRecordIsATear) {
  const LogWriter log = three_records(300);
  for (std::size_t at = log.end_of(1); at < log.end_of(2); ++at) {
    std::string bytes = log.bytes();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    ASSERT_EQ(inspect_write_ahead_log(bytes).end, LogEnd::kTorn) << at;
  }
}

TEST(WriteAheadLog, AnyFlippedByteBeforeTheLastRecordIsDamage) {
  const LogWriter log = three_records(300);
  for (std::size_t at = 0; at < log.end_of(1); ++at) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string bytes = log.bytes();
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      ASSERT_EQ(inspect_write_ahead_log(bytes).end, LogEnd::kDamaged) << at;
    }
  }
}

// RocksDB skips these without a word.
TEST(WriteAheadLog, ZerosBeforeARecordAreDamage) {
  LogWriter log = three_records(40'000);
  log.add("after the block");
  std::string bytes = log.bytes();
  for (std::size_t i = log.end_of(0); i < log.end_of(1); ++i) bytes[i] = '\0';
  EXPECT_EQ(inspect_write_ahead_log(bytes).end, LogEnd::kDamaged);
  bytes = log.bytes();
  for (std::size_t i = 0; i < kBlock; ++i) bytes[i] = '\0';
  EXPECT_EQ(inspect_write_ahead_log(bytes).end, LogEnd::kDamaged);
}

TEST(WriteAheadLog, AMissingFirstOrLastPartOfARecordIsDamage) {
  const LogWriter log = three_records(100'000);
  EXPECT_EQ(inspect_write_ahead_log(log.bytes().substr(kBlock)).end, LogEnd::kDamaged);
  LogWriter interrupted;
  interrupted.add(std::string(kBlock - 7, 'x') + "y");
  LogWriter follower;
  follower.add("whole");
  const std::string bytes = interrupted.bytes().substr(0, kBlock) + follower.bytes();
  EXPECT_EQ(inspect_write_ahead_log(bytes).end, LogEnd::kDamaged);
}

}  // namespace
}  // namespace failsim
