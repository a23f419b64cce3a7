// A source and the port of its target: what is said when they meet, and what is reported when it
// does not work out.
#include <array>

#include <gtest/gtest.h>

#include "cluster/vm/guest_model.h"
#include "source_world.h"

namespace failsim::node {
namespace {

std::vector<std::uint32_t> kept_counts() {
  return std::vector<std::uint32_t>(pages_of(TestVm().config), 7);
}

TEST(SourceConnections, EachStreamSaysWhichItIsAndWhatItBrings) {
  TargetPort target = TargetPort::that_welcomes();
  SourceParts source(3);
  ASSERT_TRUE(source.connections.connect());
  EXPECT_TRUE(source.told.empty());
  const std::vector<pb::TransferHello> hellos = target.hellos();
  ASSERT_EQ(hellos.size(), 3u);
  for (std::uint32_t stream = 0; stream < 3; ++stream) {
    EXPECT_EQ(hellos[stream].stream(), stream);
    EXPECT_EQ(hellos[stream].streams(), 3u);
    EXPECT_EQ(hellos[stream].vm(), source.order.vm);
    EXPECT_EQ(hellos[stream].job(), source.order.job);
    EXPECT_EQ(hellos[stream].attempt(), source.order.attempt);
    EXPECT_EQ(hellos[stream].boot_id(), source.order.boot_id);
    EXPECT_EQ(hellos[stream].memory_bytes(), source.order.config.memory_bytes());
    EXPECT_FALSE(hellos[stream].pages_follow());
  }
}

TEST(SourceConnections, TheFirstWelcomeTellsWhatTheTargetHasKept) {
  const std::vector<std::uint32_t> counts = kept_counts();
  TargetPort target([&](const pb::TransferHello& hello) {
    return welcome_frame(hello.stream() == 0 ? counts : std::vector<std::uint32_t>());
  });
  SourceParts source(2);
  ASSERT_TRUE(source.connections.connect());
  EXPECT_EQ(source.connections.take_kept_counts(), counts);
  EXPECT_TRUE(source.connections.take_kept_counts().empty()) << "told once";
}

TEST(SourceConnections, KeptCountsOfAnotherSizeAreNoWelcome) {
  TargetPort target([&](const pb::TransferHello&) { return welcome_frame({1, 2, 3}); });
  SourceParts source;
  EXPECT_FALSE(source.connections.connect());
  EXPECT_NE(source.failure().find("no frame of ours"), std::string::npos) << source.failure();
}

TEST(SourceConnections, AWelcomeThatIsNotAsItWasSentFailsTheTransfer) {
  TargetPort target([&](const pb::TransferHello&) {
    std::vector<std::byte> frame = welcome_frame(kept_counts());
    frame.back() ^= std::byte{1};
    return frame;
  });
  SourceParts source;
  EXPECT_FALSE(source.connections.connect());
  EXPECT_NE(source.failure().find("or corrupted"), std::string::npos) << source.failure();
}

TEST(SourceConnections, ARefusalIsReportedInTheWordsOfTheTarget) {
  TargetPort target = TargetPort::that_welcomes();
  SourceParts source(2);
  ASSERT_TRUE(source.connections.connect());
  target.say_and_close(message_frame(FrameType::kRefusal, "node2 has no use for it."));
  EXPECT_FALSE(source.connections.await_close());
  EXPECT_EQ(source.failure(), "node2 has no use for it.");
}

TEST(SourceConnections, ATargetThatClosesAfterTheReleaseHasReadIt) {
  TargetPort target = TargetPort::that_welcomes();
  SourceParts source;
  ASSERT_TRUE(source.connections.connect());
  target.say_and_close({});
  EXPECT_TRUE(source.connections.await_close());
  EXPECT_TRUE(source.told.empty());
}

TEST(SourceConnections, ATargetThatClosesWhileItIsWaitedForFailsTheTransfer) {
  TargetPort target = TargetPort::that_welcomes();
  SourceParts source;
  ASSERT_TRUE(source.connections.connect());
  target.say_and_close({});
  while (source.told.empty()) {
    if (!source.connections.wait(kNever, "waiting for the guest to pause")) break;
  }
  EXPECT_EQ(source.failure().find("waiting for the guest to pause for VM 'web' from node1 to node2 "
                                  "failed: "),
            0u)
      << source.failure();
}

TEST(SourceConnections, ATargetThatListensToNobodyIsNamed) {
  SourceParts source;
  EXPECT_FALSE(source.connections.connect());
  EXPECT_EQ(source.failure().find("connecting to the data port of node2 failed: "), 0u)
      << source.failure();
}

TEST(SourceConnections, ATargetThatDoesNotExpectTheTransferSaysSo) {
  TargetPort target([](const pb::TransferHello&) { return std::vector<std::byte>(); });
  SourceParts source;
  EXPECT_FALSE(source.connections.connect());
  EXPECT_NE(source.failure().find("nobody expects VM '" + source.order.vm + "'"), std::string::npos)
      << source.told.back().error;
}

TEST(SourceConnections, ATransferThatWasDroppedReportsNoFailure) {
  TargetPort target([](const pb::TransferHello&) { return std::vector<std::byte>(); });
  SourceParts source;
  source.signals->drop();
  EXPECT_FALSE(source.connections.connect());
  EXPECT_TRUE(source.told.empty());
}

TEST(SourceConnections, AWaitBeforeTheFirstConnectionIsEndedByAWakeUp) {
  SourceParts source;
  source.signals->of(0).wake();
  EXPECT_TRUE(source.connections.wait(kNever, "waiting for the guest to pause"));
}

TEST(SourceConnections, PagesFollowOverAConnectionThatSaysSo) {
  TargetPort target = TargetPort::that_welcomes();
  SourceParts source;
  ASSERT_TRUE(source.connections.connect());
  const std::unique_ptr<Channel> again = source.connections.connect_for_pages();
  ASSERT_NE(again, nullptr);
  std::array<std::byte, kFrameHeaderBytes> welcome;  // which proves that the hello was heard
  ASSERT_EQ(again->receive(welcome.data(), welcome.size(), 60 * kSecond), Io::kDone);
  EXPECT_TRUE(target.hellos().back().pages_follow());
}

TEST(SourceConnections, WithoutATargetThereIsNoConnectionForPagesAndNoReport) {
  SourceParts source;
  EXPECT_EQ(source.connections.connect_for_pages(), nullptr);
  EXPECT_TRUE(source.told.empty());
}

}  // namespace
}  // namespace failsim::node
