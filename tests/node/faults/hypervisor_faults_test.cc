// What the faults of a link mean to the connections of migrations.
#include "node/faults/hypervisor_faults.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

class HypervisorFaultsTest : public testing::Test {
 protected:
  HypervisorFaultsTest() { switchboard.set_place(1, {1, 2, 3}); }

  void inject(const std::string& line) {
    const Result<fault::Order> order = fault::parse_order(line);
    ASSERT_TRUE(order);
    ASSERT_TRUE(switchboard.inject(++last_id, order.value(), "the test"));
  }
  // How long from now until so many bytes may go.
  static Duration wait_of(DataFaults& connection, std::size_t bytes) {
    std::vector<std::byte> content(bytes);
    iovec piece{content.data(), content.size()};
    const Time go_at = connection.admit(&piece, 1);
    return go_at - boottime_now();
  }

  static constexpr std::size_t kMebibyte = 1024 * 1024;
  Switchboard switchboard{true_boottime_now, 7};
  std::unique_ptr<HypervisorFaults> faults = hypervisor_faults(1, switchboard);
  std::uint64_t last_id = 0;
};

TEST_F(HypervisorFaultsTest, TheRateOfALinkIsThatOfItsConnectionsTogether) {
  inject("link-rate node-1->node-2 rate=64KiB/s");
  const auto one = faults->connection_to(2);
  const auto two = faults->connection_to(2);
  EXPECT_LE(wait_of(*one, kMebibyte), 0) << "the link is free";
  EXPECT_GT(wait_of(*two, kMebibyte), 14 * kSecond) << "behind the 16 s of the first";
  EXPECT_GT(wait_of(*one, kMebibyte), 30 * kSecond);
}

TEST_F(HypervisorFaultsTest, AConnectionThatIsReplacedFreesNothing) {
  inject("link-rate node-1->node-2 rate=64KiB/s");
  wait_of(*faults->connection_to(2), kMebibyte);
  EXPECT_GT(wait_of(*faults->connection_to(2), 1), 14 * kSecond);
}

TEST_F(HypervisorFaultsTest, AnotherLinkHasARateOfItsOwn) {
  inject("link-rate node-1->all rate=64KiB/s");
  wait_of(*faults->connection_to(2), kMebibyte);
  EXPECT_LE(wait_of(*faults->connection_to(3), kMebibyte), 0);
}

TEST_F(HypervisorFaultsTest, ALinkThatIsHealedIsFree) {
  inject("link-rate node-1->node-2 rate=64KiB/s");
  const auto connection = faults->connection_to(2);
  wait_of(*connection, kMebibyte);
  ASSERT_TRUE(switchboard.heal(last_id));
  EXPECT_LE(wait_of(*connection, kMebibyte), 0);
}

}  // namespace
}  // namespace failsim::node
