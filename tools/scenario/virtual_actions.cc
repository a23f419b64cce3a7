#include "tools/scenario/virtual_actions.h"

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

void VirtualActions::start(const Action& action, const Operator::Done& done) {
  if (action.verb.starts_with("node ")) return start_node_action(action, done);
  const auto nodes = static_cast<std::uint32_t>(world_.nodes().size());
  const auto request =
      request_of(action, nodes, [this](const std::string& vm) { return view_.newest_job(vm); });
  if (request) return operator_.ask(request.value(), done);
  answer(done, request.error().code, request.error().message);
}

}  // namespace failsim::scenario
