// Waiting for what the cluster does by and by: tasks and migrations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/failsim/client.h"
#include "tools/failsim/output.h"

namespace failsim::cli {

// VMTaskResult
inline constexpr std::uint64_t kResultSuccess = 0;
inline constexpr std::uint64_t kResultCancelled = 1;
// MigrationState
inline constexpr std::uint64_t kNoMigration = 0;
inline constexpr std::uint64_t kDataTransfer = 2;
inline constexpr std::uint64_t kCanceled = 4;

// The number under "task" in the answer to a write.
std::uint64_t task_in(const json::value& answer);

// A long poll that outlasts a lost quorum; 124 if none comes back within the client's time limit.
json::value patient_poll(Client& client, const std::string& target, std::chrono::milliseconds wait);

// The task when it is complete.
json::object wait_for_task(Client& client, std::uint64_t id);
// A Failure unless the complete task ended in Success.
void require_success(const json::object& task);
// The error of a task that did not end in Success.
Error error_of_task(const json::object& task);

// The migration of this VM with this job id; a Failure (105) if it is not kept any more.
json::object migration_of_job(Client& client, const std::string& vm, std::uint64_t job);

// Prints the changes of MigrationState of one job, each once and in order, where lines are wanted:
// progress is shown, but not on a terminal.
class PhaseLines {
 public:
  PhaseLines(Client& client, std::uint64_t job, Progress& progress)
      : client_(client), job_(job), progress_(progress) {}

  void print_new();
  Progress& progress() { return progress_; }

 private:
  void print(const json::object& event);

  Client& client_;
  std::uint64_t job_;
  Progress& progress_;
  std::uint64_t since_ = 0;
};

// The migration when it has ended and, after a success, its digest was checked. Meanwhile draws
// progress, or prints a line per phase; `each`, if given, is told how far it is several times a
// second.
json::object follow_migration(Client& client, const std::string& vm, std::uint64_t job,
                              PhaseLines& phases,
                              const std::function<void(const json::object&)>& each = {});
// The same for a task that is complete already, without any progress.
json::object ended_migration(Client& client, const std::string& vm, std::uint64_t job);
// One line about a migration under way.
std::string progress_line(const json::object& migration);

// 0 moved and every page matches, 1 a page differs, 20 canceled, 21 failed and the VM is on the
// source, 22 failed and restarted elsewhere.
int migration_exit(const json::object& migration);
// One sentence about an ended migration.
std::string migration_sentence(const json::object& migration);
// The same as an error; to be used when migration_exit is not 0.
Error migration_error(const json::object& migration);

}  // namespace failsim::cli
