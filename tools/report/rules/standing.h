// What the families of rules share while a run is judged.
//
// A family holds the checkers of the invariants that belong together. It has a method take() for
// each kind of fact that one of them is about, and none for the others (judge.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"
#include "tools/report/fact.h"

namespace failsim::history {

struct Standing {
  Time now = 0;
  invariants::Findings findings;
  // What broke a rule while an assumption of it was broken: no fault of the product.
  invariants::Findings broken_assumptions;
  // Clocks run apart by no more than leases allow. Once broken, the assumption stays so: a lease
  // that was given under such a clock may still be in force when the clock is right again.
  bool clocks_are_bounded = true;
  // Of the event of record that is being judged: no replica has applied it before.
  bool is_first_seen = false;

  // Of rules that rest on clocks.
  invariants::Findings& of_clocks() { return clocks_are_bounded ? findings : broken_assumptions; }
};

// The field of this name; null if the event has none.
inline const pb::EventRecord::Field* field(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return &field;
  }
  return nullptr;
}

// The VM that the event is about: what follows "vm/" in its object.
inline std::string vm_of(const pb::EventRecord& event) {
  constexpr std::size_t kKind = 3;
  return event.object().substr(std::min(event.object().size(), kKind));
}

}  // namespace failsim::history
