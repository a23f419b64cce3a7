// The network between the nodes and the shared volume: every direction of a pair is a link of its
// own, with its own delay, loss and faults.
//
// Two kinds of messages, as in the process world. A datagram may be lost, doubled and overtaken. A
// stream delivers in order or not at all: what breaks its connection takes everything under way
// with it, and what is sent while the link is cut is lost too. Each class of traffic has a
// connection of its own.
//
// Faults are rules. A link has any number of them; each is taken away by its own number, and the
// others go on.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/fault/selector.h"
#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/sim/event_queue.h"

namespace failsim::sim {

// The place of the shared volume in the network.
inline constexpr NodeId kVolumeSite = fault::kVolumeEnd;

struct LinkQuality {
  Duration delay_min = 200 * kMicrosecond;
  Duration delay_max = 1 * kMillisecond;
  std::uint32_t loss_per_mille = 0;       // of datagrams; a stream sends again, and is late instead
  std::uint32_t duplicate_per_mille = 0;  // of datagrams
};

// The traffic of the shared volume is of no class that a fault can name.
enum class Traffic { kHeartbeat, kControl, kData, kVolume };
inline constexpr std::size_t kTraffics = 4;

struct LinkRule {
  enum class Does { kCut, kHold, kDelay, kLoss, kDuplicate, kReorder, kCorrupt, kRate };
  Does does = Does::kCut;
  std::optional<Traffic> only = {};    // nothing: all traffic
  std::uint32_t per_mille = 0;         // of the messages: loss, duplicate, reorder, corrupt
  Duration delay_min = 0;              // delay
  Duration delay_max = 0;              // delay; reorder: how much later at most
  std::uint64_t bytes_per_second = 0;  // rate
};
using RuleId = std::uint64_t;

// What is sent.
struct Parcel {
  using Action = std::function<void()>;
  Traffic traffic = Traffic::kControl;
  Action deliver;
  // Runs instead when the connection broke on the way; may be empty.
  Action lost = {};
  std::uint64_t bytes = 0;                              // unless there is a message
  std::shared_ptr<const pb::PeerMessage> message = {};  // what a flipped bit is looked for in
};

class Network {
 public:
  using Changed = std::function<void(NodeId from, NodeId to, bool open)>;
  using Damaged = std::function<void(NodeId from, NodeId to, bool is_accepted)>;

  Network(EventQueue& queue, std::uint64_t seed) : queue_(queue), random_(seed) {}

  // Of every link.
  void set_quality(const LinkQuality& quality) { quality_ = quality; }
  void lose_nothing() { quality_.loss_per_mille = 0; }

  // Told when a direction begins or ceases to pass what members say to each other.
  void set_changed(Changed changed) { changed_ = std::move(changed); }
  // Told when a frame arrives with a flipped bit, and whether its receiver would have taken it.
  void set_damaged(Damaged damaged) { damaged_ = std::move(damaged); }
  RuleId add(NodeId from, NodeId to, const LinkRule& rule);
  void remove(RuleId rule);  // nothing happens if it is gone already
  // Connections of this direction break; the next ones stand.
  void reset(NodeId from, NodeId to, std::optional<Traffic> only = {});
  // All traffic of one direction, once: a second cut of the same direction changes nothing.
  void cut(NodeId from, NodeId to);
  void heal(NodeId from, NodeId to);
  void heal_all();  // no rules any more
  bool is_cut(NodeId from, NodeId to) const;
  // How often connections of this traffic have been broken: what began on one does not go on on the
  // next.
  std::uint64_t breaks(NodeId from, NodeId to, Traffic traffic) const;
  bool has_cuts() const;
  // Of the slowest rule; the largest number if there is none.
  std::uint64_t rate(NodeId from, NodeId to, Traffic traffic) const;

  void send_datagram(NodeId from, NodeId to, Parcel parcel);
  void send_stream(NodeId from, NodeId to, Parcel parcel);

  // Messages that arrived with a flipped bit and were thrown away where they arrived.
  std::uint64_t corrupted() const { return corrupted_; }

 private:
  struct Held {
    bool is_stream = false;
    std::uint64_t breaks = 0;
    Parcel parcel;
  };
  struct Link {
    std::map<RuleId, LinkRule> rules;
    std::array<std::uint64_t, kTraffics> breaks = {};  // connections so far, of each class
    std::array<Time, kTraffics> last_delivery = {};    // of the streams
    std::array<Time, kTraffics> busy_until = {};       // under a rate
    std::deque<Held> held;
    std::optional<RuleId> cut;  // by cut()
  };
  using Ends = std::pair<NodeId, NodeId>;

  Link& link(NodeId from, NodeId to) { return links_[Ends(from, to)]; }
  const Link* find(NodeId from, NodeId to) const;
  // What members say to each other, heartbeats aside.
  bool passes(NodeId from, NodeId to);
  static bool has(const Link& link, LinkRule::Does does, Traffic traffic);
  static bool concerns(const LinkRule& rule, Traffic traffic);
  // Whether one of the rules, each with its own chance, applies to this message.
  bool strikes(const Link& link, LinkRule::Does does, Traffic traffic);
  Duration draw_delay(Duration from, Duration to);
  Duration time_on(Link& link, const Parcel& parcel);
  void release(Ends ends);
  void transmit_datagram(Ends ends, Link& link, Parcel parcel);
  void transmit_stream(Ends ends, Link& link, Parcel parcel);
  void flip(Ends ends, const Parcel& parcel);
  void arrive_broken(Ends ends, Time when, Parcel parcel);
  bool happens(std::uint32_t per_mille);

  EventQueue& queue_;
  Random random_;
  LinkQuality quality_;
  std::map<Ends, Link> links_;
  std::map<RuleId, Ends> placed_;  // every rule
  RuleId next_rule_ = 1;
  std::uint64_t corrupted_ = 0;
  Changed changed_;
  Damaged damaged_;
};

}  // namespace failsim::sim
