#include "tools/failsim/action_requests.h"

#include <boost/algorithm/string/predicate.hpp>

#include "cluster/migration/convergence.h"
#include "cluster/migration/job.h"
#include "cluster/migration/precopy.h"
#include "cluster/proto/state.pb.h"
#include "cluster/units.h"
#include "tools/failsim/http.h"
#include "tools/scenario/requests.h"

namespace failsim::cli {
namespace {

using scenario::Action;
using NewestJob = std::function<std::uint64_t(const std::string&)>;

std::string vm_target(const std::string& vm) {
  return "/v1/vms/" + percent_encoded(vm);
}

Result<ApiCall> create(const Action& action) {
  const Result<pb::VmConfig> config = scenario::vm_config_of(action);
  if (!config) return config.error();
  json::object body = {{"name", action.words[0]},
                       {"memory_bytes", config.value().memory_bytes()},
                       {"dirty_bytes_per_second", config.value().dirty_bytes_per_second()},
                       {"working_set_bytes", config.value().working_set_bytes()},
                       {"pattern", action.option("--pattern")},
                       {"fill", action.option("--fill")},
                       {"modelled", config.value().modelled()},
                       {"start", action.has("--start")}};
  if (action.has("--owner")) body["owner"] = action.option("--owner");
  return ApiCall{"POST", "/v1/vms", std::move(body)};
}

// The values have passed the parser of actions.
ApiCall migrate(const Action& action) {
  json::object body = {{"to", action.option("--to")},
                       {"downtime_limit_ms",
                        parse_duration(action.option("--downtime-limit")).take() / kMillisecond},
                       {"on_no_convergence", action.option("--on-no-convergence")},
                       {"compression", action.option("--compression")},
                       {"verify", action.option("--verify")}};
  if (action.has("--bandwidth")) {
    body["bandwidth_bytes_per_second"] = parse_rate(action.option("--bandwidth")).take();
  }
  if (action.has("--max-rounds")) {
    body["max_rounds"] = parse_count(action.option("--max-rounds"), 1, 100'000).take();
  }
  if (action.has("--timeout")) {
    body["timeout_ms"] = parse_duration(action.option("--timeout")).take() / kMillisecond;
  }
  if (action.has("--max-downtime")) {
    body["max_downtime_ms"] = parse_duration(action.option("--max-downtime")).take() / kMillisecond;
  }
  if (action.has("--max-bytes")) {
    body["max_bytes"] = parse_size(action.option("--max-bytes")).take();
  }
  if (action.has("--streams")) {
    body["streams"] = parse_count(action.option("--streams"), 1, 100'000).take();
  }
  if (action.has("--throttle")) {
    const ThrottleSteps steps = parse_throttle(action.option("--throttle")).take();
    body["throttle_first_percent"] = steps.first_percent;
    body["throttle_step_percent"] = steps.step_percent;
    body["throttle_most_percent"] = steps.most_percent;
  }
  return {"POST", vm_target(action.words[0]) + "/migrate", std::move(body)};
}

ApiCall set_property(const Action& action) {
  std::string object = action.words[0];
  if (object != "cluster" && object.find('/') == std::string::npos) object = "vm/" + object;
  return {"PUT",
          "/v1/property?object=" + percent_encoded(object) +
              "&name=" + percent_encoded(action.words[1]),
          {{"value", action.words[2]}}};
}

std::string task_of(const std::string& word, const NewestJob& newest_job) {
  if (!word.starts_with("job(")) return word;
  return std::to_string(newest_job(word.substr(4, word.size() - 5)));
}

// The interface wants the name as it is written in the documents, or a number.
std::string requested_state(const std::string& typed) {
  for (std::uint32_t number = 2; number <= 6; ++number) {
    const std::string name(requested_state_name(number));
    if (boost::iequals(name, typed)) return name;
  }
  return typed;
}

ApiCall control(const Action& action) {
  return {"POST", vm_target(action.words[0]) + "/control",
          json::object{{"code", action.words[1]}, {"to", action.option("--to")}}};
}

Result<ApiCall> request_state_change(const Action& action, const NewestJob& newest_job) {
  json::object body = {{"requested_state", requested_state(action.words[1])}, {"timeout", nullptr}};
  if (action.has("--timeout")) {
    // A CIM interval as it was typed, or a duration.
    const std::string text = action.option("--timeout");
    const bool is_interval = text.size() == 25 || text.find_first_of(":*") != std::string::npos;
    if (is_interval) {
      body["timeout"] = text;
    } else {
      const auto period = parse_duration(text);
      if (!period) return period.error();
      body["timeout"] = format_interval(period.value());
    }
  }
  return ApiCall{"POST",
                 "/v1/jobs/" + task_of(action.words[0], newest_job) + "/request-state-change",
                 std::move(body)};
}

}  // namespace

Result<ApiCall> api_call_of(const Action& action, const NewestJob& newest_job) {
  if (action.verb == "vm create") return create(action);
  if (action.verb == "migrate") return migrate(action);
  if (action.verb == "vm control") return control(action);
  if (action.verb == "property set") return set_property(action);
  if (action.verb == "job request-state-change") return request_state_change(action, newest_job);
  if (action.verb == "vm delete") return ApiCall{"DELETE", vm_target(action.words[0]), {}};
  if (action.verb == "migrate cancel") {
    return ApiCall{"POST", vm_target(action.words[0]) + "/cancel-migration", {}};
  }
  if (action.verb == "task cancel") {
    return ApiCall{"POST", "/v1/tasks/" + task_of(action.words[0], newest_job) + "/cancel", {}};
  }
  return ApiCall{"POST", vm_target(action.words[0]) + "/" + action.verb.substr(3), {}};
}

}  // namespace failsim::cli
