// Words as a person types them, held against verbs, groups and options.
#include "tools/failsim/named_verb.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

class NamedVerb : public testing::Test {
 protected:
  NamedVerb() {
    program_.require_subcommand(1);
    program_.add_option("--output", output_);
    program_.add_subcommand("status");
    CLI::App* vm = program_.add_subcommand("vm");
    vm->require_subcommand(1);
    vm->add_subcommand("create")->add_flag("--start");
  }

  std::string named(std::vector<const char*> words, bool with_options = true) const {
    words.insert(words.begin(), "failsim");
    return path_of(
        named_verb(program_, static_cast<int>(words.size()), words.data(), with_options));
  }
  std::string refusal(const std::vector<const char*>& words) const {
    try {
      return "named:" + named(words);
    } catch (const Failure& failure) {
      return failure.error.message + " " + failure.error.next;
    }
  }

  CLI::App program_{"", "failsim"};
  std::string output_;
};

TEST_F(NamedVerb, IsFoundAmongOptionsAndTheirValues) {
  EXPECT_EQ(named({}), "");
  EXPECT_EQ(named({"--output", "json", "vm", "create", "web", "--start"}), " vm create");
  EXPECT_EQ(named({"vm", "--output=json", "create", "status"}), " vm create") << "a VM's name";
  EXPECT_EQ(named({"--", "nothing"}), "");
}

TEST_F(NamedVerb, ThatThereIsNotIsRefusedWithTheNearestOne) {
  EXPECT_EQ(refusal({"staus"}), "`failsim` has no verb \"staus\". Did you mean \"status\"?");
  EXPECT_EQ(refusal({"vm", "migarte"}),
            "`failsim vm` has no verb \"migarte\". See: failsim vm --help");
  EXPECT_EQ(refusal({"vm", "create", "--strat"}),
            "`failsim vm create` has no option \"--strat\". Did you mean \"--start\"?");
  EXPECT_EQ(named({"vm", "create", "--strat"}, false), " vm create") << "nobody asked";
}

TEST_F(NamedVerb, IsCalledByItsNamesAlone) {
  EXPECT_EQ(path_of(verb_called(program_, {"vm", "create"})), " vm create");
  EXPECT_THROW(verb_called(program_, {"status", "web"}), Failure);
}

}  // namespace
}  // namespace failsim::cli
