// Faults of packets begin, overlap and end, whoever treats the packets.
#include "tools/failsim/packet_faults.h"

#include <gtest/gtest.h>

#include "tools/failsim/errors.h"
#include "tools/failsim/process_faults.h"

namespace failsim::cli {
namespace {

class PacketFaultsTest : public testing::Test {
 protected:
  PacketFaultsTest()
      : packets_(3, {},
                 [this](PacketTreatments wanted) -> std::optional<Error> {
                   if (is_refused_) return Error{Code::kInvalidState, "Not now.", ""};
                   treated_ = std::move(wanted);
                   return std::nullopt;
                 }),
        faults_(outside()) {}

  ProcessFaults::Outside outside() {
    ProcessFaults::Outside outside;
    outside.process = [this](const std::string& child) -> std::optional<pid_t> {
      if (child == gone_) return std::nullopt;
      return 1;
    };
    outside.note = [this](const json::object& note) { notes_ += text_in(note, "what") + " "; };
    outside.now = [this] { return now_; };
    outside.packets = &packets_;
    return outside;
  }
  std::uint64_t inject(const std::string& order) {
    const std::uint64_t id = faults_.next_id();
    faults_.inject(id, order, "the test");
    return id;
  }
  bool is_cut(NodeId from, NodeId to) const {
    const auto found = treated_.find({from, to, PacketClass::kControl});
    return found != treated_.end() && found->second.is_cut;
  }

  PacketTreatments treated_;
  bool is_refused_ = false;
  std::string gone_;
  std::string notes_;
  ProcessFaults::Clock::time_point now_;
  PacketFaults packets_;
  ProcessFaults faults_;
};

TEST_F(PacketFaultsTest, EndWithTheirLease) {
  inject("link-cut node-1->node-2 for=5s");
  EXPECT_TRUE(is_cut(1, 2));
  EXPECT_FALSE(is_cut(2, 1));
  EXPECT_EQ(text_in(faults_.list().at(0).as_object(), "node"), "launcher");
  now_ += std::chrono::seconds(5);
  faults_.end_due();
  EXPECT_TRUE(treated_.empty());
  EXPECT_EQ(notes_, "injected expired ");
}

TEST_F(PacketFaultsTest, TakeBackOnlyWhatTheyHaveDone) {
  const std::uint64_t link = inject("link-cut node-1->node-2");
  const std::uint64_t node = inject("isolate node-1");
  EXPECT_EQ(faults_.heal(node).size(), 1u);
  EXPECT_TRUE(is_cut(1, 2));
  EXPECT_FALSE(is_cut(1, 3));
  faults_.heal(link);
  EXPECT_TRUE(treated_.empty());
}

TEST_F(PacketFaultsTest, AreRenewedByTheOrderOfTheSameNumber) {
  const std::uint64_t id = inject("link-loss node-1->node-2 share=5% for=3s");
  now_ += std::chrono::seconds(2);
  faults_.inject(id, "link-loss node-1->node-2 share=5% for=3s", "the test");
  now_ += std::chrono::seconds(2);
  faults_.end_due();
  EXPECT_EQ((treated_[{1, 2, PacketClass::kData}].losses), std::vector<std::int64_t>{50});
}

TEST_F(PacketFaultsTest, OneThatTheKernelRefusesIsNotInForce) {
  is_refused_ = true;
  EXPECT_THROW(inject("link-cut node-1->node-2"), Failure);
  EXPECT_TRUE(faults_.list().empty());
  EXPECT_EQ(notes_, "");
}

TEST_F(PacketFaultsTest, AnEndThatTheKernelRefusesIsTriedAgain) {
  inject("link-cut node-1->node-2 for=1s");
  is_refused_ = true;
  now_ += std::chrono::seconds(1);
  faults_.end_due();
  EXPECT_TRUE(is_cut(1, 2));
  ASSERT_TRUE(faults_.next_look().has_value());
  is_refused_ = false;
  faults_.end_due();
  EXPECT_TRUE(treated_.empty());
  EXPECT_FALSE(faults_.next_look().has_value());
}

TEST_F(PacketFaultsTest, HitNodesThatRun) {
  gone_ = "node-2";
  EXPECT_THROW(inject("link-cut node-2->node-1"), Failure);
  EXPECT_THROW(inject("isolate node-2"), Failure);
  inject("link-cut volume->node-1");
  EXPECT_FALSE(treated_.empty());
}

TEST_F(PacketFaultsTest, WithoutThemTheProcessesPerformFaultsOfTheNetwork) {
  EXPECT_THROW(inject("link-delay node-1->node-2 min=1ms"), Failure);
  ProcessFaults::Outside without = outside();
  without.packets = nullptr;
  EXPECT_FALSE(ProcessFaults(without).performs_on_packets("link-cut"));
}

}  // namespace
}  // namespace failsim::cli
