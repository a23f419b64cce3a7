#include "node/hypervisor/target_streams.h"

#include <array>
#include <span>
#include <utility>

#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/presence_map.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kReleaseBytesMax = 4096;
// A write count takes at most five bytes; the rest of a device state is small.
constexpr std::uint64_t kCountBytesMax = 5;
constexpr std::uint64_t kStateBytesMax = 4096;

}  // namespace

TargetStreams::TargetStreams(const TransferOrder& order, Nodes nodes, StreamSignals& signals,
                             GuestMemory& memory, bool is_kept)
    : order_(order),
      nodes_(std::move(nodes)),
      signals_(signals),
      memory_(memory),
      touched_(memory.pages(), is_kept) {}

void TargetStreams::add(Fd socket, std::unique_ptr<DataFaults> faults) {
  const auto stream = static_cast<std::uint32_t>(streams_.size());
  streams_.push_back(std::make_unique<Stream>(std::move(socket), signals_.of(stream),
                                              std::move(faults), memory_, touched_, stream,
                                              signals_.streams()));
}

// Complete only when every stream has come to its end.
bool TargetStreams::receive(std::vector<std::uint32_t> kept_counts, Failure& failure) {
  StreamGroup group(signals_);
  const auto work = [&](std::uint32_t stream) {
    const Io welcomed =
        stream == 0 ? welcome(0, std::exchange(kept_counts, {})) : welcome(stream, {});
    return welcomed == Io::kDone ? receive_stream(stream) : welcomed;
  };
  const StreamGroup::Outcome outcome = group.perform(work, [] {});
  if (outcome.io == Io::kDone) return true;
  const Stream& failed = *streams_[outcome.stream];
  const StreamFault& fault = failed.receiver.fault();
  failure = fault.what.empty() ? of_connection(outcome.io, failed.channel.reason()) : refuse(fault);
  return false;
}

// ---- on the thread of the stream ----------------------------------------------------------------

Io TargetStreams::welcome(std::uint32_t stream, const std::vector<std::uint32_t>& kept_counts) {
  std::vector<std::byte> frame = welcome_frame(kept_counts);
  iovec piece{frame.data(), frame.size()};
  return streams_[stream]->channel.send(&piece, 1, kSetupSilenceLimit);
}

// Anything but kDone: the receiver knows what was wrong, or it was the connection.
Io TargetStreams::receive_stream(std::uint32_t stream) {
  Stream& from = *streams_[stream];
  bool is_last = false;
  while (!is_last) {
    std::array<std::byte, kFrameHeaderBytes> bytes;
    const Io received = from.channel.receive(bytes.data(), bytes.size(), kNoSilenceLimit);
    if (received != Io::kDone) return received;
    const std::optional<FrameHeader> header = decode_header(bytes);
    bool good = false;
    if (!header) {
      good = from.receiver.refuse_corrupted();
    } else if (PageReceiver::is_page_frame(header->type)) {
      good = from.receiver.take(*header);
    } else {
      good = take(from, stream, *header, is_last);
    }
    if (!good) return from.receiver.fault().io;
  }
  return Io::kDone;
}

bool TargetStreams::take(Stream& from, std::uint32_t stream, const FrameHeader& header,
                         bool& is_last) {
  if (stream != 0) {
    is_last = header.type == FrameType::kStreamEnd;
    return is_last || from.receiver.refuse("contains what belongs to its first connection");
  }
  switch (header.type) {
    case FrameType::kRoundEnd:
      return true;
    case FrameType::kDeviceState:
      return receive_device_state(from, header);
    case FrameType::kMissingPages:
      return receive_missing(from, header);
    case FrameType::kRelease:
      is_last = true;
      return receive_release(from, header);
    default:
      return from.receiver.refuse("contains a greeting in the middle of the stream");
  }
}

bool TargetStreams::receive_message(Stream& from, const FrameHeader& header, std::string& payload) {
  payload.resize(header.bytes);
  return from.receiver.receive_body(header, std::as_writable_bytes(std::span(payload)));
}

bool TargetStreams::receive_device_state(Stream& from, const FrameHeader& header) {
  const std::uint64_t most = pages_of(order_.config) * kCountBytesMax + kStateBytesMax;
  if (header.bytes > most) {
    return from.receiver.refuse("contains a device state that is too large");
  }
  std::string payload;
  if (!receive_message(from, header, payload)) return false;
  received_.state = decode_device_state(payload, order_.config);
  if (!received_.state || received_.state->write_counts.empty() == memory_.is_mapped()) {
    return from.receiver.refuse("contains a device state that does not fit the VM");
  }
  return true;
}

bool TargetStreams::receive_release(Stream& from, const FrameHeader& header) {
  if (header.bytes > kReleaseBytesMax) {
    return from.receiver.refuse("contains a release that is too large");
  }
  std::string payload;
  if (!receive_message(from, header, payload)) return false;
  pb::TransferRelease& release = received_.release;
  if (!release.ParseFromString(payload) || release.job() != order_.job ||
      release.attempt() != order_.attempt || !received_.state ||
      release.pages_follow() != received_.missing.has_value()) {
    return from.receiver.refuse("contains a release of something else");
  }
  return true;
}

bool TargetStreams::receive_missing(Stream& from, const FrameHeader& header) {
  const std::uint64_t pages = memory_.is_mapped() ? memory_.pages() : 0;
  if (header.bytes != PresenceMap::word_count(pages) * sizeof(std::uint64_t)) {
    return from.receiver.refuse("names pages that will follow, and not those of the VM");
  }
  std::vector<std::byte> body(header.bytes);
  if (!from.receiver.receive_body(header, body)) return false;
  received_.missing = decode_words(body);
  return PresenceMap::is_well_formed(pages, *received_.missing) ||
         from.receiver.refuse("names pages outside of the VM's memory");
}

// ---- when all have ended ------------------------------------------------------------------------

Failure TargetStreams::of_connection(Io outcome, const std::string& reason) const {
  std::uint64_t bytes = 0;
  for (const auto& stream : streams_) bytes += stream->receiver.received_bytes();
  const std::string what = "receiving VM '" + order_.vm + "' from " + nodes_.source + " on " +
                           nodes_.target + " failed after " + std::to_string(bytes >> 20) +
                           " MiB: ";
  switch (outcome) {
    case Io::kDone:
    case Io::kAborted:
      return {};
    case Io::kClosed:
      return {VMTaskResult::kUnexpectedError, what + reason};
    case Io::kTimedOut:
      return {VMTaskResult::kTimeOutError, what + nodes_.source + " sends nothing any more"};
  }
  return {};
}

// What a stream brought was wrong. The source is told, whichever stream it was, on the first.
Failure TargetStreams::refuse(const StreamFault& fault) {
  const std::string message = "the stream of VM '" + order_.vm + "' from " + nodes_.source +
                              " to " + nodes_.target + " " + fault.what;
  std::vector<std::byte> frame = message_frame(FrameType::kRefusal, message);
  iovec piece{frame.data(), frame.size()};
  // It fits into the socket; a source that cannot be told sees the connection end.
  streams_[0]->channel.send(&piece, 1, 0);
  return {fault.is_corrupted ? VMTaskResult::kUnexpectedError : VMTaskResult::kIllegalValueError,
          message};
}

}  // namespace failsim::node
