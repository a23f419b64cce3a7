#include "tools/sim/failpoints.h"

#include <utility>

namespace failsim::sim {

Failpoints::Id Failpoints::arm(fault::PointId point, std::vector<fault::Term> terms,
                               Perform perform) {
  std::vector<std::uint32_t> used(terms.size(), 0);
  armed_.emplace(++last_, Armed{point, std::move(terms), std::move(used), std::move(perform)});
  return last_;
}

void Failpoints::disarm(Id id) {
  armed_.erase(id);
}

const fault::Term* Failpoints::draw(Armed& armed) {
  for (std::size_t i = 0; i < armed.terms.size(); ++i) {
    const fault::Term& term = armed.terms[i];
    if (term.times != 0 && armed.used[i] >= term.times) continue;
    if (term.per_mille < 1000 && random_.below(1000) >= term.per_mille) continue;
    ++armed.used[i];
    return &term;
  }
  return nullptr;
}

Passing Failpoints::pass(NodeId node, const std::vector<fault::Passage>& passages) {
  Passing passing;
  for (const fault::Passage& passage : passages) {
    ++hits_[passage.point];
    // What is performed may disarm: each is looked up anew.
    for (auto next = armed_.begin(); next != armed_.end();) {
      const Id id = next->first;
      if (next->second.point == passage.point) {
        if (const fault::Term* term = draw(next->second)) {
          const fault::Term performed = *term;
          const Perform perform = next->second.perform;
          perform(performed, passage.point, node, passage.vm, passing);
        }
      }
      next = armed_.upper_bound(id);
    }
  }
  return passing;
}

}  // namespace failsim::sim
