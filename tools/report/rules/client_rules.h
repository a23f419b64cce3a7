// S7, S20: what clients were told.
#pragma once

#include <map>
#include <string>

#include "cluster/invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class ClientRules {
 public:
  explicit ClientRules(Standing& standing) : standing_(standing) {}

  void take(const WriteBegan& fact) { registers_[fact.name].write_begins(fact.value); }
  void take(const WriteAcknowledged& fact) { registers_[fact.name].write_acknowledged(fact.value); }
  void take(const WriteRefused& fact) { registers_[fact.name].write_refused(fact.value); }
  void take(const ReadSaw& fact) {
    registers_[fact.name].read(fact.name, fact.value, standing_.findings);
  }
  void take(const Answered& fact) {
    answers_.answered(fact.request, fact.answer, standing_.findings);
  }

 private:
  Standing& standing_;
  std::map<std::string, invariants::Register> registers_;
  invariants::Answers answers_;
};

}  // namespace failsim::history
