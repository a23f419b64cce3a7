// What the shared volume keeps its data on. VolumeFiles writes real files; VolumeMemory belongs to
// the virtual world and can lose what was not synced.
//
// Every change is visible to later calls at once and durable when a later sync() has succeeded.
// After an error nothing more may be written: what is on the disk is then known only by opening it
// again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "storage/proto/volume.pb.h"

namespace failsim {

// What is kept of one VM, in figures: its journal itself stays on the disk.
struct VolumeVm {
  Epoch epoch;                      // of the last registration
  std::uint64_t last_counter = 0;   // 0 = nothing appended yet
  std::uint64_t state_bytes = 0;    // size of the saved state; 0 = none
  std::uint64_t partial_bytes = 0;  // of a saved state still being written
};

struct VolumeContents {
  std::uint64_t recovery_epoch = 0;
  std::map<std::string, VolumeVm> vms;
};

class VolumeDisk {
 public:
  virtual ~VolumeDisk() = default;

  // What was written before; to be called once, before anything else. What was not synced may be
  // missing, from some point on; anything else that is missing or damaged is an error.
  virtual Result<VolumeContents> load() = 0;

  virtual std::optional<Error> append(const std::string& vm, const pb::JournalRecord& record) = 0;
  // Writes `data` at `offset` of the partial state and cuts it off behind; offset 0 begins anew.
  virtual std::optional<Error> write_partial(const std::string& vm, std::uint64_t offset,
                                             std::string_view data) = 0;
  // The partial state takes the place of the saved one, completely or not at all.
  virtual std::optional<Error> publish_state(const std::string& vm) = 0;
  virtual Result<std::string> read_state(const std::string& vm, std::uint64_t offset,
                                         std::uint64_t bytes) = 0;
  // Removes everything of the VM but one record, so that its epoch cannot fall later.
  virtual std::optional<Error> reset(const std::string& vm, const pb::JournalRecord& record) = 0;
  virtual std::optional<Error> set_recovery_epoch(std::uint64_t recovery_epoch) = 0;
  virtual std::optional<Error> sync() = 0;

  // The whole journal of a VM, for checkers; empty if there is none.
  virtual Result<std::vector<pb::JournalRecord>> journal(const std::string& vm) = 0;
};

}  // namespace failsim
