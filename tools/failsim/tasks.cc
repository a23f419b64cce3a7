#include "tools/failsim/tasks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "cluster/units.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLongWait{20'000};
constexpr milliseconds kTerminalWait{100};
constexpr milliseconds kLineWait{250};
constexpr milliseconds kQuorumPause{100};
constexpr milliseconds kSettlePause{50};
constexpr std::size_t kEventPage = 1000;
// VMVMState
constexpr std::uint64_t kVmTurnedOff = 1;
constexpr std::uint64_t kVmSaved = 2;
constexpr std::uint64_t kVmRunning = 5;

json::object as_object(json::value value) {
  if (value.is_object()) return std::move(value.get_object());
  fail(Code::kInvalidData, "A node gave another kind of answer than was asked for.",
       "Use failsim and failsim-node of the same version.");
}

bool succeeded(const json::object& object) {
  return enum_value_in(object, "result") == kResultSuccess;
}

// The memory that the target checks ends with its owner: with another owner, or off, or restarted
// in place (which is another epoch than `epoch`), nobody checks it any more.
bool still_holds_image(const json::object& vm, const std::string& owner, const std::string& epoch) {
  const std::uint64_t state = enum_value_in(vm, "state");
  return text_in(vm, "owner_node") == owner && text_in(vm, "epoch") == epoch &&
         state != kVmTurnedOff && state != kVmSaved;
}

// The background check of the target goes on after the task has ended; it stays unknown if the VM
// was lost there before its end.
json::object wait_for_digest(Client& client, const std::string& vm, std::uint64_t job) {
  const auto deadline = steady_clock::now() + client.limit();
  std::optional<std::string> epoch;
  bool lost = false;
  while (true) {
    json::object migration = migration_of_job(client, vm, job);
    if (!succeeded(migration) || !is_null_in(migration, "digest_match") || lost) return migration;
    if (steady_clock::now() >= deadline) {
      fail(Code::kTimeout,
           vm + " moved to " + text_in(migration, "to") +
               ", but the check of its pages there has not answered.",
           "See it later with: failsim migrate show " + vm);
    }
    std::this_thread::sleep_for(milliseconds(20));
    const json::object now =
        as_object(patient_poll(client, "/v1/vms/" + percent_encoded(vm), milliseconds(0)));
    if (!epoch) epoch = text_in(now, "epoch");
    lost = !still_holds_image(now, text_in(migration, "to"), *epoch);
  }
}

// A migration whose source died may end before the cluster knows that: the target sees only a
// closed connection. Where the VM is then is asked of the VM, until its guest answers or has a new
// owner.
void settle_failure(Client& client, json::object& migration) {
  const auto deadline = steady_clock::now() + client.limit();
  const std::string target = "/v1/vms/" + percent_encoded(text_in(migration, "vm"));
  while (!flag_in(migration, "restarted_elsewhere") && steady_clock::now() < deadline) {
    const json::object vm = as_object(patient_poll(client, target, milliseconds(0)));
    const bool moved = text_in(vm, "owner_node") != text_in(migration, "from");
    if (moved) migration["restarted_elsewhere"] = true;
    const bool executes = enum_value_in(vm, "state") == kVmRunning;
    if (moved || !executes || !is_null_in(vm, "guest")) return;
    std::this_thread::sleep_for(kSettlePause);
  }
}

}  // namespace

std::uint64_t task_in(const json::value& answer) {
  return answer.is_object() ? number_in(answer.get_object(), "task") : 0;
}

json::value patient_poll(Client& client, const std::string& target, milliseconds wait) {
  const auto deadline = steady_clock::now() + client.limit();
  while (true) {
    try {
      return client.poll(target, wait);
    } catch (const Failure& failure) {
      if (failure.error.code != Code::kNoQuorum) throw;
      if (steady_clock::now() >= deadline) {
        fail(Code::kTimeout, "The outcome is not known: " + failure.error.message,
             failure.error.next);
      }
    }
    std::this_thread::sleep_for(kQuorumPause);
  }
}

json::object wait_for_task(Client& client, std::uint64_t id) {
  const std::string target = "/v1/tasks/" + std::to_string(id);
  set_interrupt_note("Task " + std::to_string(id) +
                     " goes on; wait for it with: failsim task wait " + std::to_string(id) + "\n");
  while (true) {
    json::object task = as_object(patient_poll(client, target, kLongWait));
    if (!flag_in(task, "is_complete")) continue;
    set_interrupt_note("");
    return task;
  }
}

Error error_of_task(const json::object& task) {
  Error error = error_from_json(object_in(task, "error"));
  const bool canceled = enum_value_in(task, "result") == kResultCancelled;
  if (error.code == Code::kOk) {
    error.code = canceled ? Code::kOperationAborted : Code::kInvalidState;
  }
  if (error.message.empty()) {
    error.message = "Task " + plain_in(task, "id") + " (" + plain_in(task, "kind") + " of " +
                    plain_in(task, "object") + ") ended in " + enum_name_in(task, "result") + ".";
  }
  return error;
}

void require_success(const json::object& task) {
  if (succeeded(task)) return;
  const Error error = error_of_task(task);
  const int exit = exit_code(error.code);
  throw Failure{error, exit == 0 ? kExitFailed : exit};
}

json::object migration_of_job(Client& client, const std::string& vm, std::uint64_t job) {
  json::value newest =
      patient_poll(client, "/v1/migrations/" + percent_encoded(vm), milliseconds(0));
  if (newest.is_object() && number_in(newest.get_object(), "job_id") == job) {
    return std::move(newest.get_object());
  }
  json::value all = patient_poll(client, "/v1/migrations", milliseconds(0));
  if (all.is_array()) {
    for (json::value& value : all.get_array()) {
      if (value.is_object() && number_in(value.get_object(), "job_id") == job) {
        return std::move(value.get_object());
      }
    }
  }
  fail(Code::kNotFound, "The migration with job " + std::to_string(job) + " is not kept any more.",
       "See those that are with: failsim migrate list");
}

void PhaseLines::print_new() {
  if (!progress_.enabled() || progress_.on_terminal()) return;
  std::size_t read = kEventPage;
  while (read >= kEventPage) {
    const json::value events = patient_poll(
        client_,
        "/v1/events?since=" + std::to_string(since_) + "&limit=" + std::to_string(kEventPage),
        milliseconds(0));
    read = events.is_array() ? events.get_array().size() : 0;
    for (std::size_t i = 0; i < read; ++i) {
      if (events.get_array()[i].is_object()) print(events.get_array()[i].get_object());
    }
  }
}

void PhaseLines::print(const json::object& event) {
  since_ = std::max(since_, number_in(event, "number"));
  if (number_in(event, "job_id") != job_) return;
  if (text_in(event, "kind") == "not-converging") {
    progress_.phase(text_in(event, "vm") + ": Not converging: " + text_in(event, "detail"));
  }
  if (text_in(event, "kind") == "post-copy") {
    progress_.phase(text_in(event, "vm") + ": Post-copy: it goes on at its target, and " +
                    show_size(number_in(event, "missing_bytes")) + " follow");
  }
  if (text_in(event, "kind") == "queued") progress_.phase(text_in(event, "detail"));
  if (text_in(event, "kind") == "job-state") {
    progress_.phase(text_in(event, "vm") + ": job " + enum_name_in(event, "to"));
  }
  if (text_in(event, "kind") != "migration-state") return;
  const bool done = enum_value_in(event, "to") == kNoMigration;
  progress_.phase(text_in(event, "vm") + ": " + (done ? "Done" : enum_name_in(event, "to")));
}

std::string throttle_text(const json::object& migration) {
  const std::uint64_t percent = number_in(migration, "throttle_percent");
  return percent == 0 ? "" : ", throttled by " + std::to_string(percent) + " %";
}

std::string expectation_text(const json::object& migration) {
  const std::uint64_t total = number_in(migration, "expected_total_ms");
  if (total == 0) return "";
  return ", about " + show_duration_ms(total) + " in all with " +
         show_duration_ms(number_in(migration, "expected_downtime_ms")) + " of downtime";
}

std::string progress_line(const json::object& migration) {
  const std::string state = enum_name_in(migration, "job_state");
  if (state == "New") return text_in(migration, "vm") + ": waits for its turn";
  const bool stands_still = state == "Suspended" || state == "Service";
  return (stands_still ? "(" + state + ") " : "") + text_in(migration, "vm") + ": " +
         enum_name_in(migration, "migration_state") + "  " +
         plain_in(migration, "migration_progress") + " %, round " + plain_in(migration, "rounds") +
         ", " + show_size(number_in(migration, "bytes_sent")) + " sent, " +
         show_size(number_in(migration, "bytes_remaining")) + " left, " +
         show_rate(number_in(migration, "sent_bytes_per_second")) + ", dirtied at " +
         show_rate(number_in(migration, "dirty_bytes_per_second")) + throttle_text(migration) +
         expectation_text(migration) +
         (text_in(migration, "not_converging").empty() ? "" : ", not converging");
}

json::object follow_migration(Client& client, const std::string& vm, std::uint64_t job,
                              PhaseLines& phases,
                              const std::function<void(const json::object&)>& each) {
  Progress& progress = phases.progress();
  const std::string target = "/v1/tasks/" + std::to_string(job);
  const milliseconds wait = progress.on_terminal()       ? kTerminalWait
                            : progress.enabled() || each ? kLineWait
                                                         : kLongWait;
  set_interrupt_note("The migration goes on; cancel it with: failsim migrate cancel " + vm + "\n");
  while (true) {
    const json::object task = as_object(patient_poll(client, target, wait));
    phases.print_new();
    if (flag_in(task, "is_complete")) break;
    if (!progress.on_terminal() && !each) continue;
    const json::object migration = migration_of_job(client, vm, job);
    if (progress.on_terminal()) progress.draw(progress_line(migration));
    if (each && !flag_in(migration, "is_complete")) each(migration);
  }
  json::object migration = ended_migration(client, vm, job);
  progress.clear();
  set_interrupt_note("");
  return migration;
}

json::object ended_migration(Client& client, const std::string& vm, std::uint64_t job) {
  json::object migration = wait_for_digest(client, vm, job);
  const int exit = migration_exit(migration);
  if (exit == kExitOnSource) settle_failure(client, migration);
  return migration;
}

int migration_exit(const json::object& migration) {
  if (succeeded(migration)) {
    const bool differs =
        !is_null_in(migration, "digest_match") && !flag_in(migration, "digest_match");
    return differs ? kExitFailed : 0;
  }
  if (enum_value_in(migration, "result") == kResultCancelled) return kExitCanceled;
  return flag_in(migration, "restarted_elsewhere") ? kExitElsewhere : kExitOnSource;
}

std::string migration_sentence(const json::object& migration) {
  const std::string route = text_in(migration, "from") + " to " + text_in(migration, "to");
  const std::string vm = text_in(migration, "vm");
  switch (migration_exit(migration)) {
    case 0:
      return vm + " moved from " + route + " in " +
             show_duration_ms(number_in(migration, "total_ms")) + ": " +
             counted(number_in(migration, "rounds"), "round") + ", " +
             show_size(number_in(migration, "bytes_sent")) + " sent, " +
             show_duration_ms(number_in(migration, "downtime_ms")) + " downtime, " +
             (flag_in(migration, "post_copy")
                  ? show_duration_ms(number_in(migration, "stalled_ms")) +
                        " more in which it waited for pages that followed, "
                  : "") +
             (is_null_in(migration, "digest_match")
                  ? "its pages not checked: it was lost there meanwhile."
                  : "every page checked.") +
             (flag_in(migration, "forced_switch") && !text_in(migration, "not_converging").empty()
                  ? " It was switched over without having converged: " +
                        text_in(migration, "not_converging") + "."
                  : "");
    case kExitFailed:
      return vm + " moved from " + route + ", but a page there differs from what was sent.";
    case kExitCanceled:
      return "The migration of " + vm + " from " + route + " was canceled; it stays on " +
             text_in(migration, "from") + ".";
    case kExitElsewhere:
      return "The migration of " + vm + " from " + route +
             (flag_in(migration, "post_copy")
                  ? " failed in post-copy: what it had in memory is lost, and it was started again."
                  : " failed, and it was started again.");
    default:
      return "The migration of " + vm + " from " + route + " failed (" +
             enum_name_in(migration, "result") + "); it is on " + text_in(migration, "from") + ".";
  }
}

Error migration_error(const json::object& migration) {
  Error error = error_from_json(object_in(migration, "error"));
  if (error.code == Code::kOk) {
    error.code =
        migration_exit(migration) == kExitCanceled ? Code::kOperationAborted : Code::kInvalidState;
  }
  const std::string reason = error.message;
  error.message = migration_sentence(migration);
  // That it was canceled is said already.
  const bool adds = migration_exit(migration) != kExitCanceled;
  if (adds && !reason.empty()) error.message += " " + reason;
  if (error.next.empty()) error.next = "See: failsim migrate show " + text_in(migration, "vm");
  return error;
}

}  // namespace failsim::cli
