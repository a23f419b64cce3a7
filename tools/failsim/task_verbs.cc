// task list, show, wait and cancel.
#include <limits>

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
  };
}

}  // namespace failsim::cli
