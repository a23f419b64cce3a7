// The memory of the guest as its source sends it: what is dirty, in rounds while the guest writes
// on, and the rest when it has paused. There are two: pages that are sent (source_pages.h), and
// those of a modelled VM, of which only the time is taken (modelled_pages.h).
//
// Of the thread of the transfer.
#pragma once

#include <cstdint>
#include <vector>

namespace failsim::node {

class SourceMemory {
 public:
  // What will follow the guest.
  struct Rest {
    std::vector<std::uint64_t> missing;  // a bit for each page; none of a modelled VM
    std::uint64_t bytes = 0;
  };

  virtual ~SourceMemory() = default;

  // As of now.
  virtual std::uint64_t dirty_bytes() = 0;
  // What is dirty when the round comes to it, until the transfer is to stand still: the rest is
  // then left to the next round. False if the transfer is over.
  virtual bool send_round() = 0;
  // The guest has paused: all that is still dirty. False likewise.
  virtual bool send_rest() = 0;
  // The guest has paused: nothing is dirty any more, because what was will follow it.
  virtual Rest name_rest() = 0;
  // The guest's rate is about to change.
  virtual void catch_up() {}
};

}  // namespace failsim::node
