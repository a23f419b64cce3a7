#include "cluster/migration/handover.h"

#include <cassert>

namespace failsim::handover {

std::string_view name(Step step) {
  switch (step) {
#define HANDOVER_COMMAND(name, guard, required, effect) \
  case Step::k##name:                                   \
    return #name;
#define HANDOVER_FACT(name, concerns, required, effect) \
  case Step::k##name:                                   \
    return #name;
#include "cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT
  }
  assert(false);
  return "";
}

// The names a, w and c are those of the declaration.
Verdict take(const Action& c, Agreed& a, World& w) {
  using enum MigrationState;
  switch (c.step) {
#define HANDOVER_COMMAND(name, guard, required, effect)        \
  case Step::k##name:                                          \
    if (!(guard)) return {Verdict::kWithoutGuard, #guard};     \
    if (!(required)) return {Verdict::kNotAllowed, #required}; \
    effect;                                                    \
    return {};
#define HANDOVER_FACT(name, concerns, required, effect)        \
  case Step::k##name:                                          \
    if (!(concerns)) return {Verdict::kOfThePast, #concerns};  \
    if (!(required)) return {Verdict::kNotAllowed, #required}; \
    effect;                                                    \
    return {};
#include "cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT
  }
  assert(false);
  return {};
}

}  // namespace failsim::handover
