// job list, show, get-error and request-state-change: Msvm_MigrationJob.
#include <algorithm>
#include <limits>

#include "cluster/migration/job.h"
#include "cluster/units.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

std::uint64_t id_of(const Arguments& arguments) {
  return arguments.count("ID", 1, std::numeric_limits<std::uint64_t>::max());
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

std::string job_target(const Arguments& arguments) {
  return "/v1/jobs/" + std::to_string(id_of(arguments));
}

int list(Context& context, const Arguments&) {
  const json::value jobs = context.client().get("/v1/jobs");
  if (context.json()) {
    context.output().data(jobs);
  } else if (jobs.is_array() && !jobs.get_array().empty()) {
    context.output().table_of(jobs.get_array(),
                              {"job_id", "vm", "job_state", "percent_complete", "destination_host",
                               "cancellable", "elapsed_time", "job_status"});
  } else {
    context.output().message(
        "There are no jobs. A migration has one: failsim migrate VM --to NODE");
  }
  return 0;
}

// The requests stand below the other properties, one a line.
int show(Context& context, const Arguments& arguments) {
  const json::value answer = context.client().get(job_target(arguments));
  if (context.json() || !answer.is_object()) {
    context.output().data(answer);
    return 0;
  }
  json::object job = answer.get_object();
  const json::array requests = array_in(job, "requests");
  job.erase("requests");
  context.output().fields(job);
  if (!requests.empty()) {
    context.output().table_of(requests,
                              {"time", "requested_state", "return_value", "deadline", "outcome"});
  }
  return 0;
}

int get_error(Context& context, const Arguments& arguments) {
  const json::value answer = context.client().get(job_target(arguments) + "/error");
  const json::object result = answer.is_object() ? answer.get_object() : json::object{};
  if (context.json()) {
    context.output().data(result);
  } else if (is_null_in(result, "error")) {
    context.output().message("The job has not failed.");
  } else {
    context.output().fields(object_in(result, "error"));
  }
  return 0;
}

int request_state_change(Context& context, const Arguments& arguments) {
  const std::string target = job_target(arguments) + "/request-state-change";
  const json::object body = {{"requested_state", requested_state(arguments)},
                             {"timeout", timeout_period(arguments)}};
  const json::value answer = context.client().write("POST", target, body);
  json::object result = answer.is_object() ? answer.get_object() : json::object{};
  const int exit = enum_value_in(result, "return_value") == 0 ? 0 : kExitFailed;
  if (context.json()) {
    context.output().data(result);
    return exit;
  }
  const Error error = error_from_json(object_in(result, "error"));
  result.erase("error");
  context.output().fields(result);
  if (!error.message.empty()) throw Failure{error, exit};
  return exit;
}

}  // namespace

std::vector<Verb> job_verbs() {
  const Argument id = positional("ID", "The job id of a migration");
  return {
      {"job",
       "Migration jobs as Msvm_MigrationJob: list, show, get-error, request-state-change",
       {},
       "  failsim job list\n  failsim job request-state-change 7 Suspend\n",
       nullptr},
      {"job list", "List the migration jobs", {}, "  failsim job list\n", list},
      {"job show",
       "Show a migration job, and what became of each request",
       {id},
       "  failsim job show 7\n",
       show},
      {"job get-error",
       "Show why a migration job failed (Msvm_MigrationJob.GetError)",
       {id},
       "  failsim job get-error 7\n",
       get_error},
      {"job request-state-change",
       "Ask a migration job for another state (Msvm_MigrationJob.RequestStateChange)",
       {id, positional("STATE", "Start, Suspend, Terminate, Kill, Service, or a number"),
        option("--timeout", "PERIOD",
               "Wait so long for the state: a duration, or an interval ddddddddhhmmss.mmmmmm:000")},
       "  failsim job request-state-change 7 Suspend --timeout 5s\n"
       "  failsim job request-state-change 7 Start\n"
       "  failsim job request-state-change 7 5 --timeout 2s\n",
       request_state_change},
  };
}

}  // namespace failsim::cli
