#include "tools/failsim/demo.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <unistd.h>

#include "cluster/units.h"
#include "tools/failsim/launcher.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/tasks.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kVmRunning = 5;  // VMVMState
constexpr std::uint64_t kNodeUp = 0;     // CLUSTER_NODE_STATE
constexpr milliseconds kPause{20};

// A temporary directory, or under --keep one that the other commands find by the name "demo".
fs::path choose_directory(bool keep) {
  if (keep) {
    for (int number = 1;; ++number) {
      const fs::path path =
          default_directory(number == 1 ? "demo" : "demo-" + std::to_string(number));
      if (!fs::exists(path)) return path;
    }
  }
  std::string pattern = (fs::temp_directory_path() / "failsim-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_errno("Creating a temporary directory failed", "Set TMPDIR to one that can be written.");
  }
  return pattern;
}

class Demo {
 public:
  Demo(Context& context, bool keep)
      : context_(context),
        keep_(keep),
        directory_(choose_directory(keep)),
        progress_(!context.json(), true) {}

  int run();

 private:
  // One line of the table in the end.
  struct Step {
    std::string what;
    std::string outcome;
    std::uint64_t milliseconds = 0;
  };

  template <typename Body>
  void step(const std::string& what, Body body);
  void tell_story();
  std::string bring_up();
  std::string create_vms();
  std::string migrate_one();
  std::string cancel_one();
  std::string kill_owner();
  std::string restart_node();
  std::string take_all_down();
  void conclude(const std::optional<Failure>& failure);

  json::object vm(const std::string& name);
  json::object wait_for_vm(const std::string& name, const std::string& what,
                           const std::function<bool(const json::object&)>& holds);
  void wait_for_counter_above(const std::string& name, std::uint64_t counter);
  std::uint64_t start_migration(const std::string& name, const json::object& parameters);
  // A Failure, and so a failed demo, unless the claim holds.
  void require(bool holds, const std::string& claim);

  Context& context_;
  bool keep_;
  ClusterDirectory directory_;
  Progress progress_;
  std::optional<Client> client_;
  std::vector<Step> steps_;
};

template <typename Body>
void Demo::step(const std::string& what, Body body) {
  progress_.phase("== " + what);
  const auto begin = steady_clock::now();
  const auto elapsed = [&] {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin).count());
  };
  try {
    std::string outcome = body();
    progress_.phase("   " + outcome);
    steps_.push_back({what, std::move(outcome), elapsed()});
  } catch (const Failure& failure) {
    steps_.push_back({what, "FAILED: " + failure.error.message, elapsed()});
    throw;
  }
}

int Demo::run() {
  std::optional<Failure> failure;
  try {
    tell_story();
  } catch (const Failure& caught) {
    failure = caught;
  }
  progress_.clear();
  if (!keep_ || failure) {
    try {
      step("stop everything", [&] { return take_all_down(); });
    } catch (const Failure& caught) {
      if (!failure) failure = caught;
    }
  }
  conclude(failure);
  if (failure) throw *failure;
  return 0;
}

void Demo::tell_story() {
  step("start three nodes", [&] { return bring_up(); });
  step("create three VMs", [&] { return create_vms(); });
  step("live-migrate web from node-1 to node-2", [&] { return migrate_one(); });
  step("cancel a migration of db in Data Transfer", [&] { return cancel_one(); });
  step("kill -9 node-3, which owns mail", [&] { return kill_owner(); });
  step("start node-3 again", [&] { return restart_node(); });
}

void Demo::require(bool holds, const std::string& claim) {
  if (holds) return;
  fail(Code::kInvalidState, "The demo expected otherwise: " + claim + ".",
       "The logs are in " + directory_.path().string() + ".");
}

std::string Demo::bring_up() {
  LaunchOptions options{directory_, {}};
  options.birth.name = keep_ ? directory_.path().filename().string() : "demo";
  // A node is Down after 750 ms of silence, so that the story does not last.
  options.birth.properties = {"SameSubnetDelay=250", "SameSubnetThreshold=3"};
  launch_in_background(options, keep_ ? Life::kUntilDown : Life::kUntilCallerEnds);
  client_.emplace(directory_, *directory_.description(), context_.options().time_limit);
  const json::value status = client_->get("/v1/status");
  const std::string leader = text_in(status.as_object(), "leader");
  require(!leader.empty(), "a cluster that is ready has a leader");
  return "all Up, " + leader + " leads";
}

std::string Demo::create_vms() {
  const auto create = [&](const std::string& name, const std::string& owner, std::uint64_t memory) {
    const json::object body = {{"name", name},
                               {"memory_bytes", memory},
                               {"owner", owner},
                               {"dirty_bytes_per_second", 20 * kMiB},
                               {"working_set_bytes", 32 * kMiB},
                               {"pattern", "uniform"},
                               {"fill", "random"},
                               {"modelled", false},
                               {"start", true}};
    require_success(wait_for_task(*client_, task_in(client_->write("POST", "/v1/vms", body))));
    const json::object created = vm(name);
    require(enum_value_in(created, "state") == kVmRunning, name + " is Running");
    require(text_in(created, "owner_node") == owner, name + " is on " + owner);
    progress_.phase(name + ": Running on " + owner + ", " + show_size(memory));
  };
  create("web", "node-1", 256 * kMiB);
  create("db", "node-1", 256 * kMiB);
  create("mail", "node-3", 64 * kMiB);
  return "web and db run on node-1, mail on node-3";
}

json::object Demo::vm(const std::string& name) {
  json::value answer = patient_poll(*client_, "/v1/vms/" + name, milliseconds(0));
  return answer.is_object() ? std::move(answer.get_object()) : json::object{};
}

json::object Demo::wait_for_vm(const std::string& name, const std::string& what,
                               const std::function<bool(const json::object&)>& holds) {
  const auto deadline = steady_clock::now() + client_->limit();
  while (true) {
    json::object found = vm(name);
    if (holds(found)) return found;
    require(steady_clock::now() < deadline, name + " " + what);
    std::this_thread::sleep_for(kPause);
  }
}

void Demo::wait_for_counter_above(const std::string& name, std::uint64_t counter) {
  wait_for_vm(name, "counts beyond " + std::to_string(counter), [&](const json::object& found) {
    return number_in(object_in(found, "guest"), "counter") > counter;
  });
}

std::uint64_t Demo::start_migration(const std::string& name, const json::object& parameters) {
  return task_in(client_->write("POST", "/v1/vms/" + name + "/migrate", parameters));
}

std::string Demo::migrate_one() {
  const json::object before = vm("web");
  const std::uint64_t job = start_migration("web", {{"to", "node-2"}});
  PhaseLines phases(*client_, job, progress_);
  const json::object migration = follow_migration(*client_, "web", job, phases);
  if (migration_exit(migration) != 0) fail(migration_error(migration));
  require(flag_in(migration, "digest_match"), "every page was checked and matches");
  const json::object after = vm("web");
  require(text_in(after, "owner_node") == "node-2", "web is on node-2");
  require(enum_value_in(after, "state") == kVmRunning, "web is Running");
  const json::object& guest = object_in(before, "guest");
  require(number_in(object_in(after, "guest"), "boot_id") == number_in(guest, "boot_id"),
          "web was not booted again");
  wait_for_counter_above("web", number_in(guest, "counter"));
  return show_size(number_in(migration, "bytes_sent")) + " in " +
         counted(number_in(migration, "rounds"), "round") + ", " +
         show_duration_ms(number_in(migration, "downtime_ms")) + " downtime, every page checked";
}

std::string Demo::cancel_one() {
  const json::object before = vm("db");
  // At 16 MiB/s the first round alone lasts 16 s: time enough.
  const std::uint64_t job =
      start_migration("db", {{"to", "node-3"}, {"bandwidth_bytes_per_second", 16 * kMiB}});
  PhaseLines phases(*client_, job, progress_);
  while (true) {
    const json::object migration = migration_of_job(*client_, "db", job);
    phases.print_new();
    progress_.draw(progress_line(migration));
    require(!flag_in(migration, "is_complete"), "db is still being migrated");
    if (enum_value_in(migration, "migration_state") == kDataTransfer &&
        number_in(migration, "bytes_sent") > 0) {
      break;
    }
    std::this_thread::sleep_for(kPause);
  }
  client_->write("POST", "/v1/vms/db/cancel-migration");
  const json::object migration = follow_migration(*client_, "db", job, phases);
  require(migration_exit(migration) == kExitCanceled, "the migration of db ended as canceled");
  const json::object after = vm("db");
  require(enum_value_in(after, "migration_state") == kCanceled, "MigrationState of db is 4");
  require(text_in(after, "owner_node") == "node-1", "db stayed on node-1");
  require(enum_value_in(after, "state") == kVmRunning, "db is Running");
  const json::object& guest = object_in(before, "guest");
  require(number_in(object_in(after, "guest"), "boot_id") == number_in(guest, "boot_id"),
          "db was not booted again");
  wait_for_counter_above("db", number_in(guest, "counter"));
  return "Canceled; db never stopped counting on node-1";
}

std::string Demo::kill_owner() {
  const json::object before = vm("mail");
  require(text_in(before, "owner_node") == "node-3", "mail is on node-3");
  const auto killed = steady_clock::now();
  end_node(directory_, "node-3", SIGKILL);
  progress_.phase("node-3: killed");
  const json::object after =
      wait_for_vm("mail", "runs on another node", [](const json::object& found) {
        return text_in(found, "owner_node") != "node-3" &&
               enum_value_in(found, "state") == kVmRunning && !is_null_in(found, "guest");
      });
  const auto outage =
      std::chrono::duration_cast<milliseconds>(steady_clock::now() - killed).count();
  const json::object& guest = object_in(before, "guest");
  require(number_in(object_in(after, "guest"), "boot_id") != number_in(guest, "boot_id"),
          "mail was booted anew, since its memory died with node-3");
  wait_for_counter_above("mail", number_in(guest, "counter"));
  const std::string owner = text_in(after, "owner_node");
  progress_.phase("mail: Running on " + owner);
  return "mail runs on " + owner + " after " +
         show_duration_ms(static_cast<std::uint64_t>(outage)) + " and counts on from its disk";
}

std::string Demo::restart_node() {
  const pid_t pid =
      start_node(directory_, client_->description(), 3, context_.options().time_limit);
  const auto deadline = steady_clock::now() + client_->limit();
  while (true) {
    const json::value node = patient_poll(*client_, "/v1/nodes/node-3", milliseconds(0));
    if (node.is_object() && enum_value_in(node.get_object(), "state") == kNodeUp) break;
    require(steady_clock::now() < deadline, "node-3 is Up again");
    std::this_thread::sleep_for(kPause);
  }
  return "node-3 is Up again as process " + std::to_string(pid);
}

std::string Demo::take_all_down() {
  const std::optional<RunningProcesses> running = directory_.processes();
  take_down(directory_);
  if (running) {
    for (const RunningChild& child : running->children) {
      require(!is_alive(child.process), child.name + " has ended");
    }
    require(!is_alive(running->supervisor), "the supervisor has ended");
  }
  return "nothing is left running";
}

void Demo::conclude(const std::optional<Failure>& failure) {
  if (context_.json()) {
    json::array steps;
    for (const Step& told : steps_) {
      steps.push_back(json::object{
          {"step", told.what}, {"outcome", told.outcome}, {"milliseconds", told.milliseconds}});
    }
    context_.output().data(json::object{
        {"ok", !failure}, {"directory", directory_.path().string()}, {"steps", steps}});
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const Step& told : steps_) {
      rows.push_back({told.what, show_duration_ms(told.milliseconds), told.outcome});
    }
    context_.output().line("");
    context_.output().table({"WHAT", "TIME", "OUTCOME"}, rows);
  }
  if (!keep_ && !failure) fs::remove_all(directory_.path());
  if (keep_ && !failure) {
    const std::string failsim = "  failsim --dir " + directory_.path().string() + " ";
    context_.output().message("The cluster is still up. Try next:\n" + failsim +
                              "status --watch\n" + failsim + "migrate web --to node-3\n" + failsim +
                              "down");
  }
}

}  // namespace

int run_demo(Context& context, bool keep) {
  return Demo(context, keep).run();
}

}  // namespace failsim::cli
