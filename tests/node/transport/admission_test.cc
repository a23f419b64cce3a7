#include "node/transport/admission.h"

#include <string>

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

pb::Bootstrap three_nodes() {
  pb::Bootstrap bootstrap;
  bootstrap.set_cluster_id(42);
  for (NodeId id = 1; id <= 3; ++id) bootstrap.add_nodes()->set_id(id);
  return bootstrap;
}

pb::PeerMessage report_from(NodeId from) {
  pb::PeerMessage message;
  message.set_version(kWireVersion);
  message.set_cluster_id(42);
  message.set_recovery_epoch(5);
  message.set_from(from);
  message.set_to(1);
  message.mutable_report();
  return message;
}

class AdmissionTest : public testing::Test {
 protected:
  bool admits(const pb::PeerMessage& message, Channel channel = Channel::kLink) {
    return admission_.admit(message.SerializeAsString(), channel).has_value();
  }
  const TransportCounters& counters() const { return admission_.counters(); }

  std::uint64_t epoch_ = 5;
  Admission admission_{1, three_nodes(), [this] { return epoch_; }};
};

TEST_F(AdmissionTest, AMemberOfThisClusterMaySpeak) {
  EXPECT_TRUE(admits(report_from(2)));
  EXPECT_EQ(counters().frames_received, 1u);
}

TEST_F(AdmissionTest, AnotherClusterIsCountedAndDropped) {
  pb::PeerMessage message = report_from(2);
  message.set_cluster_id(43);
  EXPECT_FALSE(admits(message));
  EXPECT_EQ(counters().dropped_foreign_cluster, 1u);
}

TEST_F(AdmissionTest, AnotherVersionIsCountedAndDropped) {
  pb::PeerMessage message = report_from(2);
  message.set_version(2);
  EXPECT_FALSE(admits(message));
  EXPECT_EQ(counters().dropped_wrong_version, 1u);
}

TEST_F(AdmissionTest, OnlyAnOlderRecoveryEpochIsDropped) {
  epoch_ = 6;
  EXPECT_FALSE(admits(report_from(2)));
  EXPECT_EQ(counters().dropped_old_epoch, 1u);
  epoch_ = 4;
  EXPECT_TRUE(admits(report_from(2)));
}

TEST_F(AdmissionTest, StrangersAndLettersForOthersAreDropped) {
  EXPECT_FALSE(admits(report_from(4)));
  EXPECT_FALSE(admits(report_from(1)));
  pb::PeerMessage for_another = report_from(2);
  for_another.set_to(3);
  EXPECT_FALSE(admits(for_another));
  EXPECT_EQ(counters().dropped_misaddressed, 3u);
}

TEST_F(AdmissionTest, HeartbeatsTravelAsDatagramsAndNothingElseDoes) {
  pb::PeerMessage beat = report_from(2);
  beat.mutable_heartbeat();
  EXPECT_TRUE(admits(beat, Channel::kDatagram));
  EXPECT_EQ(counters().heartbeats_received, 1u);
  EXPECT_FALSE(admits(beat, Channel::kLink));
  EXPECT_FALSE(admits(report_from(2), Channel::kDatagram));
  EXPECT_EQ(counters().dropped_misaddressed, 2u);
}

TEST_F(AdmissionTest, NoiseIsCountedByItsKind) {
  EXPECT_FALSE(admission_.admit("\xff\xff", Channel::kLink));
  EXPECT_FALSE(admission_.admit_datagram("short"));
  EXPECT_EQ(counters().dropped_corrupt, 2u);
  std::string other_version = encode_frame("");
  other_version[4] = 9;
  EXPECT_FALSE(admission_.admit_datagram(other_version));
  EXPECT_EQ(counters().dropped_wrong_version, 1u);
}

}  // namespace
}  // namespace failsim::node
