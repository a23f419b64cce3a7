// Where faults of the world enter the hypervisor. A node has such a seam only if it was started
// with `--faults`; without one nothing here is ever called (node/faults/ performs it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/uio.h>

#include "cluster/ids.h"
#include "cluster/time.h"
#include "node/hypervisor/volume_port.h"

namespace failsim::node {

// What a fault of the network does to one connection of the data path. Any thread.
class DataFaults {
 public:
  virtual ~DataFaults() = default;
  // The connection is to be given up; stays true.
  virtual bool is_broken() = 0;
  // Nothing may be sent now.
  virtual bool is_held() = 0;
  // The pieces are about to be sent: gives the time from which they may go. May point a piece to a
  // spoilt copy of its bytes, valid until the next call.
  virtual Time admit(iovec* pieces, std::size_t count) = 0;
};

class HypervisorFaults {
 public:
  virtual ~HypervisorFaults() = default;

  // Of a connection from this node to the peer.
  virtual std::unique_ptr<DataFaults> connection_to(NodeId peer) = 0;
  virtual std::shared_ptr<VolumePort> around(std::shared_ptr<VolumePort> volume) = 0;

  enum class Step { kPrepare, kStart, kSave, kResume };
  // Why the step of this guest fails, if it is to fail; asking once uses the fault up.
  virtual std::optional<std::string> refusal(Step step, const std::string& vm) = 0;
  // The next reservation for an image is to be refused; likewise.
  virtual bool refuses_memory() = 0;
  // The guest is to stop by itself now; likewise.
  virtual bool crashes(const std::string& vm) = 0;
  // The next migration from here is to lose a page; likewise.
  virtual bool forgets_page() = 0;
  // At which rate the guest dirties its memory, if not at its configured one.
  virtual std::optional<std::uint64_t> dirty_rate(const std::string& vm) = 0;
};

}  // namespace failsim::node
