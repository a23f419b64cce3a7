// The trace of a world: one hash over every fact of it, and the facts as lines if somebody reads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string_view>

#include "cluster/ids.h"
#include "cluster/time.h"

namespace failsim::sim {

class Trace {
 public:
  // `lines` may be null.
  explicit Trace(std::ostream* lines) : lines_(lines) {}

  // A fact: what happened to which node (kNoNode: to none), and the numbers that make it this one.
  void note(Time now, NodeId node, std::string_view kind,
            std::initializer_list<std::uint64_t> numbers, std::string_view text = {});

  std::uint64_t hash() const { return hash_; }
  bool is_read() const { return lines_ != nullptr; }

 private:
  void mix(std::uint64_t number);
  void mix(std::string_view text);

  std::uint64_t hash_ = 0x9e3779b97f4a7c15u;
  std::ostream* lines_;
};

}  // namespace failsim::sim
