// A recorded cluster told once more, as the virtual world tells a run of its own: the same witness
// looks at every step of every member, and the same judge hears what it says.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tools/failsim/recorded_cluster.h"
#include "tools/failsim/recorded_faults.h"
#include "tools/failsim/recorded_guests.h"
#include "tools/failsim/recorded_process.h"
#include "tools/report/checker.h"

namespace failsim::cli {

// What somebody else saw of the same run, for example who wrote and read.
struct SeenFact {
  Time at = 0;  // by the kernel's clock
  history::Fact fact;
};

class Retelling {
 public:
  // `cluster` outlives it, and so does `sink`, if any, which gets every fact. `seen` is in order.
  Retelling(const RecordedCluster& cluster, std::vector<SeenFact> seen, history::Sink* sink);

  // Tells what happened before this time (the kernel's), as far as it is known, and everything that
  // was seen until then.
  void tell_until(Time until);
  // The cluster was whole and at rest at the end: then nothing may be left over, every replica has
  // the same state and every VM was followed on its way.
  void tell_rest();

  const history::Checker& checker() const { return checker_; }
  // On the clock of the run, which is 0 at the first thing that was recorded.
  Time now() const { return now_; }

 private:
  struct LastQuantum {  // of a guest that stopped
    Time at = 0;
    const Observed* stopped = nullptr;
  };

  void form();
  Time on_run_clock(Time kernel) const { return kernel - cluster_.began_at; }
  bool tell_next(Time until);
  void tell(const Observed& observed);
  void start(RecordedProcess& process);
  void step(RecordedProcess& process);
  void end(RecordedProcess& process);
  void process_ended(const pb::Observation::ProcessEnded& ended);
  RecordedProcess* running(NodeId node);

  const RecordedCluster& cluster_;
  const std::vector<SeenFact> seen_;
  Time now_ = 0;
  history::Checker checker_;
  RecordedGuests guests_;
  RecordedFaults faults_;
  RecordedMail mail_;
  std::deque<RecordedProcess> processes_;
  std::deque<const Recording*> to_start_;  // by time; the same places in processes_
  std::vector<LastQuantum> last_quanta_;   // by time
  std::size_t next_start_ = 0;
  std::size_t next_observed_ = 0;
  std::size_t next_quantum_ = 0;
  std::size_t next_seen_ = 0;
  bool is_over_ = false;
};

}  // namespace failsim::cli
