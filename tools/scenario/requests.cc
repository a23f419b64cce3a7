#include "tools/scenario/requests.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <string_view>
#include <vector>

#include "cluster/migration/job.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/property/property_table.h"
#include "cluster/state/control_code.h"
#include "cluster/units.h"
#include "cluster/vm/lifecycle.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

using NewestJob = std::function<TaskId(const std::string&)>;

Error no_such_node(const std::string& name) {
  return {Code::kNodeNotFound, "There is no node called '" + name.substr(0, 80) + "'.",
          "See 'failsim node list'."};
}

// Values that the parser has checked.
std::uint64_t size_in(const Action& action, const std::string& option) {
  return parse_size(action.option(option)).take();
}
std::uint64_t rate_in(const Action& action, const std::string& option) {
  return parse_rate(action.option(option)).take();
}
Duration duration_in(const Action& action, const std::string& option) {
  return parse_duration(action.option(option)).take();
}

std::uint64_t number_of(const std::string& text) {
  return parse_count(text, 0, std::numeric_limits<std::uint64_t>::max()).take();
}

Result<pb::Request> create(const Action& action, std::uint32_t nodes) {
  pb::Request request;
  pb::Request::CreateVm& create = *request.mutable_create_vm();
  create.set_name(action.words[0]);
  Result<pb::VmConfig> config = vm_config_of(action);
  if (!config) return config.error();
  *create.mutable_config() = config.take();
  create.set_start(action.has("--start"));
  if (action.has("--owner")) {
    const NodeId owner = node_named(action.option("--owner"));
    if (owner == kNoNode || owner > nodes) return no_such_node(action.option("--owner"));
    create.set_owner(owner);
  }
  return request;
}

// An unknown target stays 0 and is refused where all targets are judged.
pb::Request migrate(const Action& action, std::uint32_t nodes) {
  pb::Request request;
  pb::Request::Migrate& migrate = *request.mutable_migrate();
  migrate.set_vm(action.words[0]);
  migrate.set_target_name(action.option("--to"));
  const NodeId target = node_named(action.option("--to"));
  migrate.set_target(target <= nodes ? target : kNoNode);
  pb::MigrationParameters& parameters = *migrate.mutable_parameters();
  if (action.has("--bandwidth")) {
    parameters.set_bandwidth_bytes_per_second(rate_in(action, "--bandwidth"));
  }
  parameters.set_downtime_limit_ns(duration_in(action, "--downtime-limit"));
  parameters.set_max_rounds(action.has("--max-rounds") ? static_cast<std::uint32_t>(number_of(
                                                             action.option("--max-rounds")))
                                                       : kUsualMaxRounds);
  if (action.has("--timeout")) parameters.set_timeout_ns(duration_in(action, "--timeout"));
  if (action.has("--max-downtime")) {
    parameters.set_max_downtime_ns(duration_in(action, "--max-downtime"));
  }
  if (action.has("--max-bytes")) parameters.set_max_bytes(size_in(action, "--max-bytes"));
  const std::string on_no_convergence = action.option("--on-no-convergence");
  parameters.set_on_no_convergence(*on_no_convergence_of(on_no_convergence));
  if (action.has("--throttle")) {
    const ThrottleSteps steps = parse_throttle(action.option("--throttle")).take();
    parameters.set_throttle_first_percent(steps.first_percent);
    parameters.set_throttle_step_percent(steps.step_percent);
    parameters.set_throttle_most_percent(steps.most_percent);
  }
  if (action.has("--streams")) {
    parameters.set_streams(static_cast<std::uint32_t>(number_of(action.option("--streams"))));
  }
  parameters.set_compression(action.option("--compression") == "zstd" ? pb::COMPRESSION_ZSTD
                                                                      : pb::COMPRESSION_OFF);
  parameters.set_verify(action.option("--verify") == "background" ? pb::VERIFY_BACKGROUND
                                                                  : pb::VERIFY_BEFORE_RESUME);
  return request;
}

// "vm/web", "cluster" or a bare name, which is a VM's.
Result<pb::Request> set_property(const Action& action) {
  std::string object = action.words[0];
  ObjectKind kind = ObjectKind::kVm;
  if (object == "cluster") {
    kind = ObjectKind::kCluster;
    object.clear();
  } else if (const std::size_t slash = object.find('/'); slash != std::string::npos) {
    const std::string kind_name = object.substr(0, slash);
    object = object.substr(slash + 1);
    const bool is_known = kind_name == "vm" || kind_name == "group" || kind_name == "node";
    if (!is_known) {
      return Error{Code::kInvalidParameter, "'" + kind_name + "' is no kind of object.",
                   "Give vm/NAME, group/NAME, node/NAME or cluster."};
    }
    if (kind_name == "group") kind = ObjectKind::kGroup;
    if (kind_name == "node") kind = ObjectKind::kNode;
  }
  const auto spec = lookup(kind, action.words[1]);
  if (!spec) {
    std::vector<std::string_view> known;
    for (const PropertySpec& property : properties_of(kind)) known.push_back(property.name);
    return Error{spec.error().code, spec.error().message,
                 did_you_mean(action.words[1], known, spec.error().next)};
  }
  const auto value = parse(*spec.value(), action.words[2]);
  if (!value) return value.error();
  const auto bytes = encode_value(value.value());
  if (!bytes) return bytes.error();
  pb::Request request;
  pb::Request::SetProperty& set = *request.mutable_set_property();
  set.set_kind(std::string(name(kind)));
  set.set_object(object);
  set.set_name(std::string(spec.value()->name));
  set.set_value(bytes.value());
  return request;
}

TaskId task_of(const std::string& word, const NewestJob& newest_job) {
  if (word.starts_with("job(")) return newest_job(word.substr(4, word.size() - 5));
  return number_of(word);
}

// A CIM interval as it was typed, rather than a duration.
bool is_interval(const std::string& text) {
  return text.size() == 25 || text.find_first_of(":*") != std::string::npos;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

pb::Request control(const Action& action, std::uint32_t nodes) {
  const std::string named = action.option("--to");
  const NodeId target = node_named(named);
  return control_request(*control_code_of(action.words[1]), action.words[0],
                         target <= nodes ? target : kNoNode, named);
}

Result<pb::Request> request_state_change(const Action& action, const NewestJob& newest_job) {
  pb::Request request;
  pb::Request::RequestStateChange& change = *request.mutable_request_state_change();
  change.set_job(task_of(action.words[0], newest_job));
  const std::string& typed = action.words[1];
  const auto number = parse_count(typed, 0, std::numeric_limits<std::uint32_t>::max());
  std::uint32_t state = number ? static_cast<std::uint32_t>(number.value()) : 0;
  for (std::uint32_t named = 2; named <= 6 && !number; ++named) {
    if (lower_case(std::string(requested_state_name(named))) == lower_case(typed)) state = named;
  }
  if (state == 0 && !number) {
    return Error{Code::kInvalidParameter, "\"" + shortened(typed) + "\" is no requested state.",
                 "Give a number, or Start, Suspend, Terminate, Kill or Service."};
  }
  change.set_requested_state(state);
  if (action.has("--timeout") && !has_malformed_interval(action)) {
    const std::string text = action.option("--timeout");
    const auto period = is_interval(text) ? parse_interval(text) : parse_duration(text);
    if (!period) return period.error();
    change.set_timeout_ns(period.value());
  }
  return request;
}

}  // namespace

bool has_malformed_interval(const Action& action) {
  if (action.verb != "job request-state-change") return false;
  const std::string text = action.option("--timeout");
  return is_interval(text) && !parse_interval(text);
}

NodeId node_named(const std::string& name) {
  if (!name.starts_with("node-")) return kNoNode;
  const auto number = parse_count(name.substr(5), 1, 64);
  return number ? static_cast<NodeId>(number.value()) : kNoNode;
}

Result<pb::VmConfig> vm_config_of(const Action& create) {
  const std::uint64_t memory = size_in(create, "--memory");
  if (memory < kPageBytes || memory % kPageBytes != 0) {
    return Error{Code::kInvalidParameter,
                 "The memory of VM \"" + shortened(create.words[0]) +
                     "\" is not a multiple of 4 KiB above zero.",
                 "Write it like 64MiB."};
  }
  // A small VM need not be told that its working set is small too.
  std::uint64_t working_set = size_in(create, "--working-set");
  if (!create.has("--working-set")) working_set = std::min(working_set, memory);
  if (working_set > memory) {
    return Error{Code::kInvalidParameter,
                 "The working set of VM \"" + shortened(create.words[0]) +
                     "\" is more than its memory of " + show_size(memory) + ".",
                 "Give at most the memory."};
  }
  pb::VmConfig config;
  config.set_memory_bytes(memory);
  config.set_dirty_bytes_per_second(rate_in(create, "--dirty-rate"));
  config.set_working_set_bytes(working_set);
  const std::string pattern = create.option("--pattern");
  config.set_pattern(pattern == "hot-set"      ? pb::PATTERN_HOT_SET
                     : pattern == "sequential" ? pb::PATTERN_SEQUENTIAL
                                               : pb::PATTERN_UNIFORM);
  config.set_fill(create.option("--fill") == "zero" ? pb::FILL_ZERO : pb::FILL_RANDOM);
  config.set_modelled(create.has("--modelled"));
  return config;
}

Result<pb::Request> request_of(const Action& action, std::uint32_t nodes,
                               const NewestJob& newest_job) {
  pb::Request request;
  if (action.verb == "vm create") return create(action, nodes);
  if (action.verb == "migrate") return migrate(action, nodes);
  if (action.verb == "vm control") return control(action, nodes);
  if (action.verb == "property set") return set_property(action);
  if (action.verb == "job request-state-change") return request_state_change(action, newest_job);
  if (action.verb == "vm delete") {
    request.mutable_delete_vm()->set_vm(action.words[0]);
  } else if (action.verb == "migrate cancel") {
    request.mutable_cancel_migration()->set_vm(action.words[0]);
  } else if (action.verb == "task cancel") {
    request.mutable_cancel_task()->set_task(task_of(action.words[0], newest_job));
  } else {
    assert(action.verb.starts_with("vm "));
    const auto method = vm_method_of_verb(action.verb.substr(3));
    assert(method.has_value());
    request.mutable_vm_method()->set_vm(action.words[0]);
    request.mutable_vm_method()->set_method(static_cast<std::uint32_t>(*method));
  }
  return request;
}

}  // namespace failsim::scenario
