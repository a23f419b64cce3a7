// Migration jobs as their clients see and steer them, and the control codes of a clustered VM.
#include <limits>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cluster/migration/job.h"
#include "cluster/state/control_code.h"
#include "cluster/state/job_row.h"
#include "node/api/api.h"
#include "node/api/error_json.h"
#include "node/api/job_properties.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();

Error no_such_job(const std::string& id) {
  return {Code::kNotFound, "There is no migration job '" + id.substr(0, 80) + "'.",
          "See 'failsim job list'."};
}

json::string text(std::string_view text) {
  return json::string(text.data(), text.size());
}

// A number, or one of the names of RequestedState. Numbers beyond the parameter's width are as
// invalid as any other reserved one, which the job answers.
std::optional<std::uint32_t> requested_state_of_text(const std::string& text) {
  if (const auto number = parse_number(text, kNoLimit)) {
    return static_cast<std::uint32_t>(std::min(*number, kMost32));
  }
  for (std::uint32_t number = 2; number <= 6; ++number) {
    if (requested_state_name(number) == text) return number;
  }
  return std::nullopt;
}

// `error`, if there is one, says in words what the number means.
json::object state_change_answer(std::uint32_t return_value, std::uint32_t job_state,
                                 const Error* error = nullptr) {
  const auto value = return_value_of(return_value);
  const auto state = job_state_of(job_state);
  json::value state_name = nullptr;
  if (state) state_name = text(name(*state));
  json::object told = {
      {"return_value",
       json::object{{"value", return_value},
                    {"name", text(value ? name(*value) : std::string_view("Unknown"))}}},
      {"job_state", json::object{{"value", job_state}, {"name", state_name}}}};
  if (error != nullptr) told["error"] = error_object(*error);
  return told;
}

Code refusal_code(std::uint32_t return_value) {
  const bool is_parameter = return_value_of(return_value) == ReturnValue::kInvalidParameter;
  return is_parameter ? Code::kInvalidParameter : Code::kInvalidState;
}

// Of a cancel that no leader has ordered yet: 4096, and what that means.
HttpResponse not_ordered(const pb::Reply& reply) {
  const Error error{static_cast<Code>(reply.code()), reply.message(), reply.next()};
  return {http_status(error.code),
          json::serialize(state_change_answer(reply.return_value(), reply.job_state(), &error))};
}

std::uint32_t state_number(const pb::Task* task) {
  return task == nullptr ? 0 : task->job().job_state();
}

std::uint32_t number(ReturnValue value) {
  return static_cast<std::uint32_t>(value);
}

}  // namespace

void Api::get_jobs(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    std::vector<std::string> vms;
    for (const auto& [name, vm] : node_.state().vms()) {
      if (vm->job() != 0) vms.push_back(name);
    }
    with_live(vms, [this, call](const LiveByVm& live) {
      json::array jobs;
      for (const auto& [id, task] : node_.state().tasks()) {
        if (!task->has_job()) continue;
        const auto said = live.find(task->job().vm());
        jobs.push_back(
            render::job(node_.state(), *task, said == live.end() ? std::nullopt : said->second));
      }
      answer(call, jobs);
    });
  });
}

// The job of the path, once what was acknowledged is applied here.
void Api::with_job(const CallPtr& call, std::function<void(const pb::Task&)> serve) {
  const auto id = parse_number(call->names[0], kNoLimit);
  after_read(call, [this, call, id, serve = std::move(serve)] {
    const pb::Task* const task = id ? node_.state().task(*id) : nullptr;
    if (task == nullptr || !task->has_job()) return refuse(call, no_such_job(call->names[0]));
    serve(*task);
  });
}

void Api::get_job(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  with_job(call, [this, call](const pb::Task& found) {
    std::vector<std::string> vms;
    if (!found.complete()) vms.push_back(found.job().vm());
    with_live(vms, [this, call, id = found.id()](const LiveByVm& live) {
      const pb::Task* const task = node_.state().task(id);
      if (task == nullptr) return refuse(call, no_such_job(call->names[0]));
      answer(call,
             render::job(node_.state(), *task, live.empty() ? std::nullopt : live.begin()->second));
    });
  });
}

void Api::get_job_error(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  with_job(call, [call](const pb::Task& task) {
    answer(call, {{"return_value", 0}, {"error", render::job_error(task)}});
  });
}

// ---- RequestStateChange -------------------------------------------------------------------------

void Api::request_state_change(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  const std::string asked = arguments.required_scalar("requested_state");
  const std::string timeout = arguments.text("timeout");
  const auto requested = requested_state_of_text(asked);
  if (!requested)
    arguments.refuse("The argument 'requested_state' is no state a job can be asked for.");
  if (!accepts(call, arguments)) return;
  const auto job = parse_number(call->names[0], kNoLimit);
  if (!job) return refuse(call, no_such_job(call->names[0]));
  const auto period = parse_interval(timeout);
  if (!period) {
    // An answer of the job, not an error of the interface.
    return with_job(call, [call, period](const pb::Task& task) {
      answer(call, state_change_answer(number(ReturnValue::kInvalidParameter),
                                       task.job().job_state(), &period.error()));
    });
  }
  pb::Request request;
  pb::Request::RequestStateChange& change = *request.mutable_request_state_change();
  change.set_job(*job);
  change.set_requested_state(*requested);
  change.set_timeout_ns(period.value());
  const bool has_period = period.value() > 0;
  const CallPtr once = has_period ? within(call, period.value(), *job) : call;
  ask_any(once, std::move(request),
          [this, once, has_period, job = *job, requested = *requested,
           period = period.value()](const pb::Reply& reply) {
            const auto code = static_cast<Code>(reply.code());
            if (code == Code::kIoPending) return once->respond(not_ordered(reply));
            if (code != Code::kOk) return refuse(once, {code, reply.message(), reply.next()});
            if (has_period && reply.return_value() == 0) {
              return answer_when_done(once, job, requested, period);
            }
            const Error why{refusal_code(reply.return_value()), reply.message(), reply.next()};
            answer(once, state_change_answer(reply.return_value(), reply.job_state(),
                                             reply.message().empty() ? nullptr : &why));
          });
}

// Who gives a period wants to know whether the state is reached in it, not only that it was asked
// for.
void Api::answer_when_done(const CallPtr& call, TaskId job, std::uint32_t requested,
                           Duration period) {
  after_read(call, [this, call, job, requested, period] {
    const auto attempt = [this, job, requested](bool is_last) -> std::optional<HttpResponse> {
      const pb::Task* const task = node_.state().task(job);
      const auto outcome = task == nullptr ? std::optional(ReturnValue::kSystemNotAvailable)
                                           : outcome_of(standing_of(task->job()),
                                                        task->job().requested_state(), requested);
      if (!outcome.has_value() && !is_last) return std::nullopt;
      return HttpResponse{
          200, json::serialize(state_change_answer(number(outcome.value_or(ReturnValue::kTimeout)),
                                                   state_number(task)))};
    };
    waiters_.wait(period, attempt, call->respond);
  });
}

// The call, answered with Timeout when nothing else has answered it within the period. The request
// stays asked, as after any answer that did not come: the job's requests tell what became of it.
Api::CallPtr Api::within(const CallPtr& call, Duration period, TaskId job) {
  auto once = std::make_shared<Call>(*call);
  once->respond = [is_answered = std::make_shared<bool>(false),
                   respond = call->respond](HttpResponse response) {
    if (!std::exchange(*is_answered, true)) respond(std::move(response));
  };
  node_.call_after(period, [this, job, late = CallPtr(once)] {
    answer(late, state_change_answer(number(ReturnValue::kTimeout),
                                     state_number(node_.state().task(job))));
  });
  return once;
}

// ---- Control codes ------------------------------------------------------------------------------

void Api::control_vm(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  const std::string asked = arguments.required_scalar("code");
  const std::string target = arguments.text("to");
  const auto code = control_code_of(asked);
  if (auto error = control_refused(asked, target)) arguments.refuse(std::move(*error));
  if (!accepts(call, arguments)) return;
  const auto returned = [call](std::uint32_t number, std::uint64_t task, const std::string& said) {
    json::value id = nullptr;
    if (task != 0) id = task;
    answer(call, {{"return_value",
                   json::object{{"value", number}, {"name", code_name(static_cast<Code>(number))}}},
                  {"task", id},
                  {"message", said}});
  };
  const auto serve = [this, call, code, target, returned] {
    const pb::Node* const node = node_.state().node_named(target);
    pb::Request request =
        control_request(*code, call->names[0], node == nullptr ? kNoNode : node->id(), target);
    ask_any(call, std::move(request), [code, returned](const pb::Reply& reply) {
      returned(control_return(*code, reply), reply.task(), reply.message());
    });
  };
  // A cancel names no node, and is not to wait for a leader.
  *code == ControlCode::kCancelMigration ? serve() : after_read(call, serve);
}

}  // namespace failsim::node
