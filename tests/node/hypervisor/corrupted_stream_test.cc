// A bit of a migration's stream is flipped on the way, in each part of it.
#include <ostream>

#include <gtest/gtest.h>

#include "node/hypervisor/frames.h"
#include "world.h"

namespace failsim::node {
namespace {

using enum TransferRole;
using enum TransferStage;

struct Place {
  const char* name;
  FrameType type;
  std::size_t piece;       // of the frame, the header first
  bool is_behind = false;  // the seals of its pages, which leave with the next frame
  std::uint32_t streams = 1;
};

std::ostream& operator<<(std::ostream& out, const Place& place) {
  return out << place.name;
}

// Flips one bit of the first frame of a type.
class OneFlip final : public DataFaults {
 public:
  explicit OneFlip(Place place) : place_(place) {}

  bool is_broken() override { return false; }
  bool is_held() override { return false; }
  Time admit(iovec* pieces, std::size_t count) override {
    if (is_next_) flip(pieces[0]);
    is_next_ = false;
    // Seals come before the header.
    for (std::size_t head = 0; head < std::min<std::size_t>(count, 2); ++head) {
      if (is_done_ || type_of(pieces[head]) != place_.type) continue;
      is_done_ = true;
      place_.is_behind ? void(is_next_ = true) : flip(pieces[head + place_.piece]);
    }
    return 0;
  }

 private:
  static FrameType type_of(const iovec& piece) {
    std::array<std::byte, kFrameHeaderBytes> head{};
    if (piece.iov_len < head.size())
      return FrameType::kWelcome;  // none of those that are looked for
    std::copy_n(static_cast<const std::byte*>(piece.iov_base), head.size(), head.begin());
    const auto header = decode_header(head);
    return header ? header->type : FrameType::kWelcome;
  }
  void flip(iovec& piece) {
    const auto* from = static_cast<const std::byte*>(piece.iov_base);
    spoilt_.assign(from, from + piece.iov_len);
    spoilt_.back() ^= std::byte{4};
    piece.iov_base = spoilt_.data();
  }

  const Place place_;
  bool is_done_ = false;
  bool is_next_ = false;
  std::vector<std::byte> spoilt_;
};

class FlippingWorld final : public SoundWorld {
 public:
  explicit FlippingWorld(Place place) : place_(place) {}
  // The last stream is hit.
  std::unique_ptr<DataFaults> connection_to(NodeId) override {
    if (++connections_ < place_.streams) return nullptr;
    return std::make_unique<OneFlip>(place_);
  }

 private:
  const Place place_;
  std::uint32_t connections_ = 0;
};

class CorruptedStream : public testing::TestWithParam<Place> {};

TEST_P(CorruptedStream, EndsTheTransferAndNothingElse) {
  VolumeInMemory volume;
  FlippingWorld world(GetParam());
  TestVm vm;
  vm.parameters.set_streams(GetParam().streams);
  TestNode one(volume, 1, 256 * kMiB, nullptr, &world);
  TestNode two(volume, 2, 256 * kMiB);
  one.lease(kHour);
  start(one, vm);
  begin_stream(one, 1, two, 2, vm);
  one.order(vm.transfer(kSource, kFinish, 2));
  if (GetParam().type == FrameType::kHello) {
    const TransferReport failed = one.await(pb::TRANSFER_FAILED);
    EXPECT_NE(failed.error.find("corrupted on the way"), std::string::npos) << failed.error;
  } else {
    const TransferReport failed = two.await(pb::TRANSFER_FAILED);
    EXPECT_NE(failed.error.find("corrupted on the way"), std::string::npos) << failed.error;
    EXPECT_EQ(one.await(pb::TRANSFER_FAILED).error, failed.error) << "it was told why";
  }
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_HOLDS_ALL));

  // A committed abort.
  one.order(vm.transfer(kSource, kDrop, 2));
  one.order(vm.want(pb::GUEST_RUNNING));
  two.order(vm.transfer(kTarget, kDrop, 1));
  two.await_that([&] { return two.hypervisor().free_memory() == 256 * kMiB; });
  const std::uint64_t counted = one.hypervisor().live(vm.name).counter();
  one.await_that([&] { return one.hypervisor().live(vm.name).counter() > counted; });
}

constexpr Place kPlaces[] = {{"hello", FrameType::kHello, 0},
                             {"header", FrameType::kPages, 0},
                             {"runs", FrameType::kPages, 1},
                             {"page", FrameType::kPages, 2},
                             {"seals", FrameType::kPages, 0, true},
                             {"round", FrameType::kRoundEnd, 0},
                             {"state", FrameType::kDeviceState, 0},
                             {"release", FrameType::kRelease, 0},
                             {"page_of_stream_2", FrameType::kPages, 2, false, 2},
                             {"seals_of_stream_4", FrameType::kPages, 0, true, 4},
                             {"end_of_stream_2", FrameType::kStreamEnd, 0, false, 2}};
INSTANTIATE_TEST_SUITE_P(Places, CorruptedStream, testing::ValuesIn(kPlaces),
                         [](const auto& place) { return std::string(place.param.name); });

// Writes of the guest meet the sender on the same pages all the time.
TEST(BusyGuest, IsNotTakenForACorruptedStream) {
  VolumeInMemory volume;
  TestVm vm;
  vm.config.set_working_set_bytes(kMiB);
  vm.config.set_dirty_bytes_per_second(1024 * kMiB);
  vm.parameters.set_max_rounds(200);
  TestNode one(volume, 1, 256 * kMiB);
  TestNode two(volume, 2, 256 * kMiB);
  one.lease(kHour);
  two.lease(kHour);
  one.order(vm.want(pb::GUEST_RUNNING));
  one.await(pb::CONDITION_RUNNING);
  const TransferReport done = migrate(one, 1, two, 2, vm);
  EXPECT_EQ(done.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH);
}

}  // namespace
}  // namespace failsim::node
