// What a guest is doing this moment, asked of its owner: never agreed upon, never waited for long.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/proto/message.pb.h"
#include "cluster/time.h"
#include "node/runtime/answers.h"

namespace failsim::node {

class LiveQueries {
 public:
  using Answer = std::optional<pb::PeerMessage::LiveReply>;

  struct Config {
    std::uint64_t cluster_id = 0;
    std::function<pb::PeerMessage::LiveReply(const std::string& vm, NodeId target)> own_guest;
    std::function<void(const pb::PeerMessage&)> send;
    std::function<void(Duration, std::function<void()>)> call_after;
  };

  // The member, of which node and whose process this is, outlives it.
  LiveQueries(const Member& member, Config config) : member_(member), config_(std::move(config)) {}

  // Nothing is answered when the VM has no owner, or one that is not heard or does not answer
  // within kAnswerLimit. `target` may be kNoNode.
  void ask(const std::string& vm, NodeId target, Time now, std::function<void(Answer)> answer);

  // True if the message was a query or a reply, and is dealt with. One of another version is
  // neither.
  bool handle(const pb::PeerMessage& message);

  static constexpr Duration kAnswerLimit = 150 * kMillisecond;

 private:
  pb::PeerMessage envelope(NodeId to) const;

  const Member& member_;
  const Config config_;
  // Tokens hold the instance, so that a reply to a former process of this node finds nobody.
  std::uint32_t last_query_ = 0;
  Answers<Answer> answers_;
};

}  // namespace failsim::node
