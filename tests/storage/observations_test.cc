#include "storage/observations.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace failsim {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 20;

pb::Observation stopped(const std::string& vm) {
  pb::Observation observation;
  observation.mutable_guest_stops()->set_vm(vm);
  return observation;
}

class Observations : public testing::Test {
 protected:
  std::unique_ptr<ObservationLog> open(std::uint64_t limit_bytes) {
    auto created = ObservationLog::create(path_, limit_bytes, 2, 77);
    EXPECT_TRUE(created.ok()) << created.error().message;
    return created.take();
  }
  std::vector<pb::Observation> read() const {
    auto read = read_observations(path_);
    EXPECT_TRUE(read.ok()) << read.error().message;
    return read.ok() ? read.take() : std::vector<pb::Observation>();
  }
  void append(const std::string& bytes) const {
    std::ofstream(path_, std::ios::app | std::ios::binary) << bytes;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/" + observations_name(3);
};

TEST_F(Observations, AreReadAsTheyWereNotedWithTheirAuthorFirst) {
  open(kPlenty)->note(stopped("web"));
  const std::vector<pb::Observation> found = read();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].began().node(), 2u);
  EXPECT_EQ(found[0].began().incarnation(), 77u);
  EXPECT_EQ(found[1].guest_stops().vm(), "web");
  EXPECT_GE(found[1].at_ns(), found[0].at_ns());
}

TEST_F(Observations, OfManyThreadsAreWholeAndInTheOrderOfTheClock) {
  {
    const auto log = open(kPlenty);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 200; ++n) log->note(stopped("web"));
      });
    }
  }
  EXPECT_EQ(read().size(), 801u);  // a time that fell would be damage
}

TEST_F(Observations, StopAtTheirLimitAndSaySo) {
  {
    const auto log = open(1000);
    for (int i = 0; i < 100; ++i) log->note(stopped("web"));
  }
  EXPECT_LE(std::filesystem::file_size(path_), 1000u);
  const std::vector<pb::Observation> found = read();
  ASSERT_FALSE(found.empty());
  EXPECT_NE(found.back().ended().reason().find("1000 bytes"), std::string::npos);
}

TEST_F(Observations, ATornEndIsLeftOut) {
  open(kPlenty)->note(stopped("web"));
  append("\x20");
  EXPECT_EQ(read().size(), 2u);
}

TEST_F(Observations, DamageInTheMiddleIsRefused) {
  open(kPlenty)->note(stopped("web"));
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(40);
  file.put('\x7f');
  file.close();
  const auto found = read_observations(path_);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInvalidData);
}

TEST_F(Observations, AnotherKindOfFileIsRefused) {
  append("something else entirely");
  const auto found = read_observations(path_);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInvalidData);
}

TEST_F(Observations, AFileThatIsThereIsNotWrittenOver) {
  open(kPlenty);
  EXPECT_FALSE(ObservationLog::create(path_, kPlenty, 2, 78).ok());
}

}  // namespace
}  // namespace failsim
