// A replica whose state is not the leader's must not go on as if it were.

#include <gtest/gtest.h>

#include "cluster/property/property_table.h"
#include "tests/cluster/member/member_cluster.h"

namespace failsim {
namespace {

void write_often(MemberCluster& cluster, int times) {
  for (int i = 0; i < times; ++i) {
    cluster.set("cluster", "", "Description", Value::sz("value " + std::to_string(i)));
  }
}

NodeId follower_of(MemberCluster& cluster) {
  return cluster.leader() == 1 ? 2 : 1;
}

TEST(StateAudit, ReplicasThatAgreeGoOn) {
  MemberCluster cluster(3);
  write_often(cluster, 100);
  for (const NodeId id : {1u, 2u, 3u}) EXPECT_FALSE(cluster.member(id).is_failed());
}

TEST(StateAudit, AReplicaThatDiffersStopsAndSaysAtWhichEntry) {
  MemberCluster cluster(3);
  cluster.set("node", "node-1", "Description", Value::sz("first room"));
  const NodeId odd = follower_of(cluster);
  cluster.kill(odd);
  for (RowChange& row : cluster.disk(odd).rows) {
    if (row.key.starts_with("property/node")) row.value = encode_value(Value::sz("flipped")).take();
  }
  cluster.restart(odd);
  cluster.run_for(kSecond);
  EXPECT_FALSE(cluster.member(odd).is_failed());
  write_often(cluster, 100);
  EXPECT_TRUE(cluster.member(odd).is_failed());
  // The others have a quorum without it.
  EXPECT_TRUE(cluster.set("cluster", "", "Description", Value::sz("after")).has_value());
}

}  // namespace
}  // namespace failsim
