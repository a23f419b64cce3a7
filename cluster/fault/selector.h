// Which nodes or links a fault hits: by name, by role, or by share.
//
//   node-2            that node
//   leader            the node that leads the log
//   owner(web)        the node that owns the VM; source(web), target(web): of its migration
//   one               a node drawn by chance; minority, majority, minority-third (fewer than a
//                     third), all
//   A->B              the directed links from every node of A to every other node of B; shares do
//                     not overlap: minority<->majority is a split
//   A<->B             both directions
//   volume            the shared volume; at an end of a link too: "node-1->volume"
//   web               for faults of guests: that VM
// Names of one selector may be joined: "node-1,node-2".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/random.h"

namespace failsim::fault {

// The place of the shared volume as an end of a link.
inline constexpr NodeId kVolumeEnd = 1000;

// What a selector is resolved against: the world as it is at that moment.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual std::vector<NodeId> nodes() const = 0;
  virtual NodeId leader() const = 0;  // kNoNode if there is none now
  virtual bool has_vm(const std::string& vm) const = 0;
  virtual NodeId owner(const std::string& vm) const = 0;
  // Of the migration in flight; kNoNode if there is none.
  virtual NodeId migration_source(const std::string& vm) const = 0;
  virtual NodeId migration_target(const std::string& vm) const = 0;
};

// One side of a selector.
struct Members {
  enum class Role {
    kNames,
    kLeader,
    kOwner,
    kSource,
    kTarget,
    kOne,
    kMinority,
    kMajority,
    kMinorityThird,
    kAll,
    kVolume
  };
  Role role = Role::kNames;
  std::vector<std::string> names;  // nodes; for kOwner, kSource, kTarget the VM; or a VM
  bool operator==(const Members&) const = default;
};

struct Selector {
  Members from;  // the only side unless is_link
  bool is_link = false;
  bool both_ways = false;
  Members to;
  bool operator==(const Selector&) const = default;
};

// kInvalidParameter with a sentence that names the nearest valid word.
Result<Selector> parse_selector(std::string_view text);
std::string to_text(const Selector& selector);
// "node-1" to "node-64".
bool is_node_name(std::string_view name);

// Errors: kNodeNotFound, kResourceNotFound (no such VM), kNotReady (no leader, no migration now):
// a selector that hits nothing is refused, never ignored. Draws only for one/minority/majority/...
Result<std::vector<NodeId>> resolve_nodes(const Selector& selector, const Surroundings& around,
                                          Random& random);
// The two sides of a selector of links; one end may stand on both.
struct LinkEnds {
  std::vector<NodeId> from;
  std::vector<NodeId> to;
};
Result<LinkEnds> resolve_ends(const Selector& selector, const Surroundings& around, Random& random);
Result<std::vector<std::pair<NodeId, NodeId>>> resolve_links(const Selector& selector,
                                                             const Surroundings& around,
                                                             Random& random);
Result<std::vector<std::string>> resolve_vms(const Selector& selector, const Surroundings& around);

}  // namespace failsim::fault
