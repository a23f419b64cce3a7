// What to do when a round of pre-copy ends: go on, slow the guest down, switch, or give up; and
// whether it will ever fit.
//
// One object per transfer, in both worlds. It is told what each round measured and keeps three
// estimates: the rate of the link, and the rate and the working set of the guest. If the guest was
// watched before (dirty_habit.h) that is what is reckoned with, for as long as the rounds bear it
// out; else the two numbers are fitted to the rounds (dirty_model.h). From the second round on it
// follows their course ahead (convergence.h); when two rounds one after the other show that what is
// dirty will not fit the downtime limit in the rounds, time and bytes that are left, it says so,
// with the numbers: at the end of the third round at the earliest.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/migration/convergence.h"
#include "cluster/migration/dirty_habit.h"
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
  ThrottleSteps throttle;
};

// The words of the command line and of the interface: "go-on" ... "post-copy".
inline constexpr std::array<std::string_view, 5> kOnNoConvergenceWords = {
    "go-on", "fail", "switch", "throttle", "post-copy"};  // by their numbers
std::optional<pb::OnNoConvergence> on_no_convergence_of(std::string_view word);

// What the parameters of a migration ask for; 0 is the default of a downtime limit, a round count
// and a throttle, of which never more than 99 % is taken.
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

// Its name, for people: "continue" ... "post-copy".
std::string_view name(PrecopyDecision decision);

// A round that sent less than this says more about latency than about the rate.
inline constexpr std::uint64_t kTellingRoundBytes = 256 * 1024;

// Of a switch, beside the time for the last pages: device state, two hops, a commit and a
// registration; at most a quarter of the limit, or no small limit could ever be kept.
Duration expected_fixed_downtime(Duration downtime_limit);
// Of a switch before the pages: the fixed part, and the device state with its count for each page.
Duration expected_postcopy_downtime(const PrecopySettings& settings, std::uint64_t memory_bytes,
                                    std::uint64_t link_bytes_per_second);

// From the first byte to the resume; 0 = not known yet.
struct Expectation {
  Duration total = 0;
  Duration downtime = 0;
};

// What is known of a migration before its first byte.
struct PrecopyKnowledge {
  std::optional<DirtyHabit> guest;  // as it was watched, at its full speed
  Expectation expected;
};

class PrecopyPolicy {
 public:
  PrecopyPolicy(const PrecopySettings& settings, std::uint64_t memory_bytes,
                PrecopyKnowledge knowledge = {});

  // The rest fits if the time for it at the rate of the link, and the fixed part, are together at
  // most the downtime limit; nothing left to send always fits, because another round could not
  // better it. When a limit is reached without that, or it will not converge:
  //                   it will not converge           its rounds or bytes are used up
  //   go on           continue                       switch, unless beyond the maximum downtime
  //   fail            fail                           fail
  //   switch          switch as soon as the maximum  switch, unless beyond the maximum downtime
  //                   downtime permits; fail if it
  //                   never will
  //   throttle        continue, with the guest       switch, unless beyond the maximum downtime
  //                   slowed down by the smallest
  //                   step that will do; where the
  //                   largest will not, as switch
  //   post-copy       post-copy                      post-copy
  // Beyond the maximum downtime it fails. Its timeout is the leader's to enforce; here it only
  // counts as a limit within which to converge.
  PrecopyDecision round_ended(const RoundEnd& end);

  // Of the guest's time, so much is to be taken from it until the transfer ends. Never falls.
  std::uint32_t throttle_percent() const { return throttle_percent_; }

  std::uint32_t rounds() const { return rounds_; }
  // What to expect of the link: of the last round that sent enough to tell; never above the
  // bandwidth limit. 0 if nothing is known.
  std::uint64_t link_bytes_per_second() const { return link_bytes_per_second_; }
  // At its full speed. After the first round only as far as that showed it: not less than this.
  DirtyModel guest() const;
  // Empty, or one sentence, in lower case and without a full stop: why it will not converge, or did
  // not.
  const std::string& not_converging() const { return not_converging_; }
  // As it looks at the end of the last round, or before the first.
  const Expectation& expected() const { return expected_; }
  // The newest rounds, oldest first.
  const std::deque<pb::MigrationRound>& record() const { return record_; }

 private:
  PrecopyDecision decide(const RoundEnd& end);
  void measure(const RoundEnd& end);
  void measure_link(const RoundEnd& end);
  void follow_course(const RoundEnd& end);
  Standing standing() const;
  Duration downtime_of(std::uint64_t dirty_bytes) const;
  bool permits(Duration downtime) const;
  bool is_used_up() const;
  PrecopyDecision give_in(const RoundEnd& end);
  PrecopyDecision unlike_to_converge(const RoundEnd& end, const Outlook& outlook);
  PrecopyDecision throttle(const RoundEnd& end, const Outlook& outlook);
  PrecopyDecision switch_if_permitted(const RoundEnd& end, const Outlook& outlook);
  void set_throttle(std::uint32_t percent);
  void expect(const RoundEnd& end, PrecopyDecision decision);
  void keep_record(const RoundEnd& end, PrecopyDecision decision, std::uint32_t throttled_by);

  PrecopySettings settings_;
  std::uint64_t memory_bytes_;
  std::optional<DirtyHabit> watched_;       // until the rounds show something else
  std::optional<PrecopyCourse> course_;     // of that guest, as far as the rounds have come
  std::uint32_t rounds_against_watch_ = 0;  // one after the other that showed something else
  std::uint32_t rounds_ = 0;
  Duration elapsed_ = 0;
  std::uint64_t bytes_sent_ = 0;
  RoundEnd last_;
  std::uint64_t link_bytes_per_second_ = 0;
  DirtyModel fitted_;  // at full speed
  std::uint32_t throttle_percent_ = 0;
  bool was_just_throttled_ = false;   // a round goes by until it shows
  std::uint32_t rounds_against_ = 0;  // one after the other that showed it will not converge
  std::string not_converging_;
  Expectation expected_;
  std::deque<pb::MigrationRound> record_;
};

// The estimates, as they are told and kept with the job.
void keep_estimates(const PrecopyPolicy& policy, pb::MigrationStatistics& statistics);
// Why a transfer was given up, for people.
std::string not_converging_message(const std::string& vm, const std::string& source,
                                   const std::string& target, const PrecopyPolicy& policy);

}  // namespace failsim
