#include "source_world.h"

#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace failsim::node {
namespace {

constexpr NodeId kSourceId = 1;
constexpr NodeId kTargetId = 2;
constexpr std::uint16_t kPort = 6611;

TransferOrder order_of(TestVm vm, std::uint32_t streams) {
  vm.parameters.set_streams(streams);
  return vm.transfer(TransferRole::kSource, TransferStage::kStream, kTargetId);
}

SourceRoute route_to_target() {
  SourceRoute route;
  route.cluster_id = 77;
  route.node = "node1";
  route.local_address = TestNode::address(kSourceId);
  route.peer = "node2";
  route.peer_address = TestNode::address(kTargetId);
  route.port = kPort;
  route.peer_id = kTargetId;
  return route;
}

void say(const Fd& socket, const std::vector<std::byte>& bytes) {
  EXPECT_EQ(send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

}  // namespace

SourceParts::SourceParts(std::uint32_t streams, const TestVm& vm)
    : order(order_of(vm, streams)),
      route(route_to_target()),
      signals(std::make_shared<SourceSignals>(streams)),
      reports(order, link, *signals,
              [this](const TransferReport& report) { told.push_back(report); }),
      connections(order, route, *signals, link, reports) {}

std::string SourceParts::failure() const {
  EXPECT_EQ(told.size(), 1u);
  if (told.empty()) return "";
  EXPECT_EQ(told.back().status, pb::TRANSFER_FAILED);
  return told.back().error;
}

TargetPort::TargetPort(Answer answer) {
  auto accept = [connected = connected_.get(), mutex = mutex_.get(), answer = std::move(answer)](
                    const pb::TransferHello& hello, Fd& socket) {
    const std::vector<std::byte> bytes = answer(hello);
    if (bytes.empty()) return false;
    const std::lock_guard lock(*mutex);
    connected->push_back({hello, std::move(socket)});
    say(connected->back().socket, bytes);
    return true;
  };
  auto opened = DataListener::open(TestNode::address(kTargetId), kPort, std::move(accept));
  if (!opened.ok()) ADD_FAILURE() << opened.error().message;
  listener_ = opened.take();
}

TargetPort TargetPort::that_welcomes() {
  return TargetPort([](const pb::TransferHello&) { return welcome_frame({}); });
}

std::vector<pb::TransferHello> TargetPort::hellos() {
  const std::lock_guard lock(*mutex_);
  std::vector<pb::TransferHello> hellos;
  for (const Connected& connected : *connected_) hellos.push_back(connected.hello);
  return hellos;
}

void TargetPort::say_and_close(std::vector<std::byte> last_words) {
  const std::lock_guard lock(*mutex_);
  say(connected_->front().socket, last_words);
  connected_->clear();
}

}  // namespace failsim::node
