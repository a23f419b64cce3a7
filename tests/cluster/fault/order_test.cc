// Orders as they are typed: what they mean, how they are shown, and what is refused.

#include "cluster/fault/order.h"

#include <gtest/gtest.h>

#include "cluster/fault/value.h"

namespace failsim::fault {
namespace {

Order parsed(std::string_view line) {
  Result<Order> order = parse_order(line);
  if (!order.ok()) {
    ADD_FAILURE() << line << ": " << order.error().message;
    return {};
  }
  return order.take();
}

Error refused(std::string_view line) {
  const Result<Order> order = parse_order(line);
  EXPECT_FALSE(order.ok()) << line;
  if (order.ok()) return {};
  EXPECT_EQ(order.error().code, Code::kInvalidParameter) << line;
  EXPECT_FALSE(order.error().next.empty()) << line;
  return order.error();
}

TEST(Orders, SayKindPlaceParametersAndLease) {
  const Order order = parsed("link-delay node-1->node-2 min=20ms max=80ms class=data for=5s");
  EXPECT_EQ(order.kind, find_kind("link-delay"));
  EXPECT_TRUE(order.on.is_link);
  EXPECT_EQ(order.value("min"), 20 * kMillisecond);
  EXPECT_EQ(order.value("max"), 80 * kMillisecond);
  EXPECT_EQ(order.value("class"), 3);
  EXPECT_EQ(order.lease, 5 * kSecond);
  EXPECT_FALSE(order.survivable);
}

TEST(Orders, FillInWhatIsNotSaid) {
  const Order order = parsed("kill minority survivable");
  EXPECT_EQ(order.lease, kDefaultLease);
  EXPECT_TRUE(order.survivable);
  EXPECT_EQ(order.value("evidence"), 0);
  EXPECT_EQ(parsed("volume-stall").on.from.role, Members::Role::kVolume);
  EXPECT_EQ(parsed("volume-stall volume"), parsed("volume-stall"));
}

TEST(Orders, ComeBackFromTheirText) {
  for (const char* line : {
           "kill leader",
           "kill node-2 evidence=silent for=1500ms",
           "freeze owner(web) for=7s",
           "isolate minority class=heartbeat survivable",
           "link-cut node-1->volume",
           "link-loss one<->all share=2.5%",
           "link-rate leader->all rate=64KiB/s class=all",
           "clock-jump all by=-30s",
           "clock-drift node-3 ppm=200 direction=slow",
           "disk-fail node-1 error=ENOSPC after=64MiB",
           "volume-stall stall=2s",
           "guest-fail target(web) step=prepare",
           "guest-dirty web rate=1500B/s",
           "memory-pressure node-2 bytes=1GiB for=86400s",
           "failpoint source.move.after-persist terms=1*kill->20%delay(2s)",
       }) {
    const Order order = parsed(line);
    EXPECT_EQ(order.kind == nullptr ? "" : to_text(order), line);
  }
}

TEST(Orders, KnowTheNearestWord) {
  EXPECT_EQ(refused("kil node-1").next, "Did you mean \"kill\"?");
  EXPECT_EQ(refused("link-delay node-1->node-2 mim=20ms").next, "Did you mean \"min\"?");
  EXPECT_EQ(refused("link-cut node-1->node-2 class=hearbeat").next, "Did you mean \"heartbeat\"?");
  EXPECT_EQ(refused("kill leadr").next, "Did you mean \"leader\"?");
  EXPECT_EQ(refused("kill nod-1").next, "Did you mean \"node-1\"?");
  EXPECT_EQ(refused("failpoint owner.flp terms=kill").next, "Did you mean \"owner.flip\"?");
}

TEST(Orders, ThatMakeNoSenseAreRefused) {
  for (const char* line : {
           "",
           "   ",
           "kill",
           "kill node-1->node-2",
           "kill volume",
           "kill node-65",
           "link-cut node-1",
           "link-cut volume->volume",
           "link-delay node-1->node-2",
           "link-delay node-1->node-2 min=20",
           "link-delay node-1->node-2 min=2h",
           "link-delay node-1->node-2 min=1s min=2s",
           "link-loss node-1->node-2 share=0%",
           "link-loss node-1->node-2 share=101%",
           "link-loss node-1->node-2 share=1.55%",
           "clock-jump node-1 by=--3s",
           "clock-jump node-1 by=10min",
           "clock-drift node-1 ppm=0",
           "kill node-1 for=0",
           "kill node-1 for=25h",
           "kill node-1 for",
           "kill node-1 extra",
           "kill node-1 survivable=maybe",
           "kill node-1 survivable survivable",
           "link-cut one->all survivable",
           "volume-stall node-1",
           "guest-crash owner(web)",
           "guest-crash web->db",
           "failpoint owner.flip",
           "failpoint owner.flip terms=kil",
           "failpoint owner.flip terms=return(EIO)",
           "failpoint a,b terms=kill",
       }) {
    refused(line);
  }
}

TEST(Orders, MayNameAVmThatIsCalledLikeARole) {
  EXPECT_EQ(parsed("guest-crash leader").on.from.names, std::vector<std::string>{"leader"});
}

TEST(Values, AreShownExactly) {
  EXPECT_EQ(exact_duration(0), "0s");
  EXPECT_EQ(exact_duration(1'500'000'001), "1500000001ns");
  EXPECT_EQ(exact_duration(-kSecond), "-1s");
  EXPECT_EQ(exact_size(0), "0B");
  EXPECT_EQ(exact_size(1536), "1536B");
  EXPECT_EQ(exact_per_mille(1000), "100%");
}

}  // namespace
}  // namespace failsim::fault
