// The moments of a migration at which something else may happen: every named point that it passes,
// and times between two of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/fault/failpoint.h"
#include "cluster/time.h"

namespace failsim::matrix {

// How far a migration has come, as far as it matters for what may become of it.
enum class Phase {
  kRequested,    // the request is on its way into the log
  kSetup,        // the target prepares; Data Transfer is on its way into the log
  kRounds,       // pre-copy
  kConverged,    // the policy has decided to switch; nobody has agreed to it
  kMoveOrdered,  // Move is on its way into the log; the guest runs
  kBlackout,     // the guest is paused; last pages, state and release are on their way
  kHeld,         // the target holds all; nothing is decided
  kCompleting,   // Complete is on its way into the log
  kOwned,        // the VM is the target's, and does not run yet
  kFollowing,    // post-copy: the VM is the target's and some of its pages are not there
  kResumed,      // it runs there; the job has not ended
  kFinished,     // the job has ended; the pages are or have been checked
  kCanceling,    // a cancel is on its way into the log
  kFailing       // an abort, or the failover of its source, is on its way into the log
};
inline constexpr std::size_t kPhases = 14;
std::string_view name(Phase phase);

struct Moment {
  fault::PointId point = 0;
  std::uint32_t nth = 1;  // how often it is passed until then
  Duration later = 0;     // after it
  bool operator==(const Moment&) const = default;
};

// "source.move.on-receive", "round.2.begin+40ms", "leader.move.on-receive#2".
std::string name(const Moment& moment);
// `post_copy`: whether the pages follow the guest.
Phase phase_of(const Moment& moment, bool post_copy);

// A point that was passed in an undisturbed run, and when.
struct Passed {
  Moment moment;
  Time at = 0;
};

// What there is to strike at: each point at its first passing, in the order of time, and the middle
// of what lasts: Setup, each round, the blackout (in four), the way from the change of owner to the
// resume.
std::vector<Moment> moments_of(const std::vector<Passed>& passed);

}  // namespace failsim::matrix
