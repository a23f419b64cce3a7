// What guests did, as the node processes and the shared volume wrote it down, told to a witness.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/migration/handover.h"
#include "cluster/time.h"
#include "storage/proto/observation.pb.h"
#include "tools/report/checker.h"

namespace failsim::cli {

class RecordedGuests {
 public:
  explicit RecordedGuests(history::Checker& checker) : checker_(checker) {}

  // Of a node process. Times in it are on the clock of the run.
  void happened(const handover::Process& process, const pb::Observation& observation);
  // Told once more, later: when its last quantum began, a guest that stopped had a lease or not.
  void ran_last(const handover::Process& process, const std::string& vm, Time at);
  void volume_wrote(const pb::Observation::VolumeWrote& wrote);
  // The lease of the process lasts until then.
  void lease_lasts(const handover::Process& process, Time until);
  void ended(const handover::Process& process);

  // What the process holds now.
  invariants::Holdings holdings(const handover::Process& process) const;

 private:
  struct Guest {
    std::uint64_t boot_id = 0;
    bool is_held_by_transfer = false;
  };
  struct Site {  // of a process
    Time lease_until = 0;
    std::map<std::string, Epoch> executing;
    std::map<std::string, Guest> guests;
    std::set<std::pair<std::string, TaskId>> transfers;
  };
  struct Journal {
    Epoch epoch;
    std::uint64_t counter = 0;
    handover::Process writer;
  };

  void round_ended(NodeId node, const pb::Observation::RoundEnded& round);
  void record(const std::string& vm, const Epoch& epoch, std::uint64_t counter,
              const handover::Process& writer);

  history::Checker& checker_;
  std::map<handover::Process, Site> sites_;
  std::map<std::string, Journal> journals_;
};

}  // namespace failsim::cli
