// Client and server of the shared volume, over loopback.
#include "node/volume/volume_client.h"

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/volume/volume_frame.h"
#include "node/volume/volume_server.h"
#include "cluster/little_endian.h"
#include "storage/posix_file.h"
#include "storage/volume_memory.h"
#include "tests/storage/volume_requests.h"

namespace failsim::node {
namespace {

constexpr const char* kAddress = "127.0.0.1";
constexpr Epoch kEpoch{0, 5};

// A volume whose process can be ended and started again on the same port.
class VolumeProcess {
 public:
  VolumeProcess() { start(0); }
  ~VolumeProcess() {
    if (server_) stop();
  }

  void start(std::uint16_t port) {
    volume_ = Volume::open(disk_).take();
    auto opened = VolumeServer::open(*volume_, kAddress, port);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    server_ = opened.take();
    port_ = server_->port();
    thread_ = std::thread([this] { failure_ = server_->run(); });
  }
  void stop() {
    server_->stop();
    thread_.join();
    server_.reset();
  }
  // Waits until the server has ended by itself.
  std::optional<Error> wait_for_end() {
    thread_.join();
    server_.reset();
    return failure_;
  }

  std::uint16_t port() const { return port_; }
  VolumeMemory& disk() { return disk_; }
  Volume& volume() { return *volume_; }  // only while the server is stopped

 private:
  VolumeMemory disk_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<VolumeServer> server_;
  std::uint16_t port_ = 0;
  std::optional<Error> failure_;
  std::thread thread_;
};

std::future<pb::VolumeReply> ask(VolumeClient& client, pb::VolumeRequest request) {
  auto promise = std::make_shared<std::promise<pb::VolumeReply>>();
  std::future<pb::VolumeReply> future = promise->get_future();
  client.submit(std::move(request),
                [promise](const pb::VolumeReply& reply) { promise->set_value(reply); });
  return future;
}

TEST(VolumeClient, IsAnsweredInTheOrderOfItsRequests) {
  VolumeProcess process;
  VolumeClient client(kAddress, process.port());
  std::vector<std::uint64_t> answered;  // by the client's thread only, until stop()
  std::vector<std::uint64_t> asked;
  const auto note = [&](const pb::VolumeReply& reply) {
    EXPECT_EQ(code_of(reply), Code::kOk) << reply.message();
    answered.push_back(reply.token());
  };
  asked.push_back(client.submit(register_request("web", kEpoch), note));
  for (std::uint64_t counter = 1; counter <= 1000; ++counter) {
    asked.push_back(client.submit(append_request("web", kEpoch, counter), note));
  }
  EXPECT_EQ(ask(client, append_request("web", kEpoch, 1001)).get().last_counter(), 1001u);
  client.stop();
  EXPECT_EQ(answered, asked);
}

TEST(VolumeClient, SavesAndReadsAStateInPieces) {
  VolumeProcess process;
  VolumeClient client(kAddress, process.port());
  ask(client, register_request("web", kEpoch)).get();
  std::string state(2'500'000, '\0');
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = static_cast<char>(i * 7 >> 3);
  for (std::size_t at = 0; at < state.size(); at += kVolumePieceBytesMax) {
    const std::string piece = state.substr(at, kVolumePieceBytesMax);
    const bool last = at + piece.size() == state.size();
    ASSERT_EQ(code_of(ask(client, write_request("web", kEpoch, at, piece, last)).get()), Code::kOk);
  }
  std::string back;
  while (back.size() < state.size()) {
    const auto reply = ask(client, read_request("web", kEpoch, back.size(), 1 << 20)).get();
    ASSERT_EQ(code_of(reply), Code::kOk);
    ASSERT_EQ(reply.state_size(), state.size());
    back += reply.data();
  }
  EXPECT_TRUE(back == state);
}

TEST(VolumeClient, WaitsForAVolumeThatComesLater) {
  VolumeProcess process;
  process.stop();
  VolumeClient client(kAddress, process.port());
  auto registered = ask(client, register_request("web", kEpoch));
  process.start(process.port());
  EXPECT_EQ(code_of(registered.get()), Code::kOk);
}

TEST(VolumeClient, GoesOnWhenTheVolumeIsStartedAgain) {
  VolumeProcess process;
  VolumeClient client(kAddress, process.port());
  ask(client, register_request("web", kEpoch)).get();
  std::uint64_t counter = 0;
  for (int restart = 0; restart < 10; ++restart) {
    std::vector<std::future<pb::VolumeReply>> answers;
    for (int i = 0; i < 50; ++i) {
      answers.push_back(ask(client, append_request("web", kEpoch, ++counter)));
    }
    // Some are answered, some are performed and not answered, some are on their way.
    answers[static_cast<std::size_t>(restart)].get();
    process.stop();
    process.start(process.port());
    for (auto& answer : answers) {
      if (answer.valid()) {
        EXPECT_EQ(code_of(answer.get()), Code::kOk);
      }
    }
  }
  client.stop();
  process.stop();
  const auto journal = process.volume().journal("web").value();
  EXPECT_EQ(journal.size(), counter + 1);
  EXPECT_FALSE(check_journal(journal));
}

TEST(VolumeClient, AnswersEverythingWhenItIsStopped) {
  VolumeProcess process;
  process.stop();
  VolumeClient client(kAddress, process.port());
  std::vector<std::future<pb::VolumeReply>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(ask(client, register_request("web", kEpoch)));
  client.stop();
  for (auto& answer : answers) EXPECT_EQ(code_of(answer.get()), Code::kOperationAborted);
  EXPECT_EQ(client.submit(register_request("web", kEpoch), [](const pb::VolumeReply&) {}), 0u);
}

TEST(VolumeClient, RefusesMoreThanItsQueueHolds) {
  VolumeProcess process;
  process.stop();
  VolumeClient client(kAddress, process.port());
  std::vector<std::future<pb::VolumeReply>> answers;
  for (std::size_t i = 0; i < kVolumeUnansweredMax + 1; ++i) {
    answers.push_back(ask(client, register_request("web", kEpoch)));
  }
  process.start(process.port());
  for (std::size_t i = 0; i < kVolumeUnansweredMax; ++i) {
    ASSERT_EQ(code_of(answers[i].get()), Code::kOk) << i;
  }
  EXPECT_EQ(code_of(answers.back().get()), Code::kClusterBusy);
}

TEST(VolumeClient, CanBeAskedFromItsCallbacks) {
  VolumeProcess process;
  VolumeClient client(kAddress, process.port());
  std::promise<void> done;
  std::function<void(const pb::VolumeReply&)> next = [&](const pb::VolumeReply& reply) {
    if (reply.last_counter() == 100) return done.set_value();
    client.submit(append_request("web", kEpoch, reply.last_counter() + 1), next);
  };
  client.submit(register_request("web", kEpoch), next);
  done.get_future().get();
}

TEST(VolumeClient, RefusesAnAddressThatIsNone) {
  EXPECT_THROW(VolumeClient("localhost.", 1), std::system_error);
}

// A server that takes a request and goes away without an answer.
TEST(VolumeClient, DoesNotRaiseTheRecoveryEpochTwice) {
  const FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);

  VolumeClient client(kAddress, ntohs(address.sin_port));
  auto raised = ask(client, raise_request(0, 1));
  auto registered = ask(client, register_request("web", kEpoch));
  {
    const FileDescriptor connection(::accept(listener.get(), nullptr, nullptr));
    char byte = 0;
    ASSERT_EQ(::recv(connection.get(), &byte, 1, 0), 1);
  }
  EXPECT_EQ(code_of(raised.get()), Code::kConnectionRefused);

  const FileDescriptor connection(::accept(listener.get(), nullptr, nullptr));
  VolumeFrames frames;
  std::optional<std::string_view> frame;
  char bytes[1000];
  while (!(frame = frames.next())) {
    const ssize_t n = ::recv(connection.get(), bytes, sizeof bytes, 0);
    ASSERT_GT(n, 0);
    frames.feed({bytes, static_cast<std::size_t>(n)});
  }
  pb::VolumeRequest request;
  ASSERT_TRUE(request.ParseFromArray(frame->data(), static_cast<int>(frame->size())));
  EXPECT_TRUE(request.has_register_());
  client.stop();
  EXPECT_EQ(code_of(registered.get()), Code::kOperationAborted);
}

TEST(VolumeServer, ServesManyClientsAtOnce) {
  VolumeProcess process;
  std::vector<std::thread> guests;
  std::atomic<int> wrong{0};
  for (int guest = 0; guest < 16; ++guest) {
    guests.emplace_back([&, guest] {
      const std::string vm = "vm-" + std::to_string(guest);
      VolumeClient client(kAddress, process.port());
      ask(client, register_request(vm, kEpoch)).get();
      for (std::uint64_t counter = 1; counter <= 100; ++counter) {
        const auto reply = ask(client, append_request(vm, kEpoch, counter)).get();
        if (code_of(reply) != Code::kOk || reply.last_counter() != counter) ++wrong;
      }
    });
  }
  for (std::thread& guest : guests) guest.join();
  EXPECT_EQ(wrong, 0);
}

TEST(VolumeServer, ClosesAConnectionThatSendsNonsenseAndServesTheOthers) {
  VolumeProcess process;
  std::string oversized;
  append_u32(oversized, 3'000'000);
  std::string unreadable;
  append_u32(unreadable, 4);
  unreadable += "\xff\xff\xff\xff";
  for (const std::string& nonsense : {oversized, unreadable}) {
    const FileDescriptor stranger(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(process.port());
    ASSERT_EQ(::connect(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::send(stranger.get(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(nonsense.size()));
    char byte = 0;
    EXPECT_LE(::recv(stranger.get(), &byte, 1, 0), 0);
  }
  VolumeClient client(kAddress, process.port());
  EXPECT_EQ(code_of(ask(client, register_request("web", kEpoch)).get()), Code::kOk);
}

TEST(VolumeServer, EndsWhenTheDiskFailsAndSaysSoToItsClients) {
  VolumeProcess process;
  VolumeClient client(kAddress, process.port());
  ask(client, register_request("web", kEpoch)).get();
  process.stop();
  process.disk().power_off_after(1);
  process.start(process.port());
  EXPECT_EQ(code_of(ask(client, append_request("web", kEpoch, 1)).get()), Code::kWriteFault);
  const auto failure = process.wait_for_end();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, Code::kWriteFault);
}

TEST(VolumeServer, NamesAPortInUse) {
  VolumeProcess process;
  VolumeMemory disk;
  const auto volume = Volume::open(disk).take();
  const auto second = VolumeServer::open(*volume, kAddress, process.port());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  EXPECT_NE(second.error().message.find(std::to_string(process.port())), std::string::npos);
  EXPECT_FALSE(VolumeServer::open(*volume, "300.1.1.1", 1).ok());
  EXPECT_FALSE(VolumeServer::open(*volume, "0.0.0.0", 0).ok());
}

TEST(VolumeFrames, ComeBackHoweverTheStreamIsCut) {
  std::string stream;
  for (std::uint64_t counter = 1; counter <= 5; ++counter) {
    stream += encode_volume_frame(append_request("web", kEpoch, counter));
  }
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    VolumeFrames frames;
    std::uint64_t counter = 0;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      frames.feed(std::string_view(stream).substr(at, piece));
      while (const auto frame = frames.next()) {
        pb::VolumeRequest request;
        ASSERT_TRUE(request.ParseFromArray(frame->data(), static_cast<int>(frame->size())));
        ASSERT_EQ(request.append().counter(), ++counter);
      }
    }
    ASSERT_EQ(counter, 5u);
  }
}

}  // namespace
}  // namespace failsim::node
