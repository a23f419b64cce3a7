// The connections of a source to its target: one for each stream (frames.h), opened together when
// the transfer begins; and, in post-copy, those over which pages follow, one after the other.
//
//   connect, hello on each -> welcome on each, on the first what the target has kept -> ... ->
//   the target closes
//
// Of the thread of the transfer; each stream's sender also of that stream's thread, never at the
// same time. What does not work out is reported from here, once, with what the target said of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/page_sender.h"
#include "node/hypervisor/source_reports.h"
#include "node/hypervisor/source_signals.h"
#include "node/hypervisor/transfer.pb.h"

namespace failsim::node {

// From which node to which.
struct SourceRoute {
  std::uint64_t cluster_id = 0;
  std::string node;  // this node, for messages
  std::string local_address;
  std::string peer;  // for messages
  std::string peer_address;
  std::uint16_t port = 0;
  NodeId peer_id = kNoNode;
  std::uint64_t link_bytes_per_second = 0;  // as the last transfer saw it; 0 = not known
  HypervisorFaults* faults = nullptr;       // usually none
};

class SourceConnections {
 public:
  // All must outlive it.
  SourceConnections(const TransferOrder& order, const SourceRoute& route, SourceSignals& signals,
                    SharedLink& link, SourceReports& reports);

  // ---- false: the transfer is over; the failure is reported, unless it was dropped ----
  bool connect();
  // Turns what became of something into go on, or over. `doing` begins a sentence.
  bool check(Io outcome, std::uint32_t stream, const std::string& doing);
  bool check(Io outcome, const std::string& doing) { return check(outcome, 0, doing); }
  // Until the time or a wake-up; also before connect(). Over if the target has gone.
  bool wait(Time until, const std::string& doing);
  bool send_missing(const std::vector<std::uint64_t>& missing);
  // Nothing will be sent on them any more; the first goes on.
  bool end_streams();
  // What is still in the sockets is delivered: the target closes when it has read the release. Over
  // also if it has refused what it read.
  bool await_close();

  std::uint32_t streams() const { return signals_.streams(); }
  PageSender& sender(std::uint32_t stream) { return streams_[stream]->sender; }
  // The write counts of the pages that the target has from before; empty if there are none. Once.
  std::vector<std::uint32_t> take_kept_counts() { return std::exchange(kept_counts_, {}); }
  // Another one, over which pages follow; null if there is none now. Nothing is reported.
  std::unique_ptr<Channel> connect_for_pages();
  void close() { streams_.clear(); }

 private:
  // One connection and what sends on it. Never moved.
  struct Stream {
    Stream(Fd socket, Signal& signal, std::unique_ptr<DataFaults> faults, SharedLink& link)
        : channel(std::move(socket), signal, std::move(faults)), sender(channel, link) {}
    Channel channel;
    PageSender sender;
  };

  bool connect(std::uint32_t stream);
  bool hear_welcome(std::uint32_t stream);
  // A connection; not valid if there is none, whose reason is told.
  Fd open(Duration limit, Io& outcome, std::string& reason);
  std::unique_ptr<DataFaults> faults() const;
  pb::TransferHello hello() const;
  // Why the target has closed the connection, if it has said so.
  std::string refusal(std::uint32_t stream);

  const TransferOrder& order_;
  const SourceRoute& route_;
  SourceSignals& signals_;
  SharedLink& link_;
  SourceReports& reports_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::uint32_t> kept_counts_;
};

}  // namespace failsim::node
