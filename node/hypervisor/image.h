// What a migration's target holds when everything has arrived: a guest that only waits to be
// ordered into being.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/time.h"
#include "cluster/vm/guest_model.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/presence_map.h"

namespace failsim::node {

// What checking every page against its write count has shown.
struct PageCheck {
  std::uint64_t pages = 0;
  std::optional<std::uint64_t> first_mismatch;

  bool match() const { return !first_mismatch.has_value(); }
};

struct Image {
  std::string vm;
  TaskId job = 0;
  std::uint64_t attempt = 0;
  std::uint64_t boot_id = 0;
  std::shared_ptr<GuestMemory> memory;
  // Post-copy: which pages are here. Of a modelled VM one page stands for all.
  std::shared_ptr<PresenceMap> presence;
  DeviceState state;
  pb::MigrationParameters parameters;
  pb::MigrationStatistics statistics;  // the source's part
  Time frozen_at = 0;                  // at the source; see Guest::report_resumed
  Time released_at = 0;                // at the source
  Time received_at = 0;
  Time held_at = 0;                // after a check before the resume, if one was asked for
  std::optional<PageCheck> check;  // of all pages, if made before the resume
};

// The source of a transfer, waiting for its guest to stop.
struct FreezeObserver {
  virtual ~FreezeObserver() = default;
  // Called on the guest thread, in this order, each at most once.
  virtual void guest_stopped(Time at) = 0;                   // it executes no more
  virtual void guest_drained(const DeviceState& state) = 0;  // nor has it any request at its disk
  virtual void guest_unavailable(const std::string& why) = 0;
  virtual bool dropped() const = 0;
};

}  // namespace failsim::node
