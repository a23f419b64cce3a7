// What to do when a round of pre-copy ends: go on, switch, or give up; and whether it will ever
// fit.
//
// One object per transfer, in both worlds. It is told what each round measured and keeps three
// estimates: the rate of the link, and the rate and the working set of the guest (dirty_model.h).
// From the second round on it follows their course ahead (convergence.h); when two rounds one after
// the other show that what is dirty will not fit the downtime limit in the rounds, time and bytes
// that are left, it says so, with the numbers: at the end of the third round at the earliest.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/migration/convergence.h"
#include "cluster/migration/dirty_model.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

struct PrecopySettings {
  std::uint64_t bandwidth_bytes_per_second = 0;  // 0 = unlimited
  Duration downtime_limit = 300 * kMillisecond;  // a switch that keeps it is always made
  Duration max_downtime = 0;                     // no switch is made beyond it; 0 = any is
  std::uint32_t max_rounds = 30;
  Duration timeout = 0;         // of the migration, which its leader ends then; 0 = none
  std::uint64_t max_bytes = 0;  // sent, of pre-copy; 0 = any number
  pb::OnNoConvergence on_no_convergence = pb::NO_CONVERGENCE_GO_ON;
};

// What the parameters of a migration ask for; a downtime limit or round count of 0 is the default.
PrecopySettings settings_of(const pb::MigrationParameters& parameters);

// What a finished round showed.
struct RoundEnd {
  std::uint64_t bytes_sent = 0;   // in this round
  Duration duration = 0;          // of this round
  std::uint64_t dirty_bytes = 0;  // waiting to be sent now
};

enum class PrecopyDecision {
  kContinue,      // one more round
  kSwitch,        // the rest fits the downtime limit
  kSwitchForced,  // switch although it does not
  kFail,          // it does not, and a switch is not allowed: not_converging() says why
  kPostCopy       // switch now, and let the rest follow
};

// A round that sent less than this says more about latency than about the rate.
inline constexpr std::uint64_t kTellingRoundBytes = 256 * 1024;

// Of a switch, beside the time for the last pages: device state, two hops, a commit and a
// registration; at most a quarter of the limit, or no small limit could ever be kept.
Duration expected_fixed_downtime(Duration downtime_limit);

class PrecopyPolicy {
 public:
  PrecopyPolicy(const PrecopySettings& settings, std::uint64_t memory_bytes, DirtyReading reading);

  // The rest fits if the time for it at the rate of the link, and the fixed part, are together at
  // most the downtime limit; nothing left to send always fits, because another round could not
  // better it. When a limit is reached without that, or it will not converge:
  //                   it will not converge           its rounds or bytes are used up
  //   go on           continue                       switch, unless beyond the maximum downtime
  //   fail            fail                           fail
  //   switch          switch as soon as the maximum  switch, unless beyond the maximum downtime
  //                   downtime permits; fail if it
  //                   never will
  //   post-copy       post-copy                      post-copy
  // Beyond the maximum downtime it fails. Its timeout is the leader's to enforce; here it only
  // counts as a limit within which to converge.
  PrecopyDecision round_ended(const RoundEnd& end);

  std::uint32_t rounds() const { return rounds_; }
  // What to expect of the link: of the last round that sent enough to tell; never above the
  // bandwidth limit. 0 if nothing is known.
  std::uint64_t link_bytes_per_second() const { return link_bytes_per_second_; }
  // After the first round only as far as that showed it: not less than this.
  const DirtyModel& guest() const { return guest_; }
  // Empty, or one sentence, in lower case and without a full stop: why it will not converge, or did
  // not.
  const std::string& not_converging() const { return not_converging_; }

 private:
  void measure(const RoundEnd& end);
  Standing standing() const;
  Duration downtime_of(std::uint64_t dirty_bytes) const;
  bool permits(Duration downtime) const;
  bool is_used_up() const;
  PrecopyDecision give_in(const RoundEnd& end);
  PrecopyDecision unlike_to_converge(const RoundEnd& end, const Outlook& outlook);

  PrecopySettings settings_;
  std::uint64_t memory_bytes_;
  DirtyReading reading_;
  std::uint32_t rounds_ = 0;
  Duration elapsed_ = 0;
  std::uint64_t bytes_sent_ = 0;
  RoundEnd last_;
  std::uint64_t link_bytes_per_second_ = 0;
  DirtyModel guest_;
  std::uint32_t rounds_against_ = 0;  // one after the other that showed it will not converge
  std::string not_converging_;
};

// The estimates, as they are told and kept with the job.
void keep_estimates(const PrecopyPolicy& policy, pb::MigrationStatistics& statistics);
// Why a transfer was given up, for people.
std::string not_converging_message(const std::string& vm, const std::string& source,
                                   const std::string& target, const PrecopyPolicy& policy);

}  // namespace failsim
