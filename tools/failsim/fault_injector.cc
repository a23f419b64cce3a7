#include "tools/failsim/fault_injector.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/fault/selector.h"
#include "tools/failsim/control.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/output.h"
#include "tools/failsim/process_faults.h"

namespace failsim::cli {
namespace {

using fault::Members;
using fault::Place;

constexpr std::chrono::milliseconds kNodeLimit{5'000};
// Between the end of the connections of a process that was killed and its own.
constexpr std::chrono::milliseconds kEndLimit{1'000};

// The cluster as its interface shows it this moment.
class Seen final : public fault::Surroundings {
 public:
  explicit Seen(Client& client) : client_(client) {}

  std::vector<NodeId> nodes() const override {
    std::vector<NodeId> all;
    for (std::uint32_t node = 1; node <= client_.description().nodes; ++node) all.push_back(node);
    return all;
  }
  NodeId leader() const override {
    return number_of(text_in(client_.get("/v1/status").as_object(), "leader"));
  }
  bool has_vm(const std::string& vm) const override { return find("/v1/vms/", vm).has_value(); }
  NodeId owner(const std::string& vm) const override {
    const std::optional<json::object> found = find("/v1/vms/", vm);
    return found ? number_of(text_in(*found, "owner_node")) : kNoNode;
  }
  NodeId migration_source(const std::string& vm) const override { return side(vm, "from"); }
  NodeId migration_target(const std::string& vm) const override { return side(vm, "to"); }

 private:
  NodeId number_of(const std::string& name) const {
    return client_.description().node_named(name).value_or(kNoNode);
  }
  std::optional<json::object> find(const std::string& path, const std::string& name) const {
    try {
      return client_.get(path + percent_encoded(name)).as_object();
    } catch (const Failure& failure) {
      if (failure.exit == exit_code(Code::kNotFound)) return std::nullopt;
      throw;
    }
  }
  NodeId side(const std::string& vm, const char* which) const {
    const std::optional<json::object> migration = find("/v1/migrations/", vm);
    if (!migration || flag_in(*migration, "is_complete")) return kNoNode;
    return number_of(text_in(*migration, which));
  }

  Client& client_;
};

Members names_of(const std::vector<NodeId>& nodes) {
  Members members;
  for (const NodeId node : nodes) {
    if (node == fault::kVolumeEnd) return Members{Members::Role::kVolume, {}};
    members.names.push_back(node_name(node));
  }
  return members;
}

FaultPart part_on(std::uint32_t performer, const fault::Order& order,
                  const std::vector<NodeId>& hit) {
  FaultPart part{performer, order};
  part.order.on = {names_of(hit), false, false, {}};
  part.order.survivable = false;
  return part;
}

template <typename T>
T must(Result<T> result) {
  if (!result) fail(result.error());
  return result.take();
}

}  // namespace

std::string FaultPart::performer() const {
  return node == 0 ? "launcher" : node_name(node);
}

InjectedFault FaultInjector::inject(const fault::Order& order) {
  InjectedFault fault = plan(order);
  fault.id = number_in(command_supervisor(client_.directory(), {{"command", "fault-id"}}), "id");
  try {
    for (const FaultPart& part : fault.parts) perform(part, fault.id);
  } catch (const Failure&) {
    try {
      heal(fault.id);
    } catch (const Failure&) {
      // Nothing of it was in force, or its lease ends it.
    }
    throw;
  }
  return fault;
}

bool FaultInjector::renew(const InjectedFault& fault, Duration lease) {
  for (FaultPart part : fault.parts) {
    part.order.lease = lease;
    try {
      perform(part, fault.id);
    } catch (const Failure& failure) {
      if (failure.error.code == Code::kOperationAborted) return false;
      const bool is_gone =
          failure.error.code == Code::kNodeDown || failure.error.code == Code::kConnectionRefused;
      if (!is_gone) throw;
    }
  }
  return true;
}

void FaultInjector::perform(const FaultPart& part, std::uint64_t id) {
  const std::string line = fault::to_text(part.order);
  if (part.node == 0) {
    command_supervisor(client_.directory(),
                       {{"command", "fault"}, {"id", id}, {"order", line}, {"by", by_}});
  } else {
    ask_node(part.node, "POST", "/v1/faults", {{"order", line}, {"id", id}, {"by", by_}});
  }
}

// ---- who does what ------------------------------------------------------------------------------

InjectedFault FaultInjector::plan(const fault::Order& order) {
  if (!order.kind->in_processes.is_performed) {
    fail(Code::kInvalidState,
         "The fault " + std::string(order.kind->name) + " is not performed on processes: " +
             std::string(order.kind->in_processes.reason) + ".",
         order.kind->in_virtual.is_performed ? "The virtual world performs it: failsim simulate."
                                             : "See the kinds there are with: failsim fault kinds");
  }
  InjectedFault fault;
  fault.order = order;
  const Seen seen(client_);
  switch (order.kind->place) {
    case Place::kNode: {
      std::vector<NodeId> nodes = must(fault::resolve_nodes(order.on, seen, random_));
      if (order.survivable) nodes = survivable(std::move(nodes), fault);
      fault.parts = is_on_packets(order) ? std::vector{part_on(0, order, nodes)}
                                         : parts_of_nodes(order, std::move(nodes));
      break;
    }
    case Place::kLink:
      fault.parts = is_on_packets(order) ? part_on_packets(order) : parts_of_links(order);
      break;
    case Place::kGuest:
      fault.parts = parts_of_guests(order);
      break;
    default:
      fault.parts = parts_of_volume(order);
  }
  check_running(order, fault.parts);
  return fault;
}

// Whether the launcher performs it on the packets of a cluster with `up --netns`.
bool FaultInjector::is_on_packets(const fault::Order& order) const {
  if (order.kind->group != "network") return false;
  const json::object command = {{"command", "fault-packets"},
                                {"kind", std::string(order.kind->name)}};
  return flag_in(command_supervisor(client_.directory(), command), "performed");
}

std::vector<FaultPart> FaultInjector::part_on_packets(const fault::Order& order) {
  const auto ends = must(fault::resolve_ends(order.on, Seen(client_), random_));
  FaultPart part{0, order};
  part.order.on.from = names_of(ends.from);
  part.order.on.to = names_of(ends.to);
  return {std::move(part)};
}

std::vector<FaultPart> FaultInjector::parts_of_nodes(const fault::Order& order,
                                                     std::vector<NodeId> nodes) {
  std::vector<FaultPart> parts;
  if (is_fault_of_nodes(order.kind->name)) {
    // Who is isolated has to know who is with it; all else is each node's own affair.
    const bool is_common = order.kind->name == "isolate";
    for (const NodeId node : nodes) {
      parts.push_back(part_on(node, order, is_common ? nodes : std::vector<NodeId>{node}));
    }
  }
  if (is_fault_of_launcher(order.kind->name)) parts.push_back(part_on(0, order, nodes));
  return parts;
}

// At the sender; the volume's ends are performed by the node at the other end.
std::vector<FaultPart> FaultInjector::parts_of_links(const fault::Order& order) {
  const auto links = must(fault::resolve_links(order.on, Seen(client_), random_));
  std::map<NodeId, std::vector<NodeId>> by_sender;
  std::map<NodeId, int> with_volume;  // 1: to it, 2: from it, 3: both
  for (const auto& [from, to] : links) {
    if (from == fault::kVolumeEnd) {
      with_volume[to] |= 2;
    } else if (to == fault::kVolumeEnd) {
      with_volume[from] |= 1;
    } else {
      by_sender[from].push_back(to);
    }
  }
  std::vector<FaultPart> parts;
  const Members volume{Members::Role::kVolume, {}};
  for (const auto& [node, directions] : with_volume) {
    FaultPart part{node, order};
    const Members self = names_of({node});
    part.order.on = directions == 2 ? fault::Selector{volume, true, false, self}
                                    : fault::Selector{self, true, directions == 3, volume};
    parts.push_back(std::move(part));
  }
  for (const auto& [node, peers] : by_sender) {
    FaultPart part{node, order};
    part.order.on = {names_of({node}), true, false, names_of(peers)};
    parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<FaultPart> FaultInjector::parts_of_guests(const fault::Order& order) {
  const Seen seen(client_);
  std::map<NodeId, std::vector<std::string>> by_owner;
  for (const std::string& vm : must(fault::resolve_vms(order.on, seen))) {
    const NodeId owner = seen.owner(vm);
    if (owner == kNoNode) {
      fail(Code::kNotReady, "VM \"" + vm + "\" has no owner now.", "Try again in a moment.");
    }
    by_owner[owner].push_back(vm);
  }
  std::vector<FaultPart> parts;
  for (const auto& [owner, vms] : by_owner) {
    FaultPart part{owner, order};
    part.order.on.from.names = vms;
    parts.push_back(std::move(part));
  }
  return parts;
}

// The launcher, or every node that could use the volume.
std::vector<FaultPart> FaultInjector::parts_of_volume(const fault::Order& order) {
  std::vector<FaultPart> parts;
  if (is_fault_of_launcher(order.kind->name)) {
    parts.push_back({0, order});
    return parts;
  }
  for (std::uint32_t node = 1; node <= client_.description().nodes; ++node) {
    if (is_running(node)) parts.push_back({node, order});
  }
  return parts;
}

// ---- what may be hit ----------------------------------------------------------------------------

// Leaves so many out that a majority of all nodes is neither Down nor hit by any fault of nodes.
std::vector<NodeId> FaultInjector::survivable(std::vector<NodeId> nodes, InjectedFault& fault) {
  std::set<std::string> whole;
  const json::value status = client_.get("/v1/status");
  for (const json::value& node : array_in(status.as_object(), "nodes")) {
    if (enum_name_in(node.as_object(), "state") == "Up") {
      whole.insert(text_in(node.as_object(), "name"));
    }
  }
  for (const json::value& row : list()) {
    const Result<fault::Order> other = fault::parse_order(text_in(row.as_object(), "order"));
    if (!other || other.value().kind->place != Place::kNode) continue;
    for (const std::string& name : other.value().on.from.names) whole.erase(name);
  }
  const std::size_t quorum = client_.description().nodes / 2 + 1;
  std::size_t spare = whole.size() > quorum ? whole.size() - quorum : 0;
  std::vector<NodeId> hit;
  std::string spared;
  for (const NodeId node : nodes) {
    const bool costs = whole.contains(node_name(node));
    if (!costs || spare > 0) {
      if (costs) --spare;
      hit.push_back(node);
    } else {
      spared += (spared.empty() ? "" : ", ") + node_name(node);
    }
  }
  if (hit.empty()) {
    fail(Code::kInvalidState,
         "The quorum cannot take " + std::string(fault.order.kind->name) + " of " + spared +
             ": of " + counted(client_.description().nodes, "node") + " only " +
             std::to_string(whole.size()) + (whole.size() == 1 ? " is whole." : " are whole."),
         "Heal a fault or start a node first, or leave --survivable out.");
  }
  if (!spared.empty()) {
    fault.weakened = "Weakened to what the quorum can take: " + spared +
                     (spared.find(',') == std::string::npos ? " is spared." : " are spared.");
  }
  return hit;
}

bool FaultInjector::is_running(std::uint32_t node) const {
  return process_of_node(client_.directory(), node_name(node)).has_value();
}

// A process that was stopped takes a request and never answers.
bool FaultInjector::stands_still(std::uint32_t node) const {
  const auto process = process_of_node(client_.directory(), node_name(node));
  return process && is_stopped(*process);
}

void FaultInjector::check_running(const fault::Order& order,
                                  const std::vector<FaultPart>& parts) const {
  for (const FaultPart& part : parts) {
    if (part.node == 0) continue;
    if (stands_still(part.node)) {
      fail(Code::kNodeNotAvailable,
           node_name(part.node) + " stands still, so " + std::string(order.kind->name) +
               " cannot be injected there.",
           "Heal that first; see: failsim fault list");
    }
    if (is_running(part.node)) continue;
    fail(Code::kNodeDown,
         node_name(part.node) + " is not running, so " + std::string(order.kind->name) +
             " cannot hit it.",
         "Start it with: failsim node start " + node_name(part.node));
  }
  if (parts.empty()) {
    fail(Code::kNodeDown, "No node is running.", "Start one with: failsim node start NODE");
  }
}

// ---- what is in force ---------------------------------------------------------------------------

json::array FaultInjector::list() {
  json::array rows =
      array_in(command_supervisor(client_.directory(), {{"command", "fault-list"}}), "faults");
  for (std::uint32_t node = 1; node <= client_.description().nodes; ++node) {
    if (!is_running(node) || stands_still(node)) continue;
    try {
      const json::value of_node = ask_node(node, "GET", "/v1/faults");
      for (const json::value& row : of_node.as_array()) rows.push_back(row);
    } catch (const Failure& failure) {
      // A process that begins or ends this moment has no faults.
      if (failure.error.code != Code::kNodeDown) throw;
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const json::value& a, const json::value& b) {
    return number_in(a.as_object(), "id") < number_in(b.as_object(), "id");
  });
  return rows;
}

// The launcher first: a process that is stopped would not listen.
json::array FaultInjector::heal(std::optional<std::uint64_t> id) {
  json::object command = {{"command", "fault-heal"}};
  if (id) command["id"] = *id;
  json::array healed = array_in(command_supervisor(client_.directory(), command), "faults");
  for (const json::value& row : list()) {
    const json::object& fault = row.as_object();
    if (id && number_in(fault, "id") != *id) continue;
    const std::optional<std::uint32_t> node =
        client_.description().node_named(text_in(fault, "node"));
    if (!node) continue;
    try {
      ask_node(*node, "DELETE", "/v1/faults/" + std::to_string(number_in(fault, "id")));
      healed.push_back(row);
    } catch (const Failure& failure) {
      const bool is_over =
          failure.error.code == Code::kNotFound || failure.error.code == Code::kNodeDown;
      if (!is_over) throw;
    }
  }
  if (id && healed.empty()) {
    fail(Code::kNotFound, "No fault " + std::to_string(*id) + " is in force.",
         "See what is with: failsim fault list");
  }
  return healed;
}

json::value FaultInjector::ask_node(std::uint32_t node, const std::string& method,
                                    const std::string& target, const json::object& body) {
  const auto process = process_of_node(client_.directory(), node_name(node));
  const HttpAnswer answer =
      client_.ask(node, method, target, body.empty() ? "" : json::serialize(body), kNodeLimit);
  if (answer.transport == Transport::kRefused) {
    fail(Code::kNodeDown, node_name(node) + " does not listen now.",
         "See what runs with: failsim node list");
  }
  if (answer.transport != Transport::kAnswered) {
    // Killed while it was asked: its connections end before it does.
    if (!process || wait_until_gone(*process, kEndLimit)) {
      fail(Code::kNodeDown, node_name(node) + " ended before it answered.",
           "See what runs with: failsim node list");
    }
    fail(Code::kConnectionRefused, node_name(node) + " does not answer: " + answer.detail + ".",
         "See what runs with: failsim node list");
  }
  const std::optional<json::value> parsed = parse_json(answer.body);
  if (answer.status / 100 == 2 && parsed) return *parsed;
  const json::object error = parse_object(answer.body).value_or(json::object{});
  fail(error_from_json(object_in(error, "error")));
}

}  // namespace failsim::cli
