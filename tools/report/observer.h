// Who sees what guests do: the checkers of a world.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/ids.h"
#include "cluster/migration/handover.h"
#include "cluster/time.h"
#include "tools/report/fact.h"

namespace failsim::history {

class Observer {
 public:
  virtual ~Observer() = default;

  // The guest executes under this epoch from now on, until it stops or until its lease is over.
  virtual void guest_executes(const handover::Process& process, const std::string& vm,
                              const Epoch& epoch, Time until) = 0;
  virtual void guest_stops(const handover::Process& process, const std::string& vm) = 0;
  // The source's guest stands still for the Move of this job.
  virtual void source_paused(const handover::Process& process, const std::string& vm,
                             TaskId job) = 0;
  // The source's release has come, and with it everything.
  virtual void target_holds_all(const handover::Process& process, const std::string& vm,
                                TaskId job) = 0;
  // Post-copy: the same, but for the pages that follow; and the last of them, at the owner.
  virtual void target_holds_state(const handover::Process& process, const std::string& vm,
                                  TaskId job) = 0;
  virtual void target_holds_pages(const handover::Process& process, const std::string& vm,
                                  TaskId job) = 0;
  // A guest executes for the first time here and believes that its journal ends with this counter.
  virtual void guest_begins(NodeId node, const std::string& vm, std::uint64_t counter) = 0;
  virtual void memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) = 0;
  // The image that resumed was compared with what the source had.
  virtual void image_verified(NodeId node, const std::string& vm, TaskId job, bool match) = 0;
  virtual void round_ended(history::RoundEnded round) = 0;
};

}  // namespace failsim::history
