#include "node/hypervisor/data_listener.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

constexpr std::size_t kVisitorsMax = 64;
constexpr Duration kHelloLimit = 5 * kSecond;

// Why the connection is closed, in a sentence; it fits into the socket, for nothing else was sent.
void refuse(const Fd& visitor, const std::string& why) {
  const std::vector<std::byte> frame =
      message_frame(FrameType::kRefusal, "a data connection was refused: " + why);
  send(visitor.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void refuse_corrupted(const Fd& visitor) {
  refuse(visitor,
         "its first frame was corrupted on the way, as the checksum of it shows; see that the "
         "network between the nodes is sound");
}

}  // namespace

Result<std::unique_ptr<DataListener>> DataListener::open(const std::string& address,
                                                         std::uint16_t port, Accept accept) {
  Result<Fd> socket = listen_on(address, port);
  if (!socket.ok()) return socket.error();
  return std::unique_ptr<DataListener>(new DataListener(socket.take(), std::move(accept)));
}

DataListener::DataListener(Fd socket, Accept accept)
    : socket_(std::move(socket)), accept_(std::move(accept)), thread_([this] { run(); }) {
  assert(signal_.valid());
}

DataListener::~DataListener() {
  stop();
}

void DataListener::stop() {
  signal_.abort();
  if (thread_.joinable()) thread_.join();
}

void DataListener::run() {
  while (!signal_.aborted()) {
    std::vector<pollfd> waited = {{signal_.fd(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    Time until = kNever;
    for (const Visitor& visitor : visitors_) {
      waited.push_back({visitor.socket.get(), POLLIN, 0});
      until = std::min(until, visitor.until);
    }
    const Duration left = std::max<Duration>(0, until == kNever ? 0 : until - boottime_now());
    const int milliseconds = until == kNever ? -1 : static_cast<int>(left / kMillisecond) + 1;
    poll(waited.data(), waited.size(), milliseconds);
    const Time now = boottime_now();
    visitors_.remove_if(
        [&](Visitor& visitor) { return listen_to(visitor) || visitor.until <= now; });
    if (waited[1].revents != 0) accept_all();
  }
}

void DataListener::accept_all() {
  for (;;) {
    Fd visitor(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!visitor.valid()) return;
    if (visitors_.size() < kVisitorsMax) {
      tune_for_bulk(visitor.get());
      visitors_.push_back({std::move(visitor), boottime_now() + kHelloLimit, {}});
    }
  }
}

bool DataListener::listen_to(Visitor& visitor) {
  for (;;) {
    // Reads exactly the hello: what follows belongs to the transfer.
    std::size_t wanted = kFrameHeaderBytes;
    if (visitor.bytes.size() >= kFrameHeaderBytes) {
      std::array<std::byte, kFrameHeaderBytes> head;
      std::copy_n(visitor.bytes.begin(), kFrameHeaderBytes, head.begin());
      const std::optional<FrameHeader> header = decode_header(head);
      if (!header || header->type != FrameType::kHello || header->bytes > kHelloBytesMax) {
        refuse_corrupted(visitor.socket);
        return true;
      }
      wanted += header->bytes;
      if (visitor.bytes.size() == wanted) {
        hand_on(visitor, header->body_checksum);
        return true;
      }
    }
    const std::size_t had = visitor.bytes.size();
    visitor.bytes.resize(wanted);
    const ssize_t got = read(visitor.socket.get(), visitor.bytes.data() + had, wanted - had);
    visitor.bytes.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return true;
    if (got < 0 && errno != EINTR) return errno != EAGAIN;
  }
}

void DataListener::hand_on(Visitor& visitor, std::uint32_t checksum) {
  const std::span body = std::span(visitor.bytes).subspan(kFrameHeaderBytes);
  pb::TransferHello hello;
  if (fast_crc32c(0, body) != checksum ||
      !hello.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return refuse_corrupted(visitor.socket);
  }
  if (accept_(hello, visitor.socket)) return;
  refuse(visitor.socket, "nobody expects VM '" + hello.vm() + "' from migration job " +
                             std::to_string(hello.job()) + ", attempt " +
                             std::to_string(hello.attempt()) + "; it may have been given up");
}

}  // namespace failsim::node
