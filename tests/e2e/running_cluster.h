// A cluster of real processes for one test, and the verbs to talk to it.
//
// Every verb runs the program as a person would. Nothing here sleeps: what has to come is waited
// for by long polls of the nodes' interface.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/client.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/json.h"

namespace failsim::test {

namespace json = boost::json;
using cli::enum_name_in;
using cli::enum_value_in;
using cli::flag_in;
using cli::is_null_in;
using cli::number_in;
using cli::object_in;
using cli::text_in;

// A test without a cluster yet: a state directory of its own that vanishes with it.
class ClusterTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Runs `failsim --dir DIR --output json WORDS`.
  Outcome run(const std::string& words) { return run(split(words)); }
  Outcome run(std::vector<std::string> words);
  // The same without waiting for its end.
  std::unique_ptr<Program> begin(const std::string& words);
  // The same in words for people: no --output json.
  Outcome run_text(const std::string& words);

  // The object or array that a verb prints when it succeeds; anything else fails the test.
  json::object object(const std::string& words);
  json::array array(const std::string& words);
  // Expects the verb to be refused with this exit status and Win32 code, in one sentence.
  void expect_refused(const std::string& words, int exit, Code code);

  // `up` with three nodes that are Down after 750 ms of silence, and these words.
  void up(const std::string& words = "");

  cli::Client& client();
  cli::ClusterDescription description() const;
  cli::ClusterDirectory cluster() const { return cli::ClusterDirectory(directory_); }

  json::object vm(const std::string& name) { return object("vm show " + name); }
  std::string owner(const std::string& name) { return text_in(vm(name), "owner_node"); }
  std::uint64_t counter(const std::string& name);
  std::uint64_t boot_id(const std::string& name);
  std::string leader();

  // The events after this number, so far.
  std::vector<json::object> events(std::uint64_t since = 0);
  std::uint64_t last_event();
  // The first event after `since` of which the predicate holds; fails the test after a minute.
  json::object wait_for_event(std::uint64_t since,
                              const std::function<bool(const json::object&)>& wanted);
  // The new states of the VM announced after `since`, by name.
  std::vector<std::string> states_after(std::uint64_t since, const std::string& name);
  std::vector<std::string> migration_states_after(std::uint64_t since, const std::string& name);

  void wait_for_migration_state(std::uint64_t since, const std::string& name, std::uint64_t state);
  void wait_for_counter_above(const std::string& name, std::uint64_t counter);
  void wait_for_node(const std::string& node, const std::string& state);
  // Until it is Running on another node than `former`; returns the new owner.
  std::string wait_for_restart_elsewhere(const std::string& name, const std::string& former);

  // Whether it holds within a minute.
  bool until(const std::function<bool()>& holds);

  const TemporaryDirectory temporary_;
  const cli::fs::path base_{temporary_.path()};
  cli::fs::path directory_;

 private:
  void print_logs() const;

  std::optional<cli::Client> client_;
};

// A test with a running cluster.
class RunningCluster : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    up();
  }
};

}  // namespace failsim::test
