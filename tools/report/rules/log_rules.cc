#include "tools/report/rules/log_rules.h"

namespace failsim::history {

void LogRules::take(const Stored& fact) {
  const auto content = invariants::Stores::content(fact.hard_state, fact.last);
  if (fact.sequence == 0) {
    stores_.opened(fact.node, content, standing_.findings);
  } else {
    stores_.given(fact.node, fact.sequence, content);
  }
}

}  // namespace failsim::history
