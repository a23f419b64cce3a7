// What faults of the network mean for the packets on the bridge of a cluster (cluster_network.h),
// and the same as scripts for nft and tc.
//
// Every packet between two processes passes the bridge once. There nft drops it, or marks it for a
// queue of the port it leaves by; tc shapes that queue. A packet belongs to the direction it goes:
// a cut of one direction keeps back the acknowledgements of the streams of the other one, too.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/ids.h"
#include "cluster/time.h"
#include "tools/failsim/directory.h"

namespace failsim::cli {

// What the kernel can do beyond dropping and limiting.
struct KernelSkills {
  bool netem = false;  // delays, flips bits
};

// Whether faults of this kind are performed on packets by such a kernel.
bool is_fault_of_packets(std::string_view kind, KernelSkills skills);

// Told by the ports. All that has none of these is kOther: the shared volume's, or a ping.
enum class PacketClass { kOther, kHeartbeat, kControl, kData };

// The packets of a class from one end to another; fault::kVolumeEnd is an end, too.
struct Flow {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  PacketClass traffic = PacketClass::kOther;
  auto operator<=>(const Flow&) const = default;
};

// What becomes of them. Chances are per mille.
struct PacketTreatment {
  bool is_cut = false;
  std::vector<std::int64_t> losses;    // each drawn by itself
  std::uint64_t rate_bytes_per_s = 0;  // 0 = no limit
  Duration delay_min_ns = 0;
  Duration delay_max_ns = 0;
  std::int64_t corrupt = 0;
  std::vector<std::int64_t> overtaken;  // each drawn by itself
  Duration window_ns = 0;               // how much later those arrive at most

  bool is_queued() const;
  bool operator==(const PacketTreatment&) const = default;
};

using PacketTreatments = std::map<Flow, PacketTreatment>;

// Adds what the order means among nodes 1 to `nodes`; its selector names them. kInvalidParameter if
// it does not fit the link of the volume, kNodeNotFound if there is no such node.
std::optional<Error> add_order(PacketTreatments& treatments, const fault::Order& order,
                               std::uint32_t nodes);

// The name of an end's port on the bridge: that of its process.
std::string port_of(NodeId end);

// For `nft -f -`: replaces all rules of the bridge at once.
std::string filter_script(const PacketTreatments& treatments,
                          const ClusterDescription& description);
// For `tc -batch -`: makes the queues of `former` those of `wanted`, and touches no other.
std::string queue_script(const PacketTreatments& former, const PacketTreatments& wanted);

}  // namespace failsim::cli
