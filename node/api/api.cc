#include "node/api/api.h"

#include <utility>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "node/api/error_json.h"

namespace failsim::node {
namespace {

std::vector<std::string> parts_of(std::string_view pattern) {
  return parse_target(pattern)->path;
}

// The names that stand where the pattern has {}; nothing if the path is another one.
std::optional<std::vector<std::string>> match(std::string_view pattern,
                                              const std::vector<std::string>& path) {
  const std::vector<std::string> parts = parts_of(pattern);
  if (parts.size() != path.size()) return std::nullopt;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "{}") {
      names.push_back(path[i]);
    } else if (parts[i] != path[i]) {
      return std::nullopt;
    }
  }
  return names;
}

HttpResponse refusal(unsigned status, std::string message) {
  return {status, error_body({Code::kInvalidParameter, std::move(message),
                              "The requests there are stand in node/api/README.md."})};
}

Error not_now(Code code, NodeId self) {
  if (code == Code::kNoQuorum) {
    return {code,
            node_name(self) +
                " is not in contact with a majority of the cluster's nodes, so what "
                "it knows may be out of date.",
            "Start more nodes; 'failsim status' works without a quorum."};
  }
  if (code == Code::kNotReady) {
    return {code, "The cluster is electing a leader.", "Try again in a moment."};
  }
  return {code, node_name(self) + " could not make sure that it is up to date.",
          "Try again, or ask another node."};
}

}  // namespace

const std::vector<Api::Route>& Api::routes() {
  static const std::vector<Route> table = {
      {"GET", "/v1/status", &Api::get_status, "the cluster at a glance, without quorum too"},
      {"GET", "/v1/nodes", &Api::get_nodes, "every node"},
      {"GET", "/v1/nodes/{}", &Api::get_node, "one node"},
      {"GET", "/v1/vms", &Api::get_vms, "every VM"},
      {"POST", "/v1/vms", &Api::create_vm, "create a VM"},
      {"GET", "/v1/vms/{}", &Api::get_vm, "one VM"},
      {"DELETE", "/v1/vms/{}", &Api::delete_vm, "delete a VM that is off"},
      {"POST", "/v1/vms/{}/migrate", &Api::migrate, "live-migrate a VM"},
      {"POST", "/v1/vms/{}/forecast-migration", &Api::forecast_migration,
       "what a migration would be like"},
      {"POST", "/v1/vms/{}/check-migration", &Api::check_migration,
       "CheckVirtualSystemIsMigratableToHost"},
      {"POST", "/v1/vms/{}/control", &Api::control_vm, "a control code of a clustered VM"},
      {"POST", "/v1/vms/{}/cancel-migration", &Api::cancel_migration, "cancel its migration"},
      {"POST", "/v1/vms/{}/{}", &Api::vm_method, "start, save, pause, resume, reset, turn-off"},
      {"GET", "/v1/migrations", &Api::get_migrations, "every migration that is remembered"},
      {"GET", "/v1/migrations/{}", &Api::get_migration, "the newest migration of a VM"},
      {"GET", "/metrics", &Api::get_metrics, "the newest migration of each VM, for Prometheus"},
      {"GET", "/v1/jobs", &Api::get_jobs, "every migration job that is remembered"},
      {"GET", "/v1/jobs/{}", &Api::get_job, "one migration job, as Msvm_MigrationJob"},
      {"GET", "/v1/jobs/{}/error", &Api::get_job_error, "GetError of a migration job"},
      {"POST", "/v1/jobs/{}/request-state-change", &Api::request_state_change,
       "RequestStateChange of a migration job"},
      {"GET", "/v1/properties", &Api::get_properties, "every property of an object"},
      {"GET", "/v1/property", &Api::get_property, "one property of an object"},
      {"PUT", "/v1/property", &Api::put_property, "write a property"},
      {"GET", "/v1/tasks", &Api::get_tasks, "every task that is remembered"},
      {"GET", "/v1/tasks/{}", &Api::get_task, "one task; may wait for its end"},
      {"POST", "/v1/tasks/{}/cancel", &Api::cancel_task, "cancel a task"},
      {"GET", "/v1/events", &Api::get_events, "events; may wait for new ones"},
      {"POST", "/v1/evidence", &Api::report_evidence, "the launcher reaped a process"},
      {"POST", "/v1/faults", &Api::inject_fault, "inject a fault into this node, or renew it"},
      {"GET", "/v1/faults", &Api::get_faults, "the faults in force in this node"},
      {"DELETE", "/v1/faults", &Api::heal_faults, "heal all of them"},
      {"DELETE", "/v1/faults/{}", &Api::heal_fault, "heal one of them"},
      {"POST", "/v1/fault-notes", &Api::note_fault, "the launcher injected or ended a fault"},
  };
  return table;
}

Api::Api(NodeService& node)
    : node_(node), waiters_([this](Duration delay, std::function<void()> call) {
        node_.call_after(delay, std::move(call));
      }) {}

void Api::handle(const HttpRequest& request, Respond respond) {
  auto target = parse_target(request.target);
  if (!target) return respond(refusal(400, "The path or query of the request is malformed."));
  bool is_path_known = false;
  for (const Route& route : routes()) {
    auto names = match(route.pattern, target->path);
    if (!names) continue;
    is_path_known = true;
    if (request.method != route.method) continue;
    const auto call = std::make_shared<const Call>(
        Call{request, std::move(*names), std::move(target->query), std::move(respond)});
    return (this->*route.handler)(call);
  }
  if (is_path_known) return respond(refusal(405, "That path is not served by this method."));
  respond({404, error_body({Code::kNotFound, "There is nothing at that path.",
                            "The paths there are stand in node/api/README.md."})});
}

void Api::answer(const CallPtr& call, const boost::json::value& body) {
  call->respond({200, boost::json::serialize(body)});
}

void Api::refuse(const CallPtr& call, const Error& error) {
  call->respond({http_status(error.code), error_body(error)});
}

// False when something is wrong with the arguments: the call is answered then.
bool Api::accepts(const CallPtr& call, Arguments& arguments) {
  const auto error = arguments.finish();
  if (error) refuse(call, *error);
  return !error;
}

void Api::after_read(const CallPtr& call, std::function<void()> serve) {
  node_.read([this, call, serve = std::move(serve)](Code code) {
    code == Code::kOk ? serve() : refuse(call, not_now(code, node_.self()));
  });
}

void Api::ask(const CallPtr& call, pb::Request request,
              std::function<void(const pb::Reply&)> accepted) {
  ask_any(call, std::move(request), [call, accepted = std::move(accepted)](const pb::Reply& reply) {
    if (reply.code() == 0) return accepted(reply);
    refuse(call, {static_cast<Code>(reply.code()), reply.message(), reply.next()});
  });
}

// As ask, but refusals are the caller's affair, too.
void Api::ask_any(const CallPtr& call, pb::Request request,
                  std::function<void(const pb::Reply&)> replied) {
  const auto id = parse_request_id(call->request.request_id);
  if (!id) {
    return refuse(call, {Code::kInvalidParameter,
                         "The header Request-Id is not 'CLIENT:SEQUENCE': up to 64 letters, "
                         "digits, '-', '_' and '.', a colon and a whole number.",
                         "Correct it, or leave it out."});
  }
  request.set_client(id->client);
  request.set_sequence(id->sequence);
  node_.ask(std::move(request), std::move(replied));
}

void Api::ask_for_task(const CallPtr& call, pb::Request request) {
  ask(call, std::move(request), [call](const pb::Reply& reply) {
    answer(call, {{"task", reply.task()}});
  });
}

// Asks the owners of all of them at once; an owner that does not answer costs its limit once.
void Api::with_live(const std::vector<std::string>& vms,
                    std::function<void(const LiveByVm&)> serve) {
  struct Gathering {
    LiveByVm live;
    std::size_t missing;
    std::function<void(const LiveByVm&)> serve;
  };
  if (vms.empty()) return serve({});
  const auto gathering = std::make_shared<Gathering>(Gathering{{}, vms.size(), std::move(serve)});
  for (const std::string& vm : vms) {
    node_.live(vm, kNoNode, [gathering, vm](std::optional<pb::PeerMessage::LiveReply> live) {
      gathering->live[vm] = std::move(live);
      if (--gathering->missing == 0) gathering->serve(gathering->live);
    });
  }
}

}  // namespace failsim::node
