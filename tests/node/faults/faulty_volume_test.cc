// A guest's way to the shared volume, with faults on it.
#include "node/faults/faulty_volume.h"

#include <condition_variable>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "node/hypervisor/hypervisor.h"
#include "tests/node/hypervisor/world.h"

namespace failsim::node {
namespace {

class FaultyVolumeTest : public testing::Test {
 protected:
  FaultyVolumeTest() : faults(true_boottime_now, 1) {
    faults.set_place(1, {1});
    port = faulty_volume(volume.port(), 1, faults);
  }
  ~FaultyVolumeTest() override { port->stop(); }

  void inject(const std::string& line) {
    ASSERT_TRUE(faults.inject(++last_id, fault::parse_order(line).value(), "the test"));
  }
  void heal() { ASSERT_TRUE(faults.heal(last_id)); }

  pb::VolumeRequest request() const {
    pb::VolumeRequest request;
    request.set_vm("web");
    request.mutable_epoch()->set_counter(1);
    return request;
  }
  void register_owner() {
    pb::VolumeRequest asked = request();
    asked.mutable_register_();
    submit(std::move(asked));
  }
  void append(std::uint64_t counter) {
    pb::VolumeRequest asked = request();
    asked.mutable_append()->set_counter(counter);
    submit(std::move(asked));
  }
  void submit(pb::VolumeRequest asked) {
    port->submit(std::move(asked), [this](const pb::VolumeReply& reply) {
      const std::lock_guard lock(mutex);
      replies.push_back(reply);
      changed.notify_one();
    });
  }
  std::vector<pb::VolumeReply> await(std::size_t count) {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(
        changed.wait_for(lock, std::chrono::seconds(20), [&] { return replies.size() >= count; }));
    return replies;
  }
  std::size_t answered() {
    const std::lock_guard lock(mutex);
    return replies.size();
  }

  VolumeInMemory volume;
  Switchboard faults;
  std::shared_ptr<VolumePort> port;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<pb::VolumeReply> replies;
  std::uint64_t last_id = 0;
};

TEST_F(FaultyVolumeTest, RequestsWaitBehindACutAndKeepTheirOrder) {
  register_owner();
  await(1);
  inject("link-cut node-1->volume");
  for (std::uint64_t counter = 1; counter <= 5; ++counter) append(counter);
  EXPECT_EQ(volume.journal("web").size(), 1u) << "the registration alone";
  heal();
  const auto replies_now = await(6);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(replies_now[i].last_counter(), i);
}

TEST_F(FaultyVolumeTest, AnAnswerThatIsHeldWasPerformedAllTheSame) {
  register_owner();
  await(1);
  inject("link-hold volume->node-1");
  append(1);
  const Time give_up = true_boottime_now() + 20 * kSecond;
  while (volume.journal("web").size() < 2 && true_boottime_now() < give_up) {
  }
  EXPECT_EQ(volume.journal("web").size(), 2u);
  EXPECT_EQ(answered(), 1u);
  heal();
  await(2);
}

TEST_F(FaultyVolumeTest, AVolumeThatRefusesWritesStillReads) {
  register_owner();
  await(1);
  inject("volume-fail");
  append(1);
  EXPECT_EQ(await(2).back().code(), static_cast<std::uint32_t>(Code::kWriteFault));
  pb::VolumeRequest asked = request();
  asked.mutable_read_state()->set_length(10);
  submit(std::move(asked));
  EXPECT_NE(await(3).back().code(), static_cast<std::uint32_t>(Code::kWriteFault));
  heal();
  append(1);
  EXPECT_EQ(await(4).back().code(), 0u);
}

TEST_F(FaultyVolumeTest, ANodeThatStopsAnswersWhatIsHeld) {
  register_owner();
  await(1);
  inject("link-hold node-1->volume");
  append(1);
  port->stop();
  EXPECT_EQ(await(2).back().code(), static_cast<std::uint32_t>(Code::kOperationAborted));
}

}  // namespace
}  // namespace failsim::node
