// vm create, list, show, delete and the methods of the state diagram.
#include <algorithm>
#include <iostream>

#include "cluster/state/control_code.h"
#include "cluster/units.h"
#include "tools/failsim/tasks.h"
#include "tools/failsim/verb.h"
#include "tools/failsim/vm_table.h"

namespace failsim::cli {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

std::string vm_target(const std::string& name) {
  return "/v1/vms/" + percent_encoded(name);
}

// The value if it is one of the choices; otherwise a usage error that lists them.
std::string choice(const Arguments& arguments, const std::string& name,
                   const std::vector<std::string>& choices) {
  const std::string value = arguments.text(name);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  std::string list;
  for (const std::string& text : choices) list += (list.empty() ? "" : ", ") + text;
  fail_usage(name + " cannot be \"" + shortened(value) + "\".", "Give one of: " + list + ".");
}

// Waits for the task unless --no-wait, and shows it. `done` is the sentence for people.
int finish(Context& context, const Arguments& arguments, const json::value& answer,
           const std::string& done) {
  const std::uint64_t id = task_in(answer);
  if (arguments.flag("--no-wait")) {
    if (context.json()) {
      context.output().data(json::object{{"task", id}});
    } else {
      context.output().line(std::to_string(id));
    }
    return 0;
  }
  const json::object task = wait_for_task(context.client(), id);
  if (context.json()) context.output().data(task);
  require_success(task);
  context.output().message(done);
  return 0;
}

json::object creation(const Arguments& arguments) {
  const std::string name = arguments.text("NAME");
  check_vm_name(name);
  const std::uint64_t memory = arguments.size("--memory");
  if (memory < kPageBytes || memory % kPageBytes != 0) {
    fail_usage("--memory: the memory of a VM is a multiple of 4 KiB and not zero.",
               "Write it like --memory 256MiB.");
  }
  // A small VM need not be told that its working set is small too.
  const std::uint64_t working_set = arguments.given("--working-set")
                                        ? arguments.size("--working-set")
                                        : std::min(arguments.size("--working-set"), memory);
  if (working_set > memory) {
    fail_usage("--working-set: " + show_size(working_set) + " is more than the VM's memory of " +
                   show_size(memory) + ".",
               "Give at most the memory.");
  }
  json::object body = {
      {"name", name},
      {"memory_bytes", memory},
      {"dirty_bytes_per_second", arguments.rate("--dirty-rate")},
      {"working_set_bytes", working_set},
      {"pattern", choice(arguments, "--pattern", {"uniform", "hot-set", "sequential"})},
      {"fill", choice(arguments, "--fill", {"random", "zero"})},
      {"modelled", arguments.flag("--modelled")},
      {"start", arguments.flag("--start")}};
  if (arguments.given("--owner")) body["owner"] = arguments.text("--owner");
  return body;
}

int create(Context& context, const Arguments& arguments) {
  const json::object body = creation(arguments);
  const std::string name = arguments.text("NAME");
  const json::value answer = context.client().write("POST", "/v1/vms", body);
  return finish(
      context, arguments, answer,
      name + (arguments.flag("--start") ? " runs."
                                        : " was created; start it with: failsim vm start " + name));
}

int list(Context& context, const Arguments&) {
  const json::value vms = context.client().get("/v1/vms");
  if (context.json()) {
    context.output().data(vms);
  } else if (vms.is_array() && !vms.get_array().empty()) {
    std::cout << vm_table(vms.get_array()) << std::flush;
  } else {
    context.output().message("There are no VMs. Create one with: failsim vm create web --start");
  }
  return 0;
}

int show(Context& context, const Arguments& arguments) {
  const json::value vm = context.client().get(vm_target(arguments.text("NAME")));
  if (context.json() || !vm.is_object()) {
    context.output().data(vm);
  } else {
    context.output().fields(vm.get_object());
  }
  return 0;
}

int remove(Context& context, const Arguments& arguments) {
  const std::string name = arguments.text("NAME");
  const json::value answer = context.client().write("DELETE", vm_target(name));
  return finish(context, arguments, answer, name + " was deleted.");
}

// A control code answers with a number, which is the exit status' affair as any other error's.
int control(Context& context, const Arguments& arguments) {
  if (const auto error = control_refused(arguments.text("CODE"), arguments.text("--to"))) {
    fail_usage(error->message, error->next);
  }
  json::object body = {{"code", arguments.text("CODE")}};
  if (arguments.given("--to")) body["to"] = arguments.text("--to");
  const json::value answer =
      context.client().write("POST", vm_target(arguments.text("NAME")) + "/control", body);
  const json::object told = answer.is_object() ? answer.get_object() : json::object{};
  if (context.json()) {
    context.output().data(told);
  } else {
    context.output().fields(told);
  }
  const auto returned = static_cast<Code>(enum_value_in(told, "return_value"));
  return returned == Code::kIoPending ? 0 : exit_code(returned);
}

Verb method(const std::string& word, const std::string& help, const std::string& done) {
  return {"vm " + word,
          help,
          {positional("NAME", "The name of the VM"),
           flag("--no-wait", "Print the task id and return at once")},
          "  failsim vm " + word + " web\n",
          [word, done](Context& context, const Arguments& arguments) {
            const std::string name = arguments.text("NAME");
            const json::value answer = context.client().write("POST", vm_target(name) + "/" + word);
            return finish(context, arguments, answer, name + " " + done);
          }};
}

}  // namespace

std::vector<Verb> vm_verbs() {
  const Argument name = positional("NAME", "The name of the VM");
  const Argument no_wait = flag("--no-wait", "Print the task id and return at once");
  return {
      {"vm",
       "Virtual machines: create, show, and the methods of the state diagram",
       {},
       "  failsim vm create web --start\n  failsim vm list\n",
       nullptr},
      {"vm create",
       "Create a VM, and start it with --start",
       {name, option("--memory", "SIZE", "Memory of the VM", "256MiB"),
        option("--owner", "NODE", "The node it is placed on (default: the emptiest)"),
        option("--dirty-rate", "RATE", "Distinct page writes a second, as bytes", "20MiB/s"),
        option("--working-set", "SIZE", "The part of memory the guest writes to", "32MiB"),
        option("--pattern", "PATTERN", "uniform, hot-set or sequential", "uniform"),
        option("--fill", "FILL", "What the pages hold at boot: random or zero", "random"),
        flag("--modelled", "Sizes and rates only, no page bytes"),
        flag("--start", "Start it, and return when it is Running"), no_wait},
       "  failsim vm create web --start\n"
       "  failsim vm create db --memory 1GiB --dirty-rate 100MiB/s --owner node-2 --start\n",
       create},
      {"vm list", "List the VMs", {}, "  failsim vm list --output json\n", list},
      {"vm show", "Show one VM, its guest included", {name}, "  failsim vm show web\n", show},
      method("start", "Start a VM, from its saved state if it has one", "runs."),
      method("save", "Save a VM's state and turn it off", "is saved."),
      method("pause", "Pause a VM", "is paused."),
      method("resume", "Resume a paused VM", "runs again."),
      method("reset", "Turn a VM off and on again", "was reset."),
      method("turn-off", "Turn a VM off, without its guest's consent", "is off."),
      {"vm control",
       "Give a control code to a VM: START_MIGRATION or CANCEL_MIGRATION",
       {name, positional("CODE", "The name or the number of the control code"),
        option("--to", "NODE", "The node START_MIGRATION moves it to")},
       "  failsim vm control web START_MIGRATION --to node-2\n"
       "  failsim vm control web 0x01600008\n",
       control},
      {"vm delete",
       "Delete a VM that is off",
       {name, no_wait},
       "  failsim vm delete web\n",
       remove},
  };
}

}  // namespace failsim::cli
