// The network between the nodes and the shared volume: every direction of a pair is a link of its
// own, with its own delay, loss and cuts.
//
// Two classes of traffic, as in the process world. A datagram may be lost, doubled and overtaken.
// A stream delivers in order or not at all: a cut of its link breaks the connection, everything
// under way is lost with it, and what is sent while the link is cut is lost too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "cluster/ids.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/sim/event_queue.h"

namespace failsim::sim {

// The place of the shared volume in the network.
inline constexpr NodeId kVolumeSite = 1000;

struct LinkQuality {
  Duration delay_min = 200 * kMicrosecond;
  Duration delay_max = 1 * kMillisecond;
  std::uint32_t loss_per_mille = 0;       // of datagrams; a stream sends again, and is late instead
  std::uint32_t duplicate_per_mille = 0;  // of datagrams
  bool drops_datagrams = false;           // every one of them; streams pass
};

class Network {
 public:
  using Deliver = std::function<void()>;

  Network(EventQueue& queue, std::uint64_t seed) : queue_(queue), random_(seed) {}

  // Of every link that has no quality of its own.
  void set_quality(const LinkQuality& quality) { quality_ = quality; }
  void set_quality(NodeId from, NodeId to, const LinkQuality& quality);
  void reset_quality(NodeId from, NodeId to);

  void cut(NodeId from, NodeId to);  // one way
  void heal(NodeId from, NodeId to);
  void heal_all();
  bool is_cut(NodeId from, NodeId to) const;
  // Raised by every cut of the direction: a connection opened before is broken.
  std::uint64_t breaks(NodeId from, NodeId to) const;
  bool has_cuts() const { return cuts_ != 0; }

  void send_datagram(NodeId from, NodeId to, Deliver deliver);
  // `lost`, if given, runs instead of `deliver` when the connection broke on the way.
  void send_stream(NodeId from, NodeId to, Deliver deliver, Deliver lost = {});

 private:
  struct Link {
    bool is_cut = false;
    std::uint64_t breaks = 0;
    Time last_delivery = 0;  // of the stream
    bool has_quality = false;
    LinkQuality quality;
  };

  Link& link(NodeId from, NodeId to) { return links_[std::pair(from, to)]; }
  const Link* find(NodeId from, NodeId to) const;
  const LinkQuality& quality_of(const Link& link) const;
  Duration draw_delay(const LinkQuality& quality);
  bool happens(std::uint32_t per_mille);

  EventQueue& queue_;
  Random random_;
  LinkQuality quality_;
  std::map<std::pair<NodeId, NodeId>, Link> links_;
  std::uint64_t cuts_ = 0;  // links cut now
};

}  // namespace failsim::sim
