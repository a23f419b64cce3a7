// The terms of failpoints, and at which points they may stand.

#include "cluster/fault/term.h"

#include <set>

#include <gtest/gtest.h>

#include "cluster/fault/failpoint.h"

namespace failsim::fault {
namespace {

TEST(Terms, AreReadAsInGofail) {
  const std::vector<Term> terms = parse_terms("1*return(EIO)->20%2*delay(1500ms)->kill").take();
  ASSERT_EQ(terms.size(), 3u);
  EXPECT_EQ(terms[0].times, 1u);
  EXPECT_EQ(terms[0].action, Term::Action::kReturn);
  EXPECT_EQ(terms[0].word, "EIO");
  EXPECT_EQ(terms[1].per_mille, 200u);
  EXPECT_EQ(terms[1].times, 2u);
  EXPECT_EQ(terms[1].duration, 1500 * kMillisecond);
  EXPECT_EQ(terms[2].action, Term::Action::kKill);
  EXPECT_EQ(to_text(terms), "1*return(EIO)->20%2*delay(1500ms)->kill");
}

TEST(Terms, ThatMakeNoSenseAreRefused) {
  for (const char* text :
       {"",          "->",       "kill->",   "0*kill",    "1.5*kill",          "0%kill",
        "101%kill",  "kil",      "kill(2s)", "delay",     "delay()",           "delay(2)",
        "delay(2h)", "delay(2s", "return",   "return()",  "return(no memory)", "return(lower)",
        "3*",        "20%",      "-1*kill",  "1*1*1*kill"}) {
    const Result<std::vector<Term>> terms = parse_terms(text);
    ASSERT_FALSE(terms.ok()) << text;
    EXPECT_EQ(terms.error().code, Code::kInvalidParameter) << text;
    EXPECT_FALSE(terms.error().next.empty()) << text;
  }
  EXPECT_EQ(parse_terms("poweroff").error().next, "Did you mean \"power-off\"?");
}

TEST(Points, HaveNamesOfTheirOwn) {
  const std::set<std::string> names(point_names().begin(), point_names().end());
  EXPECT_EQ(names.size(), point_names().size());
  EXPECT_EQ(names.size(), 3u * 8u * 5u + 2u * kNamedRounds + 9u);
  for (const char* name :
       {"leader.setup.before-send", "target.complete.after-persist", "source.move.on-receive",
        "round.1.begin", "round.32.end", "blackout.begin", "blackout.end", "owner.flip"}) {
    EXPECT_TRUE(find_point(name)) << name;
  }
  EXPECT_FALSE(find_point("round.33.begin"));
  EXPECT_EQ(nearest_point("source.move.after-persis"), "source.move.after-persist");
}

TEST(Points, TakeOnlyWhatCanFailThere) {
  const auto refused = [](const char* point, const char* terms) {
    return terms_refused(*find_point(point), parse_terms(terms).value()).has_value();
  };
  EXPECT_FALSE(refused("source.move.before-persist", "return(EIO)"));
  EXPECT_TRUE(refused("source.move.after-persist", "return(EIO)"));
  EXPECT_FALSE(refused("leader.setup.before-send", "return(DROP)"));
  EXPECT_TRUE(refused("blackout.begin", "kill->return(DROP)"));
  EXPECT_FALSE(refused("target.setup.on-receive", "return(NO_MEMORY)"));
  EXPECT_TRUE(refused("source.setup.on-receive", "return(NO_MEMORY)"));
  EXPECT_TRUE(refused("target.setup.on-receive", "return(ANYTHING)"));
}

}  // namespace
}  // namespace failsim::fault
