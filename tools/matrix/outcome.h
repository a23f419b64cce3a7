// What becomes of a migration that was disturbed, as it can be seen when everything is at rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/ids.h"
#include "cluster/state/cluster_state.h"

namespace failsim::matrix {

enum class End {
  kNotStarted,          // the request was lost: there is no job
  kCompleted,           // the VM goes on at the target
  kCanceled,            // it goes on at the source, MigrationState 4
  kFailed,              // it goes on at the source, MigrationState 5
  kRestarted,           // MigrationState 5, and a cold restart: the guest's progress is lost
  kCompletedRestarted,  // completed, and its new owner was lost later
  kCanceledRestarted,   // canceled, and the source was lost later
  kFailedRestarted,     // failed at the source, and the source was lost later
  kRestartedFirst,      // the VM was restarted elsewhere before the request was carried out
  kStuck                // not at rest in time
};
inline constexpr std::size_t kEnds = 10;
std::string_view name(End end);

// A set of ends.
class Ends {
 public:
  constexpr Ends() = default;
  constexpr Ends(End end) : bits_(bit(end)) {}  // NOLINT: an end is a set of one
  constexpr Ends operator|(Ends other) const { return Ends(bits_ | other.bits_); }
  constexpr bool contains(End end) const { return (bits_ & bit(end)) != 0; }
  constexpr bool operator==(const Ends&) const = default;

 private:
  constexpr explicit Ends(std::uint32_t bits) : bits_(bits) {}
  static constexpr std::uint32_t bit(End end) { return 1U << static_cast<unsigned>(end); }
  std::uint32_t bits_ = 0;
};
constexpr Ends operator|(End one, End other) {
  return Ends(one) | Ends(other);
}
std::string to_text(Ends ends);

// What the case began with.
struct Before {
  std::string vm;
  NodeId source = kNoNode;
  std::uint64_t boot_id = 0;
};
// Of the newest migration of the VM since then, in a state that does not change any more.
End end_of(const ClusterState& state, const Before& before);

}  // namespace failsim::matrix
