// The operator's actions are the command line's verbs, and are refused like them.
#include "tools/scenario/action.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "tools/failsim/verb.h"
#include "tools/scenario/requests.h"

namespace failsim::scenario {
namespace {

// Verbs that show something, or are about the whole cluster and its processes.
const std::set<std::string> kNoActions = {
    "demo",          "up",           "down",          "status",        "ps",
    "logs",          "node list",    "node show",     "vm list",       "vm show",
    "migrate list",  "migrate show", "migrate watch", "property get",  "property list",
    "job list",      "job show",     "job get-error", "matrix",        "task list",
    "task show",     "task wait",    "events",        "simulate",      "explore",
    "explore merge", "scenario run", "scenario lint", "scenario list", "scenario record",
    "replay",        "check"};

const cli::Verb* cli_verb(std::string_view path) {
  for (const cli::Verb& verb : cli::all_verbs()) {
    if (verb.path == path) return &verb;
  }
  return nullptr;
}

bool is_word(const cli::Argument& argument) {
  return argument.kind == cli::Argument::Kind::kPositional;
}

TEST(Actions, AreThoseOfTheCommandLine) {
  for (const ActionVerb& verb : action_verbs()) {
    const cli::Verb* declared = cli_verb(verb.path);
    ASSERT_NE(declared, nullptr) << verb.path;
    std::vector<std::string> words;
    std::set<std::string> options;
    for (const cli::Argument& argument : declared->arguments) {
      if (is_word(argument)) {
        words.push_back(argument.name);
      } else if (argument.name != "--wait" && argument.name != "--no-wait" &&
                 argument.name != "--dry-run" && argument.name != "--check") {
        options.insert(argument.name);
      }
    }
    ASSERT_EQ(words.size(), verb.words.size()) << verb.path;
    for (std::size_t i = 0; i < words.size(); ++i) EXPECT_EQ(words[i], verb.words[i].name);
    ASSERT_EQ(options.size(), verb.options.size()) << verb.path;
    for (const ActionArgument& option : verb.options) {
      EXPECT_TRUE(options.contains(std::string(option.name))) << verb.path << " " << option.name;
    }
  }
}

TEST(Actions, HaveTheDefaultsOfTheCommandLine) {
  for (const ActionVerb& verb : action_verbs()) {
    for (const cli::Argument& argument : cli_verb(verb.path)->arguments) {
      for (const ActionArgument& option : verb.options) {
        if (option.name == argument.name) {
          EXPECT_EQ(option.fallback, argument.fallback) << verb.path << " " << option.name;
        }
      }
    }
  }
}

TEST(Actions, LeaveOutNoVerbThatChangesSomething) {
  for (const cli::Verb& verb : cli::all_verbs()) {
    const bool is_fault = verb.path.starts_with("fault ");  // a kind of step of its own
    if (!verb.run || is_fault || kNoActions.contains(verb.path)) continue;
    EXPECT_NE(find_verb(verb.path), nullptr) << verb.path << " is neither an action nor known";
  }
}

TEST(Actions, ReadBackAsTheyAreWritten) {
  for (const char* text :
       {"migrate web --to node-2 --bandwidth 8MiB/s", "vm create web --memory 64MiB --start",
        "property set web Description \"two words\"", "job request-state-change job(web) Terminate",
        "node kill node-1"}) {
    const auto action = parse_action(text);
    ASSERT_TRUE(action.ok()) << text;
    const auto again = parse_action(to_text(action.value()));
    ASSERT_TRUE(again.ok()) << to_text(action.value());
    EXPECT_EQ(action.value(), again.value());
  }
}

void expect_refused(std::string_view text, std::size_t at, const std::string& part) {
  SCOPED_TRACE(text);
  std::size_t where = 99;
  const auto action = parse_action(text, &where);
  ASSERT_FALSE(action.ok());
  EXPECT_EQ(action.error().code, Code::kInvalidParameter);
  const std::string told = action.error().message + " " + action.error().next;
  EXPECT_NE(told.find(part), std::string::npos) << told;
  EXPECT_EQ(where, at);
}

TEST(Actions, AreRefusedWithThePlaceAndTheNearestWord) {
  expect_refused("", 0, "An action is missing");
  expect_refused("migrat web --to node-2", 0, "Did you mean \"migrate\"?");
  expect_refused("vm strat web", 0, "Did you mean \"vm start\"?");
  expect_refused("migrate web --too node-2", 12, "Did you mean \"--to\"?");
  expect_refused("migrate web", 0, "needs --to");
  expect_refused("migrate web --to", 12, "--to needs a value");
  expect_refused("migrate web --to node-2 --to node-3", 24, "given twice");
  expect_refused("migrate web --to node-2 --wait", 24, "never waits");
  expect_refused("migrate web --to node-2 --bandwidth fast", 36, "--bandwidth");
  expect_refused("vm create web --pattern unifrom", 24, "Did you mean \"uniform\"?");
  expect_refused("vm start web db", 13, "no place for \"db\"");
  expect_refused("task cancel web", 12, "job(web)");
  expect_refused("vm start \"web", 0, "quote");
}

TEST(Actions, BecomeTheRequestsOfTheInterface) {
  const auto none = [](const std::string&) { return TaskId{7}; };
  const auto request = [&](const char* text) {
    return request_of(parse_action(text).value(), 3, none);
  };
  const pb::Request migrate = request("migrate web --to node-2").take();
  EXPECT_EQ(migrate.migrate().target(), 2u);
  EXPECT_EQ(migrate.migrate().parameters().downtime_limit_ns(), 300 * kMillisecond);
  EXPECT_EQ(migrate.migrate().parameters().max_rounds(), 30u);
  EXPECT_EQ(request("migrate web --to node-9").value().migrate().target(), 0u);
  EXPECT_EQ(request("vm create web").value().create_vm().config().memory_bytes(), 256u << 20);
  EXPECT_EQ(request("job request-state-change job(web) kill").value().request_state_change().job(),
            7u);
  EXPECT_EQ(request("vm create web --owner node-9").error().code, Code::kNodeNotFound);
  EXPECT_EQ(request("property set cluster SameSubnetDelay 1").error().code, Code::kInvalidData);
  EXPECT_EQ(request("property set web Nothing 1").error().code, Code::kNotFound);
  EXPECT_EQ(request("vm create web --memory 5KiB").error().code, Code::kInvalidParameter);
}

}  // namespace
}  // namespace failsim::scenario
