// What a condition says, when it holds, and where it is wrong.
#include "tools/scenario/condition.h"

#include <map>

#include <gtest/gtest.h>

#include "tools/scenario/field.h"

namespace failsim::scenario {
namespace {

using Shown = std::map<std::string, std::string>;

bool holds_in(std::string_view text, const Shown& shown) {
  const auto condition = parse_condition(text);
  EXPECT_TRUE(condition.ok()) << text << ": " << condition.error().message;
  return holds(condition.value(),
               [&](const std::string& subject, const std::string& object,
                   const std::string& field) -> std::optional<std::string> {
                 const auto found = shown.find(subject + "(" + object + ")." + field);
                 if (found == shown.end()) return std::nullopt;
                 return found->second;
               });
}

const Shown kShown = {{"vm(web).state", "Running"},     {"vm(web).executing", "true"},
                      {"migration(web).state", "Move"}, {"migration(web).round", "10"},
                      {"cluster().leader", "node-2"},   {"cluster().quorum", "false"}};

TEST(Conditions, CompareWhatIsShown) {
  EXPECT_TRUE(holds_in("vm(web).state == Running", kShown));
  EXPECT_FALSE(holds_in("vm(web).state != Running", kShown));
  EXPECT_TRUE(holds_in("vm(web).state in [Paused, Running]", kShown));
  EXPECT_TRUE(holds_in("vm(web).executing", kShown));
  EXPECT_TRUE(holds_in("not cluster.quorum", kShown));
  EXPECT_TRUE(holds_in("cluster.leader != none", kShown));
}

TEST(Conditions, CompareNumbersAsNumbers) {
  EXPECT_TRUE(holds_in("migration(web).round > 9", kShown));
  EXPECT_TRUE(holds_in("migration(web).round >= 10", kShown));
  EXPECT_FALSE(holds_in("migration(web).round < 9", kShown));
  EXPECT_TRUE(holds_in("migration(web).round <= 10", kShown));
}

TEST(Conditions, AreJoinedAsUsual) {
  EXPECT_TRUE(holds_in("vm(web).executing or vm(web).state == Paused and cluster.quorum", kShown));
  EXPECT_FALSE(
      holds_in("(vm(web).executing or vm(web).state == Paused) and cluster.quorum", kShown));
  EXPECT_FALSE(holds_in("not (vm(web).executing or cluster.quorum)", kShown));
}

TEST(Conditions, NeverHoldOfWhatDoesNotExist) {
  EXPECT_FALSE(holds_in("vm(db).state == Running", kShown));
  EXPECT_FALSE(holds_in("vm(db).state != Running", kShown));
  EXPECT_TRUE(holds_in("not vm(db).executing", kShown));
}

TEST(Conditions, KnowTheDocumentedNamesAndNumbersOfMigrationState) {
  const auto canonical_text = [](const char* text) {
    return to_text(parse_condition(text).value());
  };
  EXPECT_EQ(canonical_text("migration(web).state == \"Data Transfer\""),
            "migration(web).state == DataTransfer");
  EXPECT_EQ(canonical_text("migration(web).state == 3"), "migration(web).state == Move");
}

TEST(Conditions, ReadBackAsTheyAreWritten) {
  for (const char* text : {"vm(web).state in [Running, Paused] and not vm(web).executing",
                           "not (cluster.quorum or cluster.leader == none)",
                           "property(web/Description).value == \"two words\"",
                           "migration(web).round >= 3", "fault(no network).active == false"}) {
    const auto condition = parse_condition(text);
    ASSERT_TRUE(condition.ok()) << text << ": " << condition.error().message;
    const auto again = parse_condition(to_text(condition.value()));
    ASSERT_TRUE(again.ok()) << to_text(condition.value());
    EXPECT_EQ(condition.value(), again.value());
  }
}

void expect_refused(std::string_view text, std::size_t at, const std::string& part) {
  SCOPED_TRACE(text);
  std::size_t where = 99;
  const auto condition = parse_condition(text, &where);
  ASSERT_FALSE(condition.ok());
  const std::string told = condition.error().message + " " + condition.error().next;
  EXPECT_NE(told.find(part), std::string::npos) << told;
  EXPECT_EQ(where, at);
}

TEST(Conditions, AreRefusedWithThePlaceAndTheNearestWord) {
  expect_refused("", 0, "A condition is missing");
  expect_refused("vn(web).state == Running", 0, "Did you mean \"vm\"?");
  expect_refused("vm.state == Running", 0, "takes an object");
  expect_refused("cluster(x).leader == none", 0, "takes no object");
  expect_refused("vm().state == Running", 2, "missing");
  expect_refused("vm(web).stat == Running", 8, "Did you mean \"state\"?");
  expect_refused("vm(web).state Running", 14, "comparison");
  expect_refused("vm(web).state == Runing", 17, "Did you mean \"Running\"?");
  expect_refused("vm(web).state > Running", 14, "no number");
  expect_refused("migration(web).round > many", 23, "whole number");
  expect_refused("vm(web).state in Running", 17, "A list is missing");
  expect_refused("vm(web).state in [Running", 25, "not closed");
  expect_refused("vm(web).owner == web", 17, "name of a node");
  expect_refused("vm(web).executing vm(db).executing", 18, "comparison");
  expect_refused("(vm(web).executing", 18, "parenthesis");
  expect_refused("vm(web).state == Running or", 27, "missing");
  expect_refused(std::string(100, '('), 16, "too deeply");
}

TEST(Conditions, ThatContradictThemselvesAreKnown) {
  const auto possible = [](const char* text) { return is_possible(parse_condition(text).value()); };
  EXPECT_FALSE(possible("vm(web).state == Running and vm(web).state == Paused"));
  EXPECT_FALSE(possible("vm(web).state == Running and vm(web).state != Running"));
  EXPECT_FALSE(possible("vm(web).state in [Running, Paused] and vm(web).state == Saved"));
  EXPECT_FALSE(possible("vm(web).executing and not vm(web).executing"));
  EXPECT_TRUE(possible("vm(web).state == Running or vm(web).state == Paused"));
  EXPECT_TRUE(possible("vm(web).state == Running and vm(db).state == Paused"));
}

TEST(Fields, BelongToASubjectAndAreNamedOnce) {
  for (const Field& field : fields()) {
    EXPECT_NE(find_subject(field.subject), nullptr) << field.subject;
    EXPECT_EQ(find_field(field.subject, field.name), &field) << field.subject << "." << field.name;
    EXPECT_EQ(field.choices.empty(), field.type != FieldType::kChoice) << field.name;
  }
}

}  // namespace
}  // namespace failsim::scenario
