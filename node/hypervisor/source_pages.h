// The pages of a guest as its source sends them, over all streams at once. The guest writes on
// meanwhile; the dirty bits of its memory say what has to go again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/round_sender.h"
#include "node/hypervisor/source_connections.h"
#include "node/hypervisor/source_memory.h"
#include "node/hypervisor/stream_group.h"

namespace failsim::node {

class SourcePages final : public SourceMemory {
 public:
  struct Settings {
    bool compress = false;
    HypervisorFaults* faults = nullptr;  // usually none
    // The transfer is to stand still. Asked on the thread of any stream.
    std::function<bool()> is_suspended;
  };

  // All references must outlive it; the connections are open.
  SourcePages(std::shared_ptr<GuestMemory> memory, SourceConnections& connections,
              SourceSignals& signals, SharedLink& link, SourceReports& reports, Settings settings);

  // What the first round has to send: everything,
  void mark_all() { memory_->dirty().set_all(); }
  // or what has been written since the dirty bits were cleared, and pages that have another write
  // count `there` than `here`. How many are kept: those whose counts are the same.
  std::uint64_t mark_changed(const std::vector<std::uint32_t>& there,
                             const std::vector<std::uint32_t>& here);

  std::uint64_t dirty_bytes() override { return memory_->dirty().count() * kPageBytes; }
  bool send_round() override { return send_dirty(settings_.is_suspended); }
  bool send_rest() override { return send_dirty({}); }
  Rest name_rest() override;

 private:
  bool send_dirty(const std::function<bool()>& ends_early);
  // For the fault forget-page: leaves one page out of every round. On the thread of any stream.
  void forget_page(PageRuns& runs);

  const std::shared_ptr<GuestMemory> memory_;
  SourceConnections& connections_;
  SourceSignals& signals_;
  SourceReports& reports_;
  const Settings settings_;
  std::vector<std::unique_ptr<RoundSender>> senders_;  // one a stream
  std::mutex forgetting_;
  std::optional<std::uint64_t> forgotten_page_;
  StreamGroup group_;
};

}  // namespace failsim::node
