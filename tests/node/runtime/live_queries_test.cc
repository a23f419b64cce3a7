// Who is asked what a guest is doing, and what is answered: node 1 of two, which knows of no VM.
#include "node/runtime/live_queries.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/wire/frame.h"

namespace failsim::node {
namespace {

class LiveQueriesTest : public testing::Test {
 protected:
  static MemberConfig member_config() {
    MemberConfig config;
    config.self = 1;
    config.incarnation = 5;
    config.bootstrap.set_cluster_id(7);
    for (NodeId id = 1; id <= 2; ++id) config.bootstrap.add_nodes()->set_id(id);
    return config;
  }
  LiveQueries::Config config() {
    LiveQueries::Config config;
    config.cluster_id = 7;
    config.own_guest = [](const std::string& vm, NodeId) {
      pb::PeerMessage::LiveReply reply;
      reply.set_has_guest(vm == "web");
      return reply;
    };
    config.send = [this](const pb::PeerMessage& message) { sent.push_back(message); };
    config.call_after = [](Duration, std::function<void()>) {};
    return config;
  }
  static pb::PeerMessage query_of_node_2() {
    pb::PeerMessage message;
    message.set_version(kWireVersion);
    message.set_from(2);
    message.set_to(1);
    message.mutable_live_query()->set_token(40);
    message.mutable_live_query()->set_vm("web");
    return message;
  }

  const Member member{member_config(), Recovered(), 0};
  std::vector<pb::PeerMessage> sent;
  LiveQueries queries{member, config()};
};

TEST_F(LiveQueriesTest, AVmWithoutAnOwnerIsAnsweredAtOnceAndNobodyIsAsked) {
  int answers = 0;
  queries.ask("web", kNoNode, 0, [&answers](LiveQueries::Answer answer) {
    ++answers;
    EXPECT_FALSE(answer.has_value());
  });
  EXPECT_EQ(answers, 1);
  EXPECT_TRUE(sent.empty());
}

TEST_F(LiveQueriesTest, AQueryOfAnotherNodeIsAnsweredUnderItsToken) {
  EXPECT_TRUE(queries.handle(query_of_node_2()));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent.front().to(), 2u);
  EXPECT_EQ(sent.front().from(), 1u);
  EXPECT_EQ(sent.front().incarnation(), 5u);
  EXPECT_EQ(sent.front().cluster_id(), 7u);
  EXPECT_EQ(sent.front().live_reply().token(), 40u);
  EXPECT_TRUE(sent.front().live_reply().has_guest());
}

TEST_F(LiveQueriesTest, AnythingElseAndAnotherVersionIsLeftToTheMember) {
  pb::PeerMessage other = query_of_node_2();
  other.set_version(kWireVersion + 1);
  EXPECT_FALSE(queries.handle(other));
  pb::PeerMessage beat;
  beat.set_version(kWireVersion);
  beat.mutable_heartbeat();
  EXPECT_FALSE(queries.handle(beat));
  EXPECT_TRUE(sent.empty());
}

}  // namespace
}  // namespace failsim::node
