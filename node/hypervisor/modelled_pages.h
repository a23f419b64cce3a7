// The pages of a modelled VM as its source sends them: a closed form says what the guest has
// dirtied, and sending takes the time that the bytes would take.
#pragma once

#include <functional>

#include "cluster/migration/dirty_pieces.h"
#include "cluster/time.h"
#include "cluster/vm/guest_model.h"
#include "node/hypervisor/source_memory.h"
#include "node/hypervisor/source_reports.h"

namespace failsim::node {

class ModelledPages final : public SourceMemory {
 public:
  // What the guest does at the moment.
  struct Moment {
    Time executed_until = 0;  // now, or when it paused
    std::uint64_t dirty_bytes_per_second = 0;
  };
  using Look = std::function<Moment()>;
  // Takes the time for so many bytes; false if the transfer is over.
  using SendPart = std::function<bool(std::uint64_t bytes)>;

  // All is dirty at first, and the guest executes from the first look on. `reports` must outlive
  // it.
  ModelledPages(const pb::VmConfig& config, SourceReports& reports, Look look, SendPart send_part);

  std::uint64_t dirty_bytes() override;
  bool send_round() override;
  bool send_rest() override { return send_round(); }
  Rest name_rest() override { return {{}, dirty_bytes()}; }
  void catch_up() override;

 private:
  SourceReports& reports_;
  const Look look_;
  const SendPart send_part_;
  DirtyPieces pieces_;
  Time executed_until_ = 0;  // 0: nobody has looked yet
};

}  // namespace failsim::node
