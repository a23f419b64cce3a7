// What lies on the way of a step from its event to its last word: the named points, for a node that
// was started with `--faults` (node/faults/ passes them). The loop calls these in the order in
// which cluster/fault/failpoint.h has the points.
#pragma once

#include <cstdint>

#include "cluster/effects.h"
#include "cluster/member.h"

namespace failsim::node {

class StepPoints {
 public:
  virtual ~StepPoints() = default;

  // The event is about to be stepped through. False: it is lost instead.
  virtual bool may_receive(const Member& member, const Event& event) = 0;
  // A step was taken and nothing of it is performed yet; messages that are to be lost are taken out
  // of the effects.
  virtual void stepped(const Member& member, Effects& effects) = 0;
  // Its send_now has left.
  virtual void sent() = 0;
  // Whether its batch passes points: it is written by itself then.
  virtual bool writes_alone() const = 0;
  // The batch is about to be handed to the disk.
  virtual void before_write() = 0;
  // Its `after` waits for this batch, as items number `first` to before `end` of all there were.
  virtual void awaits(std::uint64_t sequence, std::uint64_t first, std::uint64_t end) = 0;
  // All batches up to this one are written; the member has not been told.
  virtual void written(std::uint64_t sequence) = 0;
  // The `after` item of this number is about to be performed. False: it is lost instead.
  virtual bool may_say(std::uint64_t number) = 0;
  virtual void said(std::uint64_t number) = 0;
};

}  // namespace failsim::node
