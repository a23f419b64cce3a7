// The judge of a run: hands each fact to the rules it concerns.
//
// There is one of it: the virtual world asks it while it runs, `failsim check` when it reads a
// history, and both come to the same findings. The rules are kept in families (rules/); a family
// that has no take() for a kind of fact is not asked about it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <tuple>

#include "tools/report/fact.h"
#include "tools/report/rules/client_rules.h"
#include "tools/report/rules/failover_rules.h"
#include "tools/report/rules/guest_rules.h"
#include "tools/report/rules/handover_rules.h"
#include "tools/report/rules/log_rules.h"
#include "tools/report/rules/membership_rules.h"
#include "tools/report/rules/migration_rules.h"
#include "tools/report/rules/record_rules.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

// A rule that a run can be held to.
struct Rule {
  std::string_view label;
  std::string_view text;
};
std::span<const Rule> rules();

class Judge {
 public:
  Judge() = default;
  Judge(const Judge&) = delete;  // its families know each other's standing
  Judge& operator=(const Judge&) = delete;

  // Time never falls.
  void take(Time now, const Fact& fact);
  const invariants::Findings& findings() const { return standing_.findings; }
  // What broke a rule while an assumption of it was broken: no fault of the product.
  const invariants::Findings& broken_assumptions() const { return standing_.broken_assumptions; }
  // What is agreed about each VM: who follows the log names the next step by it.
  const invariants::HandoverTrace& handover() const {
    return std::get<HandoverRules>(families_).trace();
  }

 private:
  // What is no rule's own: the standing of the run.
  template <typename Kind>
  void note(const Kind&) {}
  void note(const EventApplied& fact);
  void note(const ClockRate& fact);
  void note(const Expectation& fact);

  Standing standing_;
  std::uint64_t last_event_ = 0;
  std::map<NodeId, std::int64_t> clock_ppm_;
  std::tuple<LogRules, RecordRules, GuestRules, MigrationRules, MembershipRules, FailoverRules,
             HandoverRules, ClientRules>
      families_{standing_, standing_, standing_, standing_,
                standing_, standing_, standing_, standing_};
};

}  // namespace failsim::history
