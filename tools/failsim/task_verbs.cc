// task list, show, wait and cancel; job request-state-change.
#include <algorithm>
#include <limits>

#include "cluster/migration/job.h"
#include "cluster/units.h"
#include "tools/failsim/tasks.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

std::uint64_t id_of(const Arguments& arguments) {
  return arguments.count("ID", 1, std::numeric_limits<std::uint64_t>::max());
}

std::string task_target(const Arguments& arguments) {
  return "/v1/tasks/" + std::to_string(id_of(arguments));
}

void print(Context& context, const json::object& task) {
  if (context.json()) {
    context.output().data(task);
  } else {
    context.output().fields(task);
  }
}

int list(Context& context, const Arguments&) {
  const json::value tasks = context.client().get("/v1/tasks");
  if (context.json() || !tasks.is_array()) {
    context.output().data(tasks);
  } else {
    context.output().table_of(tasks.get_array(),
                              {"id", "kind", "object", "progress", "result", "is_complete"});
  }
  return 0;
}

int show(Context& context, const Arguments& arguments) {
  const std::string target = task_target(arguments);
  const json::value task = context.client().get(target);
  print(context, task.is_object() ? task.get_object() : json::object{});
  return 0;
}

int wait(Context& context, const Arguments& arguments) {
  const std::uint64_t id = id_of(arguments);
  const json::object task = wait_for_task(context.client(), id);
  print(context, task);
  const bool migration = text_in(task, "kind") == "migrate";
  if (!migration || enum_value_in(task, "result") == kResultSuccess) {
    require_success(task);
    return 0;
  }
  const std::string object = text_in(task, "object");
  const json::object found =
      ended_migration(context.client(), object.substr(object.find('/') + 1), number_in(task, "id"));
  throw Failure{migration_error(found), migration_exit(found)};
}

int cancel(Context& context, const Arguments& arguments) {
  const std::uint64_t id = id_of(arguments);
  context.client().write("POST", task_target(arguments) + "/cancel");
  const json::object task = wait_for_task(context.client(), id);
  print(context, task);
  if (enum_value_in(task, "result") == kResultCancelled) return 0;
  fail(Code::kInvalidState,
       "Task " + std::to_string(id) + " was not canceled: it ended in " +
           enum_name_in(task, "result") + ".",
       "");
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// A number as it is, however reserved: the job's answer to it is the documented one.
std::uint64_t requested_state(const Arguments& arguments) {
  const std::string text = arguments.text("STATE");
  for (std::uint32_t number = 2; number <= 6; ++number) {
    if (lower_case(std::string(requested_state_name(number))) == lower_case(text)) return number;
  }
  if (parse_count(text, 0, std::numeric_limits<std::uint32_t>::max())) {
    return arguments.count("STATE", 0, std::numeric_limits<std::uint32_t>::max());
  }
  fail_usage("STATE: \"" + shortened(text) + "\" is no requested state.",
             "Give a number, or Start, Suspend, Terminate, Kill or Service.");
}

// A CIM interval goes to the job as it was typed; a duration is turned into one.
json::value timeout_period(const Arguments& arguments) {
  if (!arguments.given("--timeout")) return nullptr;
  const std::string text = arguments.text("--timeout");
  const bool interval = text.size() == 25 || text.find_first_of(":*") != std::string::npos;
  if (interval) return json::value(text);
  return json::value(format_interval(arguments.duration("--timeout")));
}

int request_state_change(Context& context, const Arguments& arguments) {
  const std::string target =
      "/v1/jobs/" + std::to_string(id_of(arguments)) + "/request-state-change";
  const json::object body = {{"requested_state", requested_state(arguments)},
                             {"timeout", timeout_period(arguments)}};
  const json::value answer = context.client().write("POST", target, body);
  const json::object result = answer.is_object() ? answer.get_object() : json::object{};
  if (context.json()) {
    context.output().data(result);
  } else {
    context.output().fields(result);
  }
  return enum_value_in(result, "return_value") == 0 ? 0 : kExitFailed;
}

}  // namespace

std::vector<Verb> task_verbs() {
  const Argument id = positional("ID", "The number of the task");
  return {
      {"task", "Tasks: list, show, wait, cancel", {}, "  failsim task list\n", nullptr},
      {"task list", "List the tasks", {}, "  failsim task list --output json\n", list},
      {"task show", "Show a task", {id}, "  failsim task show 7\n", show},
      {"task wait", "Wait until a task has ended", {id}, "  failsim task wait 7\n", wait},
      {"task cancel",
       "Cancel a task and wait until it has ended",
       {id},
       "  failsim task cancel 7\n",
       cancel},
      {"job",
       "Migration jobs as Msvm_MigrationJob: request-state-change",
       {},
       "  failsim job request-state-change 7 Terminate\n",
       nullptr},
      {"job request-state-change",
       "Ask a migration job for another state (Msvm_MigrationJob.RequestStateChange)",
       {positional("ID", "The job id of a migration"),
        positional("STATE", "Start, Suspend, Terminate, Kill, Service, or a number"),
        option("--timeout", "PERIOD", "A duration, or a CIM interval ddddddddhhmmss.mmmmmm:000")},
       "  failsim job request-state-change 7 Terminate\n"
       "  failsim job request-state-change 7 5 --timeout 2s\n",
       request_state_change},
  };
}

}  // namespace failsim::cli
