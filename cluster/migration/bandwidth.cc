#include "cluster/migration/bandwidth.h"

#include "cluster/units.h"

namespace failsim {

std::optional<Error> bandwidth_refused(std::uint64_t bytes_per_second) {
  if (bytes_per_second >= kLeastBandwidth) return std::nullopt;
  return Error{Code::kInvalidParameter,
               "A migration cannot be limited to " + show_rate(bytes_per_second) + ": below " +
                   show_rate(kLeastBandwidth) + " its two sides would take each other for dead.",
               "Give at least 64KiB/s, or leave it out for an unlimited migration."};
}

}  // namespace failsim
