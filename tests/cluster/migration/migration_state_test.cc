#include "cluster/migration/migration_state.h"

#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace failsim {
namespace {

const std::string kNames[] = {"No Migration", "Setup",    "Data Transfer",
                              "Move",         "Canceled", "Failure"};

TEST(MigrationState, EveryDocumentedValueHasItsNumberAndName) {
  ASSERT_EQ(std::size(kNames), kMigrationStateCount);
  for (std::uint32_t number = 0; number < kMigrationStateCount; ++number) {
    const std::optional<MigrationState> state = migration_state_of(number);
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(static_cast<std::uint32_t>(*state), number);
    EXPECT_EQ(name(*state), kNames[number]);
    EXPECT_EQ(migration_state_named(kNames[number]), state);
  }
  EXPECT_EQ(migration_state_of(6), std::nullopt);
  EXPECT_EQ(migration_state_of(0xFFFFFFFF), std::nullopt);
  EXPECT_EQ(migration_state_named("Cancelled"), std::nullopt);
}

TEST(MigrationState, TheEngineMovesAlongTheTableAndNowhereElse) {
  const std::set<std::pair<std::uint32_t, std::uint32_t>> legal = {
      {0, 1}, {1, 2}, {2, 3}, {3, 0},   // the way of a migration that succeeds
      {1, 4}, {2, 4},                   // canceled
      {1, 5}, {2, 5}, {3, 5}, {0, 5},   // failed; the last one after the owner has changed
      {4, 0}, {5, 0}, {4, 1}, {5, 1}};  // reset, next attempt
  for (std::uint32_t from = 0; from < kMigrationStateCount; ++from) {
    for (std::uint32_t to = 0; to < kMigrationStateCount; ++to) {
      EXPECT_EQ(engine_may_move(*migration_state_of(from), *migration_state_of(to)),
                legal.contains({from, to}))
          << from << " -> " << to;
    }
  }
}

TEST(MigrationState, ThreeStatesAreUnderWay) {
  for (std::uint32_t number = 0; number < kMigrationStateCount; ++number) {
    EXPECT_EQ(is_under_way(*migration_state_of(number)), number >= 1 && number <= 3);
  }
}

TEST(MigrationState, CancelIsForSetupAndDataTransferOnly) {
  for (std::uint32_t number = 0; number < kMigrationStateCount; ++number) {
    const MigrationState state = *migration_state_of(number);
    const std::optional<Error> refusal = cancel_refused(state, "web");
    ASSERT_EQ(refusal.has_value(), number != 1 && number != 2);
    // What may be canceled may become Canceled.
    EXPECT_EQ(engine_may_move(state, MigrationState::kCanceled), !refusal.has_value());
    if (!refusal) continue;
    EXPECT_EQ(refusal->code, Code::kInvalidState);
    EXPECT_NE(refusal->message.find("'web'"), std::string::npos);
    EXPECT_NE(refusal->message.find(name(state)), std::string::npos);
    EXPECT_FALSE(refusal->next.empty());
  }
}

TEST(MigrationFailure, ThreeHresultsAreDocumented) {
  EXPECT_EQ(static_cast<std::uint32_t>(MigrationFailure::kNone), 0U);
  EXPECT_EQ(static_cast<std::uint32_t>(MigrationFailure::kBusy), 0x800700AAU);
  EXPECT_EQ(static_cast<std::uint32_t>(MigrationFailure::kFailed), 0x80004005U);
  EXPECT_EQ(name(MigrationFailure::kNone), "S_OK");
  EXPECT_EQ(name(MigrationFailure::kBusy), "E_BUSY");
  EXPECT_EQ(name(MigrationFailure::kFailed), "E_FAIL");
  for (const MigrationFailure failure :
       {MigrationFailure::kNone, MigrationFailure::kBusy, MigrationFailure::kFailed}) {
    EXPECT_EQ(migration_failure_of(static_cast<std::uint32_t>(failure)), failure);
  }
  EXPECT_EQ(migration_failure_of(170), std::nullopt);
  EXPECT_EQ(migration_failure_of(1), std::nullopt);
}

}  // namespace
}  // namespace failsim
