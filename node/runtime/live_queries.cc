#include "node/runtime/live_queries.h"

#include "cluster/wire/frame.h"

namespace failsim::node {

void LiveQueries::ask(const std::string& vm, NodeId target, Time now,
                      std::function<void(Answer)> answer) {
  const pb::Vm* const found = member_.state().vm(vm);
  const NodeId owner = found != nullptr ? found->owner() : kNoNode;
  if (owner == member_.self()) return answer(config_.own_guest(vm, target));
  if (owner == kNoNode || !member_.hears(owner, now)) return answer(std::nullopt);
  const std::uint64_t token = (member_.incarnation() << 32) | ++last_query_;
  answers_.await(token, std::move(answer));
  pb::PeerMessage message = envelope(owner);
  message.mutable_live_query()->set_token(token);
  message.mutable_live_query()->set_vm(vm);
  message.mutable_live_query()->set_target(target);
  config_.send(message);
  config_.call_after(kAnswerLimit, [this, token] { answers_.give(token, std::nullopt); });
}

bool LiveQueries::handle(const pb::PeerMessage& message) {
  if (message.version() != kWireVersion) return false;
  if (message.has_live_query()) {
    pb::PeerMessage reply = envelope(message.from());
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

pb::PeerMessage LiveQueries::envelope(NodeId to) const {
  pb::PeerMessage message;
  message.set_version(kWireVersion);
  message.set_cluster_id(config_.cluster_id);
  message.set_recovery_epoch(member_.state().cluster().recovery_epoch());
  message.set_from(member_.self());
  message.set_to(to);
  message.set_incarnation(member_.incarnation());
  return message;
}

}  // namespace failsim::node
