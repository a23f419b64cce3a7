#include "tests/e2e/running_cluster.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include <unistd.h>

#include "tools/failsim/launcher.h"

namespace failsim::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLimit{60'000};
constexpr milliseconds kPoll{1'000};

}  // namespace

void ClusterTest::SetUp() {
  directory_ = base_ / "cluster";
  ::setenv("XDG_STATE_HOME", (base_ / "state").c_str(), 1);
  ::unsetenv("FAILSIM_CLUSTER");
}

void ClusterTest::TearDown() {
  client_.reset();
  if (HasFailure()) print_logs();
  if (cli::fs::exists(cluster().cluster_file())) {
    EXPECT_EQ(run("down").exit, 0);
    EXPECT_FALSE(cluster().processes().has_value());
  }
}

void ClusterTest::print_logs() const {
  for (const auto& entry : cli::fs::recursive_directory_iterator(base_)) {
    if (entry.path().extension() != ".log" ||
        entry.path().string().find("/db/") != std::string::npos)
      continue;
    std::cerr << "---- " << entry.path().string() << "\n"
              << cli::read_file(entry.path()).value_or("") << "\n";
  }
}

Outcome ClusterTest::run(std::vector<std::string> words) {
  const std::vector<std::string> front = {FAILSIM_PROGRAM, "--dir", directory_.string(), "--output",
                                          "json"};
  words.insert(words.begin(), front.begin(), front.end());
  return run_program(words);
}

std::unique_ptr<Program> ClusterTest::begin(const std::string& words) {
  std::vector<std::string> list = split(words);
  const std::vector<std::string> front = {FAILSIM_PROGRAM, "--dir", directory_.string(), "--output",
                                          "json"};
  list.insert(list.begin(), front.begin(), front.end());
  return std::make_unique<Program>(list);
}

Outcome ClusterTest::run_text(const std::string& words) {
  std::vector<std::string> list = split(words);
  const std::vector<std::string> front = {FAILSIM_PROGRAM, "--dir", directory_.string()};
  list.insert(list.begin(), front.begin(), front.end());
  return run_program(list);
}

json::object ClusterTest::object(const std::string& words) {
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.exit, 0) << words << ": " << outcome.err;
  const std::optional<json::object> parsed = cli::parse_object(outcome.out);
  EXPECT_TRUE(parsed.has_value()) << words << " printed: " << outcome.out;
  return parsed.value_or(json::object{});
}

json::array ClusterTest::array(const std::string& words) {
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.exit, 0) << words << ": " << outcome.err;
  const std::optional<json::value> parsed = cli::parse_json(outcome.out);
  EXPECT_TRUE(parsed.has_value() && parsed->is_array()) << words << " printed: " << outcome.out;
  return parsed.has_value() && parsed->is_array() ? parsed->get_array() : json::array{};
}

void ClusterTest::expect_refused(const std::string& words, int exit, Code code) {
  SCOPED_TRACE(words);
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.exit, exit) << outcome.err;
  const json::object answer = cli::parse_object(outcome.err).value_or(json::object{});
  const json::object& error = object_in(answer, "error");
  EXPECT_EQ(number_in(error, "code"), static_cast<std::uint64_t>(code)) << outcome.err;
  EXPECT_EQ(text_in(error, "name"), code_name(code));
  EXPECT_FALSE(text_in(error, "message").empty());
  EXPECT_TRUE(error.contains("next"));
}

void ClusterTest::up(const std::string& words) {
  const Outcome outcome =
      run("up --detach --set SameSubnetDelay=250 --set SameSubnetThreshold=3 " + words);
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
}

cli::ClusterDescription ClusterTest::description() const {
  return cluster().description().value();
}

cli::Client& ClusterTest::client() {
  if (!client_) client_.emplace(cluster(), description(), milliseconds(30'000));
  return *client_;
}

std::uint64_t ClusterTest::counter(const std::string& name) {
  return number_in(object_in(vm(name), "guest"), "counter");
}

std::uint64_t ClusterTest::boot_id(const std::string& name) {
  return number_in(object_in(vm(name), "guest"), "boot_id");
}

std::string ClusterTest::leader() {
  return text_in(object("status"), "leader");
}

std::vector<json::object> ClusterTest::events(std::uint64_t since) {
  const Outcome outcome = run("events --since " + std::to_string(since));
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  std::vector<json::object> found;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = outcome.out.find('\n', start)) != std::string::npos;
       start = end + 1) {
    found.push_back(
        cli::parse_object(outcome.out.substr(start, end - start)).value_or(json::object{}));
  }
  return found;
}

std::uint64_t ClusterTest::last_event() {
  const std::vector<json::object> all = events();
  return all.empty() ? 0 : number_in(all.back(), "number");
}

json::object ClusterTest::wait_for_event(std::uint64_t since,
                                         const std::function<bool(const json::object&)>& wanted) {
  const auto deadline = steady_clock::now() + kLimit;
  while (steady_clock::now() < deadline) {
    const json::value page = client().poll("/v1/events?since=" + std::to_string(since), kPoll);
    for (const json::value& value : page.as_array()) {
      since = std::max(since, number_in(value.as_object(), "number"));
      if (wanted(value.as_object())) return value.as_object();
    }
  }
  ADD_FAILURE() << "the event did not come";
  return {};
}

std::vector<std::string> ClusterTest::states_after(std::uint64_t since, const std::string& name) {
  std::vector<std::string> states;
  for (const json::object& event : events(since)) {
    if (text_in(event, "kind") != "vm-state" || text_in(event, "vm") != name) continue;
    states.push_back(enum_name_in(event, "to"));
  }
  return states;
}

std::vector<std::string> ClusterTest::migration_states_after(std::uint64_t since,
                                                             const std::string& name) {
  std::vector<std::string> states;
  for (const json::object& event : events(since)) {
    if (text_in(event, "kind") != "migration-state" || text_in(event, "vm") != name) continue;
    states.push_back(enum_name_in(event, "to"));
  }
  return states;
}

void ClusterTest::wait_for_migration_state(std::uint64_t since, const std::string& name,
                                           std::uint64_t state) {
  wait_for_event(since, [&](const json::object& event) {
    return text_in(event, "kind") == "migration-state" && text_in(event, "vm") == name &&
           enum_value_in(event, "to") == state;
  });
}

// Looks again whenever something happened in the cluster, and every second.
bool ClusterTest::until(const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + kLimit;
  std::uint64_t since = 0;
  while (!holds()) {
    if (steady_clock::now() >= deadline) return false;
    const json::value page = client().poll("/v1/events?since=" + std::to_string(since), kPoll);
    if (!page.as_array().empty()) {
      since = number_in(page.as_array().back().as_object(), "number");
    }
  }
  return true;
}

void ClusterTest::wait_for_counter_above(const std::string& name, std::uint64_t counter) {
  const bool reached = until([&] {
    const json::value found = client().get("/v1/vms/" + name);
    return number_in(object_in(found.as_object(), "guest"), "counter") > counter;
  });
  EXPECT_TRUE(reached) << name << " does not count beyond " << counter;
}

void ClusterTest::wait_for_node(const std::string& node, const std::string& state) {
  const bool reached = until([&] {
    const json::value found = client().get("/v1/nodes/" + node);
    return enum_name_in(found.as_object(), "state") == state;
  });
  EXPECT_TRUE(reached) << node << " is not " << state;
}

std::string ClusterTest::wait_for_restart_elsewhere(const std::string& name,
                                                    const std::string& former) {
  std::string owner_now;
  const bool reached = until([&] {
    const json::value found = client().get("/v1/vms/" + name);
    owner_now = text_in(found.as_object(), "owner_node");
    return owner_now != former && enum_name_in(found.as_object(), "state") == "Running";
  });
  EXPECT_TRUE(reached) << name << " was not restarted elsewhere";
  return owner_now;
}

}  // namespace failsim::test
