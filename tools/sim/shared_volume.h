// The cluster shared volume as an actor of the virtual world: the code of the volume process behind
// the network, on a disk that can be slow, stand still and fail.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "cluster/random.h"
#include "storage/proto/volume.pb.h"
#include "storage/volume.h"
#include "storage/volume_memory.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/network.h"
#include "tools/sim/storage_rules.h"

namespace failsim::sim {

class SharedVolume {
 public:
  // An append or a registration was accepted as a new record.
  using Recorded = std::function<void(const pb::VolumeRequest&, NodeId, Incarnation)>;
  // A request was refused, with the code of the answer.
  using Refused = std::function<void(Code)>;
  // Nothing if the request or its answer was lost.
  using Answered = std::function<void(const pb::VolumeReply*)>;

  SharedVolume(EventQueue& queue, Network& network, std::uint64_t seed, Mistakes mistakes);

  void set_recorded(Recorded recorded) { recorded_ = std::move(recorded); }
  void set_refused(Refused refused) { refused_ = std::move(refused); }
  // The node's process `writer` asks; the answer comes through the network, or null after a while.
  void ask(NodeId from, Incarnation writer, pb::VolumeRequest request, Answered answered);
  // A volume that fails refuses everything until the rule is gone; then its process starts anew.
  StorageRules::Id add(const StorageRule& rule);
  void remove(StorageRules::Id rule);
  // The process dies and is started again: what was not synced is lost.
  void restart();

  const Volume& volume() const { return *volume_; }

 private:
  void perform(NodeId from, Incarnation writer, const pb::VolumeRequest& request,
               Answered answered);
  void open();
  void when_not_stalled(std::function<void()> action);

  EventQueue& queue_;
  Network& network_;
  Random random_;
  [[no_unique_address]] Mistakes mistakes_;
  VolumeMemory disk_;
  std::unique_ptr<Volume> volume_;
  Recorded recorded_;
  Refused refused_;
  StorageRules rules_;
  std::deque<std::function<void()>> held_up_;  // by a stall
  Time busy_until_ = 0;                        // one request after another
  std::uint64_t starts_ = 0;
};

}  // namespace failsim::sim
