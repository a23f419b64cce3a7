// A fault as it is ordered: kind, place, parameters, lease. Written in one line,
//
//   link-delay node-1->node-2 min=20ms max=80ms for=60s
//
// the same on the command line, in the node's interface, in scenarios and in reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/kind.h"
#include "cluster/fault/selector.h"
#include "cluster/fault/term.h"
#include "cluster/time.h"

namespace failsim::fault {

inline constexpr Duration kDefaultLease = 60 * kSecond;
inline constexpr Duration kMaximumLease = Duration{24} * 3600 * kSecond;

struct Order {
  const Kind* kind = nullptr;        // of kinds(); never null in a valid order
  Selector on;                       // empty for Place::kCluster
  std::vector<std::int64_t> values;  // one for each parameter of the kind, fallbacks filled in
  std::vector<Term> terms;           // of a failpoint
  Duration lease = kDefaultLease;
  bool survivable = false;  // weakened to what the quorum can take; for faults of nodes only

  std::int64_t value(std::string_view parameter) const;  // asserts that the kind has it
  bool operator==(const Order&) const = default;
};

// Checks everything that can be known without a cluster: the kind, the form of the selector and
// whether it fits the kind's place, every parameter and its range. kInvalidParameter with one
// sentence that names what is wrong and the nearest valid word. `arguments` are "name=value"; "for"
// and "survivable" are understood beside the kind's own parameters.
Result<Order> parse_order(std::string_view kind, std::string_view on,
                          const std::vector<std::string>& arguments);
// The whole line.
Result<Order> parse_order(std::string_view line);
// The line that parses back to the same order; parameters at their fallback are left out.
std::string to_text(const Order& order);

}  // namespace failsim::fault
