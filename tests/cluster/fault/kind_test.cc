// The table of faults is whole: whatever is derived from it can rely on this.

#include "cluster/fault/kind.h"

#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "cluster/fault/describe.h"
#include "cluster/fault/elsewhere.h"
#include "cluster/fault/order.h"
#include "tests/file_content.h"

namespace failsim::fault {
namespace {

TEST(Kinds, HaveNamesOfTheirOwnAndAWorldToHappenIn) {
  std::set<std::string_view> names;
  for (const Kind& kind : kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_FALSE(kind.help.empty()) << kind.name;
    EXPECT_FALSE(kind.undo.empty()) << kind.name;
    EXPECT_TRUE(kind.in_virtual.is_performed || kind.in_processes.is_performed) << kind.name;
    EXPECT_EQ(find_kind(kind.name), &kind);
  }
}

TEST(Kinds, SayWhyAWorldCannotPerformThem) {
  for (const Kind& kind : kinds()) {
    for (const Support& support : {kind.in_virtual, kind.in_processes}) {
      EXPECT_EQ(support.is_performed, support.reason.empty()) << kind.name;
    }
  }
}

TEST(Kinds, HaveParametersWhoseFallbacksAreInRange) {
  for (const Kind& kind : kinds()) {
    for (const Parameter& parameter : kind.parameters) {
      EXPECT_EQ(find_parameter(kind, parameter.name), &parameter);
      EXPECT_LE(parameter.minimum, parameter.maximum) << kind.name << " " << parameter.name;
      EXPECT_EQ(parameter.unit == Unit::kChoice, !parameter.choices.empty());
      if (!parameter.fallback) continue;
      EXPECT_TRUE(*parameter.fallback == 0 || *parameter.fallback >= parameter.minimum);
      EXPECT_LE(*parameter.fallback, parameter.maximum);
    }
  }
}

// What the page offers to people who come from elsewhere is understood here.
TEST(Elsewhere, NamesOrdersAsTheyAreTyped) {
  for (const Elsewhere& row : called_elsewhere()) {
    EXPECT_FALSE(row.here.empty() && row.remark.empty()) << row.called;
    std::istringstream lines{std::string(row.here)};
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("failsim ")) continue;
      const Result<Order> order = parse_order(line);
      EXPECT_TRUE(order.ok()) << line << ": " << (order.ok() ? "" : order.error().message);
    }
  }
}

TEST(Elsewhere, LeavesNoKindOut) {
  std::string all;
  for (const Elsewhere& row : called_elsewhere()) all += std::string(row.here) + "\n";
  for (const Elsewhere& row : called_elsewhere()) all += std::string(row.remark) + "\n";
  for (const Kind& kind : kinds()) {
    EXPECT_NE(all.find(kind.name), std::string::npos) << kind.name;
  }
}

// After a change of the table: failsim fault kinds --markdown > docs/faults.md
TEST(Kinds, AreWhatTheDocumentSays) {
  EXPECT_EQ(content_of(FAILSIM_FAULTS_PAGE), markdown());
}

TEST(Nearest, FindsASlipOfTheFingerAndNothingFarAway) {
  constexpr std::string_view kWords[] = {"kill", "freeze", "link-delay"};
  EXPECT_EQ(nearest("kil", kWords), "kill");
  EXPECT_EQ(nearest("frezee", kWords), "freeze");
  EXPECT_EQ(nearest("linkdelay", kWords), "link-delay");
  EXPECT_EQ(nearest("something else", kWords), "");
  EXPECT_EQ(nearest(std::string(10'000, 'k'), kWords), "");
}

}  // namespace
}  // namespace failsim::fault
