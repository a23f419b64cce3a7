// What a source sends to its target: pages over all streams at once, and on the first, beside them,
// the state of the guest and its release (frames.h).
//
// Pages go straight into the guest's memory. What arrives is not trusted: nothing else of a frame
// is used before its checksum is known to be right, and no number before it was checked. The first
// thing that is wrong ends all streams, and the source is told what it was.
//
// Of the thread of the transfer. Each stream beyond the first is received on a thread of its own,
// which lives no longer than receive().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/vm/guest_model.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/page_receiver.h"
#include "node/hypervisor/stream_group.h"
#include "node/hypervisor/transfer.h"
#include "node/hypervisor/transfer.pb.h"

namespace failsim::node {

class TargetStreams {
 public:
  // Names, for messages.
  struct Nodes {
    std::string source;
    std::string target;
  };
  // What came beside the pages.
  struct Received {
    std::optional<DeviceState> state;
    std::optional<std::vector<std::uint64_t>> missing;  // pages that will follow, if any may
    pb::TransferRelease release;
  };

  // All references must outlive it. With `is_kept` the memory has pages from before.
  TargetStreams(const TransferOrder& order, Nodes nodes, StreamSignals& signals,
                GuestMemory& memory, bool is_kept);

  // The connection of the next stream.
  void add(Fd socket, std::unique_ptr<DataFaults> faults);
  // Once, when all are there: welcomes each stream, the first with the counts of the pages that are
  // kept, and receives until all have come to their ends. False if one ended too early: `failure`
  // says why, or has no message if the signals were aborted from outside.
  bool receive(std::vector<std::uint32_t> kept_counts, Failure& failure);
  // After receive() was true: the state is there.
  Received& received() { return received_; }

 private:
  // One connection and what it brings. Never moved.
  struct Stream {
    Stream(Fd socket, Signal& signal, std::unique_ptr<DataFaults> faults, GuestMemory& memory,
           TouchedPages& touched, std::uint32_t stream, std::uint32_t streams)
        : channel(std::move(socket), signal, std::move(faults)),
          receiver(channel, memory, touched, stream, streams) {}
    Channel channel;
    PageReceiver receiver;
  };

  // ---- on the thread of the stream ----
  Io welcome(std::uint32_t stream, const std::vector<std::uint32_t>& kept_counts);
  Io receive_stream(std::uint32_t stream);
  // What comes beside pages; on stream 0, and the end of the others.
  bool take(Stream& from, std::uint32_t stream, const FrameHeader& header, bool& is_last);
  bool receive_message(Stream& from, const FrameHeader& header, std::string& payload);
  bool receive_device_state(Stream& from, const FrameHeader& header);
  bool receive_release(Stream& from, const FrameHeader& header);
  bool receive_missing(Stream& from, const FrameHeader& header);

  // ---- when all have ended ----
  Failure of_connection(Io outcome, const std::string& reason) const;
  Failure refuse(const StreamFault& fault);

  const TransferOrder& order_;
  const Nodes nodes_;
  StreamSignals& signals_;
  GuestMemory& memory_;
  TouchedPages touched_;
  std::vector<std::unique_ptr<Stream>> streams_;
  Received received_;  // by stream 0
};

}  // namespace failsim::node
