#include "cluster/raft/log.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "cluster/raft/checksum.h"

namespace failsim::raft {
namespace {

Log log_with_terms(std::initializer_list<Term> terms) {
  Log log({}, {});
  for (const Term term : terms) log.append(term, "command");
  return log;
}

std::vector<EntryPtr> entries_of(const Log& log) {
  std::vector<EntryPtr> entries;
  for (Index i = log.first_index(); i <= log.last_index(); ++i) entries.push_back(log.entry(i));
  return entries;
}

TEST(Checksum, IsTheCastagnoliOne) {
  EXPECT_EQ(crc32c(0, "123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(crc32c(0, "1234"), "56789"), 0xe3069283u);
}

TEST(Checksum, CoversEverythingBeforeAnEntry) {
  Log one({}, {});
  Log other({}, {});
  one.append(1, "a");
  other.append(1, "b");
  EXPECT_NE(one.append(1, "same")->checksum(), other.append(1, "same")->checksum());
}

TEST(Log, EmptyLogKnowsOnlyItsStart) {
  const Log log({}, {});
  EXPECT_EQ(log.first_index(), 1u);
  EXPECT_EQ(log.last_index(), 0u);
  EXPECT_EQ(log.last_term(), 0u);
  EXPECT_TRUE(log.knows(0));
  EXPECT_FALSE(log.knows(1));
  EXPECT_EQ(log.entry(1), nullptr);
}

TEST(Log, FindsTheBoundsOfATerm) {
  const Log log = log_with_terms({1, 1, 3, 3, 3, 6});
  EXPECT_EQ(log.first_of_term(3), 3u);
  EXPECT_EQ(log.last_of_term(3), 5u);
  EXPECT_EQ(log.last_of_term(6), 6u);
}

TEST(Log, CompactionKeepsTermAndChecksumOfTheStart) {
  Log log = log_with_terms({1, 2, 3, 4});
  const std::uint32_t checksum = log.checksum_at(3);
  log.compact(3);
  EXPECT_EQ(log.first_index(), 4u);
  EXPECT_EQ(log.term_at(3), 3u);
  EXPECT_EQ(log.checksum_at(3), checksum);
  EXPECT_EQ(log.entry(3), nullptr);
  log.compact(4);
  EXPECT_EQ(log.last_index(), 4u);
  EXPECT_EQ(log.append(5, "next")->index(), 5u);
}

TEST(Log, TruncationMakesRoomForAnotherEntry) {
  Log log = log_with_terms({1, 1, 1});
  log.truncate_from(2);
  EXPECT_EQ(log.last_index(), 1u);
  log.append(2, "other");
  EXPECT_EQ(log.term_at(2), 2u);
}

TEST(Log, AMessageIsBoundedInBytesButHasOneEntry) {
  Log log({}, {});
  for (int i = 0; i < 4; ++i) log.append(1, std::string(1000, 'x'));
  EXPECT_EQ(log.last_within(1, 10), 1u);
  EXPECT_EQ(log.last_within(1, 2200), 2u);
  EXPECT_EQ(log.last_within(2, 1'000'000), 4u);
  EXPECT_EQ(log.last_within(5, 1'000'000), 4u);
}

TEST(LogDeathTest, DamagedEntryIsNotRecovered) {
  std::vector<EntryPtr> entries = entries_of(log_with_terms({1, 1, 1}));
  auto damaged = std::make_shared<pb::LogEntry>(*entries[1]);
  damaged->set_command("commanD");
  entries[1] = damaged;
  EXPECT_DEATH(Log({}, entries), "checksum");
}

TEST(LogDeathTest, HoleIsNotRecovered) {
  std::vector<EntryPtr> entries = entries_of(log_with_terms({1, 1, 1}));
  entries.erase(entries.begin() + 1);
  EXPECT_DEATH(Log({}, entries), "index");
}

}  // namespace
}  // namespace failsim::raft
