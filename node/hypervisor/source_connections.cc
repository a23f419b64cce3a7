#include "node/hypervisor/source_connections.h"

#include <array>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "cluster/vm/guest_model.h"
#include "node/hypervisor/checksum.h"
#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {
namespace {

constexpr int kUnsentBytesMost = 128 * 1024;   // in post-copy
constexpr Duration kReconnectLimit = kSecond;  // of a target that may not answer

Io send_frame(Channel& channel, std::vector<std::byte> frame, Duration silence_limit) {
  iovec piece{frame.data(), frame.size()};
  return channel.send(&piece, 1, silence_limit);
}

Io send_hello(Channel& channel, const pb::TransferHello& hello, Duration silence_limit) {
  return send_frame(channel, message_frame(FrameType::kHello, hello.SerializeAsString()),
                    silence_limit);
}

}  // namespace

SourceConnections::SourceConnections(const TransferOrder& order, const SourceRoute& route,
                                     SourceSignals& signals, SharedLink& link,
                                     SourceReports& reports)
    : order_(order), route_(route), signals_(signals), link_(link), reports_(reports) {}

// ---- the beginning ------------------------------------------------------------------------------

bool SourceConnections::connect() {
  for (std::uint32_t stream = 0; stream < streams(); ++stream) {
    if (!connect(stream)) return false;
  }
  for (std::uint32_t stream = 0; stream < streams(); ++stream) {
    if (!hear_welcome(stream)) return false;
  }
  return true;
}

bool SourceConnections::connect(std::uint32_t stream) {
  Io outcome = Io::kClosed;
  std::string reason;
  Fd socket = open(kSetupSilenceLimit, outcome, reason);
  const std::string doing = "connecting to the data port of " + route_.peer;
  if (outcome == Io::kClosed) {
    return reports_.fail(VMTaskResult::kUnexpectedError, doing + " failed: " + reason);
  }
  if (!check(outcome, doing)) return false;
  streams_.push_back(
      std::make_unique<Stream>(std::move(socket), signals_.of(stream), faults(), link_));
  pb::TransferHello hello = this->hello();
  hello.set_stream(stream);
  return check(send_hello(streams_.back()->channel, hello, kSetupSilenceLimit), stream, doing);
}

// Stream by stream, so that all but this one wait for nothing: one signal will do.
Fd SourceConnections::open(Duration limit, Io& outcome, std::string& reason) {
  return connect_to(route_.local_address, route_.peer_address, route_.port, signals_.of(0), limit,
                    outcome, reason);
}

std::unique_ptr<DataFaults> SourceConnections::faults() const {
  return route_.faults == nullptr ? nullptr : route_.faults->connection_to(route_.peer_id);
}

pb::TransferHello SourceConnections::hello() const {
  pb::TransferHello hello;
  hello.set_version(kDataPathVersion);
  hello.set_cluster_id(route_.cluster_id);
  hello.set_vm(order_.vm);
  hello.set_job(order_.job);
  hello.set_attempt(order_.attempt);
  hello.set_boot_id(order_.boot_id);
  hello.set_memory_bytes(order_.config.memory_bytes());
  hello.set_modelled(order_.config.modelled());
  hello.set_streams(streams());
  return hello;
}

bool SourceConnections::hear_welcome(std::uint32_t stream) {
  Channel& channel = streams_[stream]->channel;
  const std::string asking = "asking " + route_.peer + " to accept the data connection";
  const auto hear = [&](void* to, std::size_t bytes) {
    return check(channel.receive(to, bytes, kSetupSilenceLimit), stream, asking);
  };
  std::array<std::byte, kFrameHeaderBytes> answer;
  if (!hear(answer.data(), answer.size())) return false;
  const std::optional<FrameHeader> header = decode_header(answer);
  if (header && header->type == FrameType::kRefusal && header->bytes <= kRefusalBytesMax) {
    std::vector<std::byte> frame(answer.begin(), answer.end());
    frame.resize(kFrameHeaderBytes + header->bytes);
    if (!hear(frame.data() + kFrameHeaderBytes, header->bytes)) return false;
    const std::string refused = decode_refusal(frame);
    if (!refused.empty()) return reports_.fail(VMTaskResult::kUnexpectedError, refused);
  }
  const std::uint64_t all_counts =
      order_.config.modelled() ? 0 : pages_of(order_.config) * kWriteCountBytes;
  const bool is_welcome = header && header->type == FrameType::kWelcome &&
                          (header->bytes == 0 || (header->bytes == all_counts && stream == 0));
  std::vector<std::byte> counts(is_welcome ? header->bytes : 0);
  if (is_welcome && !hear(counts.data(), counts.size())) return false;
  if (!is_welcome || header->body_checksum != fast_crc32c(0, counts)) {
    return reports_.fail(
        VMTaskResult::kUnexpectedError,
        asking + " was answered by something that is no frame of ours, or corrupted");
  }
  if (!counts.empty()) kept_counts_ = decode_write_counts(counts);
  return true;
}

// ---- while it goes on ---------------------------------------------------------------------------

bool SourceConnections::wait(Time until, const std::string& doing) {
  if (!streams_.empty()) return check(streams_[0]->channel.pause(until), doing);
  signals_.of(0).wait(until);
  return true;
}

bool SourceConnections::send_missing(const std::vector<std::uint64_t>& missing) {
  return check(send_frame(streams_[0]->channel, missing_frame(missing), kStreamSilenceLimit),
               "naming the pages that will follow");
}

bool SourceConnections::end_streams() {
  for (std::uint32_t stream = 1; stream < streams(); ++stream) {
    if (!check(sender(stream).send_header({FrameType::kStreamEnd}), stream, "ending a stream")) {
      return false;
    }
  }
  return true;
}

bool SourceConnections::await_close() {
  while (!signals_.of(0).aborted()) {
    if (streams_[0]->channel.pause(kNever) != Io::kDone) break;
  }
  const std::string refused = refusal(0);
  return refused.empty() || reports_.fail(VMTaskResult::kUnexpectedError, refused);
}

std::unique_ptr<Channel> SourceConnections::connect_for_pages() {
  Io outcome = Io::kClosed;
  std::string reason;
  Fd socket = open(kReconnectLimit, outcome, reason);
  if (outcome != Io::kDone) return nullptr;
  // What the guest waits for stands behind little that the system has not sent yet.
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMost,
             sizeof kUnsentBytesMost);
  auto channel = std::make_unique<Channel>(std::move(socket), signals_.of(0), faults());
  pb::TransferHello hello = this->hello();
  hello.set_pages_follow(true);
  return send_hello(*channel, hello, kReconnectLimit) == Io::kDone ? std::move(channel) : nullptr;
}

// ---- what became of it --------------------------------------------------------------------------

bool SourceConnections::check(Io outcome, std::uint32_t stream, const std::string& doing) {
  const std::string failed = doing + " for VM '" + order_.vm + "' from " + route_.node + " to " +
                             route_.peer + " failed: ";
  switch (outcome) {
    case Io::kDone:
      return true;
    case Io::kAborted:
      return false;
    case Io::kClosed: {
      const std::string refused = refusal(stream);
      return reports_.fail(VMTaskResult::kUnexpectedError,
                           refused.empty() ? failed + streams_[stream]->channel.reason() : refused);
    }
    case Io::kTimedOut:
      return reports_.fail(VMTaskResult::kTimeOutError,
                           failed + route_.peer + " takes nothing any more");
  }
  return false;
}

// What is wrong with a stream is said on the first connection, whichever it is about; what is wrong
// with a connection, on that.
std::string SourceConnections::refusal(std::uint32_t stream) {
  for (const std::uint32_t said_on : {std::uint32_t{0}, stream}) {
    const std::string refused =
        decode_refusal(streams_[said_on]->channel.last_words(kFrameHeaderBytes + kRefusalBytesMax));
    if (!refused.empty()) return refused;
  }
  return "";
}

}  // namespace failsim::node
