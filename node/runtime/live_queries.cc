#include "node/runtime/live_queries.h"

#include "cluster/wire/frame.h"

namespace failsim::node {

void LiveQueries::ask(NodeId owner, const std::string& vm, NodeId target,
                      std::function<void(Answer)> answer) {
  const std::uint64_t token = (config_.incarnation << 32) | ++last_query_;
  answers_.await(token, std::move(answer));
  pb::PeerMessage message = config_.envelope(owner);
  message.mutable_live_query()->set_token(token);
  message.mutable_live_query()->set_vm(vm);
  message.mutable_live_query()->set_target(target);
  config_.send(message);
  config_.call_after(kAnswerLimit, [this, token] { answers_.give(token, std::nullopt); });
}

bool LiveQueries::handle(const pb::PeerMessage& message) {
  if (message.version() != kWireVersion) return false;
  if (message.has_live_query()) {
    pb::PeerMessage reply = config_.envelope(message.from());
    *reply.mutable_live_reply() =
        config_.own_guest(message.live_query().vm(), message.live_query().target());
    reply.mutable_live_reply()->set_token(message.live_query().token());
    config_.send(reply);
    return true;
  }
  if (message.has_live_reply()) {
    answers_.give(message.live_reply().token(), message.live_reply());
    return true;
  }
  return false;
}

}  // namespace failsim::node
