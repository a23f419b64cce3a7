#include "tools/benchmark/test_cluster.h"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>

#include "tools/benchmark/command.h"
#include "tools/benchmark/process_figures.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/files.h"
#include "tools/failsim/tasks.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPause{10};
constexpr milliseconds kGoneLimit{10'000};
constexpr milliseconds kUpLimit{30'000};
constexpr milliseconds kAnswerLimit{60'000};
constexpr std::uint64_t kNodeUp = 0;  // CLUSTER_NODE_STATE

// /var/tmp is on a disk where /tmp may be memory, and what is measured here is fsynced.
cli::fs::path new_directory() {
  const char* chosen = std::getenv("TMPDIR");
  const cli::fs::path parent = chosen != nullptr ? chosen : "/var/tmp";
  std::string pattern = (parent / "failsim-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    cli::fail_errno("Creating a temporary directory failed",
                    "Set TMPDIR to one that can be written.");
  }
  return pattern;
}

constexpr int kDownAttempts = 3;

// The verb on this cluster. What it notes of running clusters stays out of the user's own notes.
CommandResult run_failsim(const cli::ClusterDirectory& directory,
                          const std::vector<std::string>& words) {
  std::vector<std::string> command = {beside("failsim")};
  command.insert(command.end(), words.begin(), words.end());
  for (const std::string& word :
       {std::string("--dir"), directory.path().string(), std::string("--output"),
        std::string("json"), std::string("--time-limit"),
        std::to_string(kAnswerLimit.count()) + "ms"}) {
    command.push_back(word);
  }
  return run_command(command,
                     {"XDG_STATE_HOME=" + (directory.path().parent_path() / "state").string()});
}

void discard(const cli::fs::path& place) {
  std::error_code error;
  cli::fs::remove_all(place, error);
  if (error) std::cerr << place.string() << ": " << error.message() << "\n";
}

std::string error_message(const CommandResult& result) {
  const std::optional<json::object> errors = cli::parse_object(result.errors);
  return errors ? cli::text_in(cli::object_in(*errors, "error"), "message") : result.errors;
}

std::string sentence_of(const std::vector<std::string>& words) {
  std::string text = "failsim";
  for (const std::string& word : words) text += " " + word;
  return text;
}

}  // namespace

TestCluster::TestCluster(std::uint32_t nodes, const std::vector<std::string>& more)
    : place_(new_directory()), directory_(place_ / "cluster"), undo_([this] {
        // The signal that ends this program may go to every program it starts, too.
        for (int attempt = 0; attempt < kDownAttempts; ++attempt) {
          if (run_failsim(directory_, {"down"}).exit == 0) return discard(place_);
        }
      }) {
  try {
    up(nodes, more);
  } catch (...) {
    run_failsim(directory_, {"down"});
    std::cerr << "The logs are in " << directory_.path().string() << ".\n";
    throw;
  }
}

TestCluster::~TestCluster() {
  const CommandResult result = run_failsim(directory_, {"down"});
  if (result.exit != 0) std::cerr << "failsim down: " << error_message(result) << "\n";
  if (result.exit != 0 || std::uncaught_exceptions() > 0) {
    std::cerr << "The logs are in " << directory_.path().string() << ".\n";
    return;
  }
  discard(place_);
}

void TestCluster::up(std::uint32_t nodes, const std::vector<std::string>& more) {
  std::vector<std::string> words = {
      "up",       "-n",    std::to_string(nodes), "--name", "bench",
      "--detach", "--set", "SameSubnetDelay=250", "--set",  "SameSubnetThreshold=3"};
  words.insert(words.end(), more.begin(), more.end());
  const VerbResult result = try_verb(words);
  if (result.exit != 0) cli::fail(Code::kNodeNotAvailable, result.message, "");
  up_seconds_ = result.seconds;
  description_ = *directory_.description();
}

void TestCluster::down() {
  verb({"down"});
}

void TestCluster::up_again() {
  const VerbResult result = try_verb({"up", "--detach"});
  if (result.exit != 0) cli::fail(Code::kNodeNotAvailable, result.message, "");
  up_seconds_ = result.seconds;
}

std::vector<std::string> TestCluster::nodes() const {
  std::vector<std::string> names;
  for (std::uint32_t node = 1; node <= description_.nodes; ++node) {
    names.push_back("node-" + std::to_string(node));
  }
  return names;
}

cli::Client TestCluster::new_client() const {
  return cli::Client(directory_, description_, kAnswerLimit);
}

json::value TestCluster::verb(const std::vector<std::string>& words) const {
  VerbResult result = try_verb(words);
  if (result.exit == 0) return std::move(result.answer);
  cli::fail(Code::kInvalidState,
            "`" + sentence_of(words) + "` ended with status " + std::to_string(result.exit) + ": " +
                result.message,
            "");
}

VerbResult TestCluster::try_verb(const std::vector<std::string>& words) const {
  const CommandResult result = run_failsim(directory_, words);
  VerbResult verb;
  verb.exit = result.exit;
  verb.answer = cli::parse_json(result.output).value_or(nullptr);
  verb.message = error_message(result);
  verb.seconds = result.seconds;
  return verb;
}

json::object TestCluster::get(const std::string& target) const {
  cli::Client client = new_client();
  json::value answer = cli::patient_poll(client, target, milliseconds(0));
  return answer.is_object() ? std::move(answer.get_object()) : json::object{};
}

std::string TestCluster::leader() const {
  std::string name;
  const bool found = wait_until(
      [&] {
        name = cli::text_in(get("/v1/status"), "leader");
        return !name.empty();
      },
      kUpLimit);
  if (!found) cli::fail(Code::kNotReady, "The cluster elected no leader.", "");
  return name;
}

std::string TestCluster::other_node_than(const std::string& node) const {
  for (const std::string& name : nodes()) {
    if (name != node) return name;
  }
  return node;
}

cli::RunningChild TestCluster::child(const std::string& node) const {
  const std::optional<cli::RunningProcesses> running = directory_.processes();
  const cli::RunningChild* found = running ? running->find(node) : nullptr;
  if (found == nullptr) cli::fail(Code::kNodeDown, node + " does not run.", "");
  return *found;
}

void TestCluster::kill_node(const std::string& node) const {
  const cli::ProcessMark process = process_of(node);
  if (!cli::send_signal(process, SIGKILL)) {
    cli::fail(Code::kNodeDown, node + " had ended before it was killed.", "");
  }
  if (!cli::wait_until_gone(process, kGoneLimit)) {
    cli::fail(Code::kTimeout, node + " does not end after kill -9.", "");
  }
}

void TestCluster::start_node(const std::string& node) const {
  verb({"node", "start", node});
  // For a moment the cluster may still show the process before as Up: the instance tells.
  const std::uint32_t instance = child(node).instance;
  const bool up = wait_until(
      [&] {
        const json::object row = get("/v1/nodes/" + node);
        return cli::enum_value_in(row, "state") == kNodeUp &&
               static_cast<std::uint32_t>(cli::number_in(row, "incarnation")) == instance;
      },
      kUpLimit);
  if (!up) cli::fail(Code::kTimeout, node + " was started but is not Up.", "");
}

double TestCluster::cpu_seconds() const {
  double sum = 0;
  for (const std::string& node : nodes()) sum += bench::cpu_seconds(process_of(node).pid);
  return sum;
}

bool wait_until(const std::function<bool()>& holds, milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  while (!holds()) {
    if (steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace failsim::bench
