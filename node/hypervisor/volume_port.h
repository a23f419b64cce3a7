// How guests reach the cluster shared volume: the seam between the hypervisor and the client of the
// volume process, so that a test or a benchmark can answer in its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cluster/ids.h"
#include "storage/proto/volume.pb.h"

namespace failsim::node {

class VolumePort {
 public:
  using Callback = std::function<void(const pb::VolumeReply&)>;

  virtual ~VolumePort() = default;
  // Returns at once; the callback is called once, from another thread, in the order of requests.
  virtual void submit(pb::VolumeRequest request, Callback callback) = 0;
  // When it returns no callback can run any more.
  virtual void stop() = 0;
};

// Who asks; the volume decides nothing by it.
struct VolumeAsker {
  NodeId node = kNoNode;
  Incarnation incarnation = 0;
};

// The volume process at this address.
std::shared_ptr<VolumePort> connect_volume(const std::string& address, std::uint16_t port,
                                           VolumeAsker asker);

}  // namespace failsim::node
