// Injecting faults into a cluster of processes: finds out what a selector means now, and tells
// whoever performs the fault, each node process what it does itself and the launcher the rest.
//
// A fault that concerns several performers has one number everywhere. If one of them refuses, the
// others are healed and nothing is left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/fault/order.h"
#include "cluster/random.h"
#include "tools/failsim/client.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

// What one performer does.
struct FaultPart {
  std::uint32_t node = 0;  // 0 = the launcher
  fault::Order order;      // with every name resolved

  std::string performer() const;
};

struct InjectedFault {
  std::uint64_t id = 0;
  fault::Order order;  // as it was asked for
  std::vector<FaultPart> parts;
  std::string weakened;  // how --survivable has changed it, as a sentence; empty if it has not
};

class FaultInjector {
 public:
  // `by` says who injects, for lists and events; `seed` decides the draws of shares.
  FaultInjector(Client& client, std::string by, std::uint64_t seed)
      : client_(client), by_(std::move(by)), random_(seed) {}

  // Throws a Failure if the fault is refused: not one of processes, no such node or VM, a node that
  // is down, a cluster started without --faults.
  InjectedFault inject(const fault::Order& order);
  // Begins a new lease, as the injector's sign of life. Performers that are gone are left out.
  // False if somebody has healed it.
  bool renew(const InjectedFault& fault, Duration lease);
  // A row for each fault and performer: id, node (or "launcher"), order, kind, by, undo,
  // remaining_ms.
  json::array list();
  // The rows of what was healed; all if there is no number. A number that is nowhere in force is a
  // Failure (105).
  json::array heal(std::optional<std::uint64_t> id);

 private:
  InjectedFault plan(const fault::Order& order);
  bool is_on_packets(const fault::Order& order) const;
  std::vector<FaultPart> part_on_packets(const fault::Order& order);
  std::vector<FaultPart> parts_of_nodes(const fault::Order& order, std::vector<NodeId> nodes);
  std::vector<FaultPart> parts_of_links(const fault::Order& order);
  std::vector<FaultPart> parts_of_guests(const fault::Order& order);
  std::vector<FaultPart> parts_of_volume(const fault::Order& order);
  std::vector<NodeId> survivable(std::vector<NodeId> nodes, InjectedFault& fault);
  void check_running(const fault::Order& order, const std::vector<FaultPart>& parts) const;
  bool is_running(std::uint32_t node) const;
  bool stands_still(std::uint32_t node) const;
  void perform(const FaultPart& part, std::uint64_t id);
  json::value ask_node(std::uint32_t node, const std::string& method, const std::string& target,
                       const json::object& body = {});

  Client& client_;
  const std::string by_;
  Random random_;
};

}  // namespace failsim::cli
