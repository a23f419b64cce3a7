#include "tools/failsim/packet_faults.h"

#include <utility>

namespace failsim::cli {

std::optional<Error> PacketFaults::begin(std::uint64_t id, const fault::Order& order) {
  std::map<std::uint64_t, fault::Order> orders = orders_;
  orders.insert_or_assign(id, order);
  return change_to(std::move(orders));
}

std::optional<Error> PacketFaults::end(std::uint64_t id) {
  std::map<std::uint64_t, fault::Order> orders = orders_;
  if (orders.erase(id) == 0) return std::nullopt;
  return change_to(std::move(orders));
}

// Whatever faults have in common goes on as long as one of them does.
std::optional<Error> PacketFaults::change_to(std::map<std::uint64_t, fault::Order> orders) {
  PacketTreatments treatments;
  for (const auto& [id, order] : orders) {
    if (auto error = add_order(treatments, order, nodes_)) return error;
  }
  if (auto error = treat_(std::move(treatments))) return error;
  orders_ = std::move(orders);
  return std::nullopt;
}

}  // namespace failsim::cli
