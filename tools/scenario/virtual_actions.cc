#include "tools/scenario/virtual_actions.h"

#include <memory>
#include <optional>
#include <utility>

#include "cluster/migration/job.h"
#include "cluster/state/control_code.h"
#include "cluster/state/job_row.h"
#include "tools/scenario/requests.h"

namespace failsim::scenario {
namespace {

constexpr Duration kNodeEnds = 10 * kSecond;
constexpr Duration kGlance = 10 * kMillisecond;  // at a process that is about to end

void answer(const Operator::Done& done, Code code, const std::string& message = "") {
  pb::Reply reply;
  reply.set_code(static_cast<std::uint32_t>(code));
  reply.set_message(message);
  done(reply);
}

}  // namespace

void VirtualActions::wait_for_end(NodeId node, Time give_up_at, const Operator::Done& done) {
  if (!world_.is_running(node)) return answer(done, Code::kOk);
  if (world_.now() >= give_up_at) return answer(done, Code::kTimeout);
  world_.queue().after(kGlance,
                       [this, node, give_up_at, done] { wait_for_end(node, give_up_at, done); });
}

void VirtualActions::start_node_action(const Action& action, const Operator::Done& done) {
  const NodeId node = node_named(action.words[0]);
  if (action.verb == "node start") {
    world_.start(node);
    return answer(done, Code::kOk);
  }
  if (!world_.is_running(node)) {
    return answer(done, Code::kNodeDown, node_name(node) + " is not running.");
  }
  if (action.verb == "node kill") {
    world_.kill(node, sim::World::Evidence::kReported);
    return answer(done, Code::kOk);
  }
  world_.cont(node);  // a stopped one would not notice
  world_.leave(node);
  wait_for_end(node, world_.now() + kNodeEnds, done);
}

// ---- What the node's interface answers itself (node/api/) ---------------------------------------

void VirtualActions::answer_malformed_interval(const Action& action, const Operator::Done& done) {
  Action plain = action;
  plain.options.erase("--timeout");
  const auto nodes = static_cast<std::uint32_t>(world_.nodes().size());
  const auto request =
      request_of(plain, nodes, [this](const std::string& vm) { return view_.newest_job(vm); });
  if (!request) return answer(done, request.error().code, request.error().message);
  const ClusterState* state = view_.state();
  const TaskId job = request.value().request_state_change().job();
  const pb::Task* task = state == nullptr ? nullptr : state->task(job);
  if (task == nullptr || !task->has_job()) {
    return answer(done, Code::kNotFound, "There is no such job.");
  }
  pb::Reply reply;
  reply.set_return_value(static_cast<std::uint32_t>(ReturnValue::kInvalidParameter));
  reply.set_job_state(task->job().job_state());
  done(reply);
}

// Timeout when nothing has been answered within the period. What was asked stays asked.
Operator::Done VirtualActions::within(Duration period, TaskId job, const Operator::Done& done) {
  const auto is_answered = std::make_shared<bool>(false);
  const Operator::Done once = [is_answered, done](const pb::Reply& reply) {
    if (!std::exchange(*is_answered, true)) done(reply);
  };
  world_.queue().after(period, [this, job, once] {
    const ClusterState* state = view_.state();
    const pb::Task* task = state == nullptr ? nullptr : state->task(job);
    pb::Reply reply;
    reply.set_return_value(static_cast<std::uint32_t>(ReturnValue::kTimeout));
    reply.set_job_state(task == nullptr ? 0 : task->job().job_state());
    once(reply);
  });
  return once;
}

// Who gives a period wants to know whether the state is reached in it.
void VirtualActions::request_state(const pb::Request& request, const Operator::Done& done) {
  const pb::Request::RequestStateChange change = request.request_state_change();
  if (change.timeout_ns() == 0) return operator_.ask(request, done);
  const Time give_up_at = world_.now() + change.timeout_ns();
  const Operator::Done once = within(change.timeout_ns(), change.job(), done);
  operator_.ask(request, [this, change, give_up_at, once](const pb::Reply& reply) {
    const bool is_accepted = reply.code() == 0 && reply.return_value() == 0;
    if (!is_accepted) return once(reply);
    wait_for_state(change, give_up_at, once);
  });
}

void VirtualActions::wait_for_state(const pb::Request::RequestStateChange& change, Time give_up_at,
                                    const Operator::Done& done) {
  if (world_.now() >= give_up_at) return;  // answered by now
  const ClusterState* state = view_.state();
  const pb::Task* task = state == nullptr ? nullptr : state->task(change.job());
  const auto outcome = task == nullptr
                           ? std::nullopt
                           : outcome_of(standing_of(task->job()), task->job().requested_state(),
                                        change.requested_state());
  if (!outcome.has_value()) {
    world_.queue().after(
        kGlance, [this, change, give_up_at, done] { wait_for_state(change, give_up_at, done); });
    return;
  }
  pb::Reply reply;
  reply.set_return_value(static_cast<std::uint32_t>(*outcome));
  reply.set_job_state(task->job().job_state());
  done(reply);
}

// The number that a control code returns is an answer, whatever it is.
void VirtualActions::control(const Action& action, const pb::Request& request,
                             const Operator::Done& done) {
  const ControlCode code = *control_code_of(action.words[1]);
  operator_.ask(request, [code, done](const pb::Reply& reply) {
    pb::Reply returned;
    returned.set_return_value(control_return(code, reply));
    done(returned);
  });
}

void VirtualActions::start(const Action& action, const Operator::Done& done) {
  if (action.verb.starts_with("node ")) return start_node_action(action, done);
  if (has_malformed_interval(action)) return answer_malformed_interval(action, done);
  const auto nodes = static_cast<std::uint32_t>(world_.nodes().size());
  const auto request =
      request_of(action, nodes, [this](const std::string& vm) { return view_.newest_job(vm); });
  if (!request) return answer(done, request.error().code, request.error().message);
  if (action.verb == "vm control") return control(action, request.value(), done);
  if (request.value().has_request_state_change()) return request_state(request.value(), done);
  operator_.ask(request.value(), done);
}

}  // namespace failsim::scenario
