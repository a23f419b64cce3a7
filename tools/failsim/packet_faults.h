// The faults of the network that are performed on packets, on the bridge of a cluster that was
// started with `up --netns`. Their leases and lists are those of the launcher (process_faults.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "tools/failsim/packet_rules.h"

namespace failsim::cli {

class PacketFaults {
 public:
  // Makes the packets of the cluster be treated so, or says why they go on as before.
  using Treat = std::function<std::optional<Error>(PacketTreatments)>;

  PacketFaults(std::uint32_t nodes, KernelSkills skills, Treat treat)
      : nodes_(nodes), skills_(skills), treat_(std::move(treat)) {}

  bool performs(std::string_view kind) const { return is_fault_of_packets(kind, skills_); }
  // The order names its nodes and is one of those performed. If there is an error nothing changed.
  std::optional<Error> begin(std::uint64_t id, const fault::Order& order);
  // To be repeated if there is an error: the fault goes on. Nothing happens if it is none of these.
  std::optional<Error> end(std::uint64_t id);

 private:
  std::optional<Error> change_to(std::map<std::uint64_t, fault::Order> orders);

  const std::uint32_t nodes_;
  const KernelSkills skills_;
  const Treat treat_;
  std::map<std::uint64_t, fault::Order> orders_;  // in force
};

}  // namespace failsim::cli
