#include "cluster/migration/bandwidth.h"

#include <algorithm>

#include "cluster/units.h"

namespace failsim {

std::uint64_t bandwidth_share(std::uint64_t limit, std::uint64_t senders) {
  return limit == 0 ? 0 : std::max(limit / std::max<std::uint64_t>(senders, 1), kLeastBandwidth);
}

std::uint64_t smaller_bandwidth(std::uint64_t one, std::uint64_t other) {
  return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
}

std::optional<Error> bandwidth_refused(std::uint64_t bytes_per_second) {
  if (bytes_per_second >= kLeastBandwidth) return std::nullopt;
  return Error{Code::kInvalidParameter,
               "A migration cannot be limited to " + show_rate(bytes_per_second) + ": below " +
                   show_rate(kLeastBandwidth) + " its two sides would take each other for dead.",
               "Give at least 64KiB/s, or leave it out for an unlimited migration."};
}

}  // namespace failsim
