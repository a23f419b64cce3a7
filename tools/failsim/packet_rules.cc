#include "tools/failsim/packet_rules.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "cluster/fault/nodes_by_name.h"
#include "cluster/fault/selector.h"
#include "cluster/random.h"

namespace failsim::cli {
namespace {

using fault::Order;
using Link = std::pair<NodeId, NodeId>;

constexpr std::array<std::string_view, 4> kByAnyKernel = {"link-cut", "isolate", "link-loss",
                                                          "link-rate"};
// Not link-duplicate: a netem that doubles packets tolerates no other netem beside it. What a
// stream has twice it throws away, and heartbeats the processes double as well.
constexpr std::array<std::string_view, 3> kByNetem = {"link-delay", "link-reorder", "link-corrupt"};
constexpr std::int64_t kAlways = 1'000;                     // per mille
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 33;  // bytes a second
constexpr std::uint64_t kLongestQueue = std::uint64_t{1} << 30;
constexpr std::uint64_t kShortestQueue = 64 * 1024;  // bytes
constexpr std::uint64_t kQueuesPerSecond = 10;       // a queue holds a tenth of one

bool contains(const auto& all, const auto& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

Error no_classes() {
  return {Code::kInvalidParameter, "The link to the shared volume has no classes of traffic.",
          "Leave class out."};
}

// ---- from orders to treatments ------------------------------------------------------------------

Result<std::vector<Link>> links_of(const Order& order, std::uint32_t count) {
  std::vector<NodeId> nodes;
  for (NodeId node = 1; node <= count; ++node) nodes.push_back(node);
  const fault::NodesByName names(nodes);
  Random unused(0);
  if (order.on.is_link) return fault::resolve_links(order.on, names, unused);
  const auto isolated = fault::resolve_nodes(order.on, names, unused);
  if (!isolated) return isolated.error();
  std::vector<Link> links;
  for (const NodeId node : isolated.value()) {
    for (const NodeId other : nodes) {
      if (contains(isolated.value(), other)) continue;
      links.insert(links.end(), {{node, other}, {other, node}});
    }
  }
  return links;
}

Result<std::vector<PacketClass>> classes_of(const Order& order, const Link& link) {
  using enum PacketClass;
  const bool is_volume = link.first == fault::kVolumeEnd || link.second == fault::kVolumeEnd;
  const fault::Parameter* const parameter = fault::find_parameter(*order.kind, "class");
  if (parameter == nullptr) {  // link-reorder
    if (is_volume) return no_classes();
    return std::vector{kHeartbeat};
  }
  const std::int64_t wanted = order.value("class");
  if (is_volume) {
    if (wanted != 0 && wanted != parameter->fallback) return no_classes();
    return std::vector{kOther};
  }
  if (wanted == 0) return std::vector{kOther, kHeartbeat, kControl, kData};
  return std::vector{static_cast<PacketClass>(wanted)};
}

void add(PacketTreatment& treatment, const Order& order) {
  const std::string_view kind = order.kind->name;
  if (kind == "link-cut" || kind == "isolate") treatment.is_cut = true;
  if (kind == "link-loss") treatment.losses.push_back(order.value("share"));
  if (kind == "link-rate") {
    const auto rate = static_cast<std::uint64_t>(order.value("rate"));
    std::uint64_t& limit = treatment.rate_bytes_per_s;
    limit = limit == 0 ? rate : std::min(limit, rate);
  }
  if (kind == "link-delay") {
    treatment.delay_min_ns += order.value("min");
    treatment.delay_max_ns += std::max(order.value("min"), order.value("max"));
  }
  if (kind == "link-corrupt") {
    treatment.corrupt = std::min(kAlways, treatment.corrupt + order.value("share"));
  }
  if (kind == "link-reorder") {
    treatment.overtaken.push_back(order.value("share"));
    treatment.window_ns = std::max(treatment.window_ns, order.value("window"));
  }
}

// ---- texts --------------------------------------------------------------------------------------

std::string_view word_of(PacketClass traffic) {
  constexpr std::array<std::string_view, 4> kWords = {"other", "heartbeat", "control", "data"};
  return kWords[static_cast<std::size_t>(traffic)];
}

std::string address_of(NodeId end, const ClusterDescription& description) {
  return end == fault::kVolumeEnd ? description.volume_address() : description.node_address(end);
}

std::string chain_of(const Flow& flow) {
  std::string name = port_of(flow.from) + "_to_" + port_of(flow.to) + "_";
  name += word_of(flow.traffic);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// How a packet of the class is told; what is told by either of two ports needs two rules.
std::vector<std::string> matches_of(PacketClass traffic) {
  const std::string peer = std::to_string(kPeerPort);
  const std::string migration = std::to_string(kMigrationPort);
  switch (traffic) {
    case PacketClass::kHeartbeat:
      return {"udp dport " + peer};
    case PacketClass::kControl:
      return {"tcp dport " + peer, "tcp sport " + peer};
    case PacketClass::kData:
      return {"tcp dport " + migration, "tcp sport " + migration};
    default:
      return {""};
  }
}

// A queue has a number of its own on the port of its receiver: one for each sender and class, and
// another for those that are to be overtaken.
std::string queue_of(const Flow& flow, bool is_overtaken) {
  const std::uint32_t sender = flow.from == fault::kVolumeEnd ? 0 : flow.from;
  const std::uint32_t number =
      8 * sender + 2 * static_cast<std::uint32_t>(flow.traffic) + (is_overtaken ? 1 : 0);
  std::ostringstream text;
  text << "1:" << std::hex << number + 1;
  return text.str();
}

std::string chance(std::int64_t per_mille) {
  if (per_mille >= kAlways) return "";
  return "numgen random mod 1000 < " + std::to_string(per_mille) + " ";
}

void write_chain(std::ostream& out, const Flow& flow, const PacketTreatment& treatment) {
  out << "  chain " << chain_of(flow) << " {\n";
  if (treatment.is_cut) out << "    drop\n";
  for (const std::int64_t loss : treatment.losses) out << "    " << chance(loss) << "drop\n";
  if (treatment.is_queued()) {
    out << "    meta priority set " << queue_of(flow, false) << "\n";
    for (const std::int64_t share : treatment.overtaken) {
      out << "    " << chance(share) << "meta priority set " << queue_of(flow, true) << "\n";
    }
  }
  out << "  }\n";
}

std::string percent(std::int64_t per_mille) {
  return std::to_string(per_mille / 10) + "." + std::to_string(per_mille % 10) + "%";
}

std::string microseconds(Duration duration) {
  return std::to_string(duration / kMicrosecond) + "us";
}

// What holds the packets of one queue.
std::string discipline(const PacketTreatment& treatment, bool is_overtaken) {
  const Duration latest = treatment.delay_max_ns + (is_overtaken ? treatment.window_ns : 0);
  const std::uint64_t rate =
      treatment.rate_bytes_per_s == 0 ? kNoLimit : treatment.rate_bytes_per_s;
  const std::uint64_t bytes = std::max(kShortestQueue, rate / kQueuesPerSecond);
  if (latest == 0 && treatment.corrupt == 0) {
    return "bfifo limit " + std::to_string(std::min(bytes, kLongestQueue));
  }
  std::string text = "netem limit 100000";
  if (latest > 0) {
    // Drawn uniformly from the mean and as much to either side.
    text += " delay " + microseconds((treatment.delay_min_ns + latest) / 2) + " " +
            microseconds((latest - treatment.delay_min_ns) / 2);
  }
  if (treatment.corrupt > 0) text += " corrupt " + percent(treatment.corrupt);
  return text;
}

struct Queue {
  std::uint64_t rate_bytes_per_s = 0;
  std::string discipline;
  bool operator==(const Queue&) const = default;
};
using Queues = std::map<std::pair<std::string, std::string>, Queue>;  // by port and number

Queues queues_of(const PacketTreatments& treatments) {
  Queues queues;
  for (const auto& [flow, treatment] : treatments) {
    if (!treatment.is_queued()) continue;
    const std::uint64_t rate =
        treatment.rate_bytes_per_s == 0 ? kNoLimit : treatment.rate_bytes_per_s;
    const std::string port = port_of(flow.to);
    queues[{port, queue_of(flow, false)}] = {rate, discipline(treatment, false)};
    if (treatment.overtaken.empty()) continue;
    queues[{port, queue_of(flow, true)}] = {rate, discipline(treatment, true)};
  }
  return queues;
}

}  // namespace

bool is_fault_of_packets(std::string_view kind, KernelSkills skills) {
  return contains(kByAnyKernel, kind) || (skills.netem && contains(kByNetem, kind));
}

bool PacketTreatment::is_queued() const {
  return rate_bytes_per_s > 0 || delay_max_ns > 0 || corrupt > 0 || !overtaken.empty();
}

std::optional<Error> add_order(PacketTreatments& treatments, const Order& order,
                               std::uint32_t nodes) {
  const auto links = links_of(order, nodes);
  if (!links) return links.error();
  for (const Link& link : links.value()) {
    const auto classes = classes_of(order, link);
    if (!classes) return classes.error();
    for (const PacketClass traffic : classes.value()) {
      add(treatments[{link.first, link.second, traffic}], order);
    }
  }
  return std::nullopt;
}

std::string port_of(NodeId end) {
  return end == fault::kVolumeEnd ? "volume" : node_name(end);
}

std::string filter_script(const PacketTreatments& treatments,
                          const ClusterDescription& description) {
  // A table that is not there cannot be deleted; one that is there is added without effect.
  std::ostringstream out;
  out << "table bridge failsim\ndelete table bridge failsim\ntable bridge failsim {\n";
  for (const auto& [flow, treatment] : treatments) write_chain(out, flow, treatment);
  out << "  chain links {\n    type filter hook forward priority 0; policy accept;\n";
  const auto write_rules = [&](bool of_no_class) {
    for (const auto& [flow, treatment] : treatments) {
      if ((flow.traffic == PacketClass::kOther) != of_no_class) continue;
      for (const std::string& match : matches_of(flow.traffic)) {
        out << "    ip saddr " << address_of(flow.from, description) << " ip daddr "
            << address_of(flow.to, description) << " " << match << (match.empty() ? "" : " ")
            << "goto " << chain_of(flow) << "\n";
      }
    }
  };
  write_rules(false);
  write_rules(true);
  out << "  }\n}\n";
  return out.str();
}

std::string queue_script(const PacketTreatments& former, const PacketTreatments& wanted) {
  const Queues there = queues_of(former);
  const Queues queues = queues_of(wanted);
  std::ostringstream out;
  for (const auto& [place, queue] : queues) {
    const auto found = there.find(place);
    if (found != there.end() && found->second == queue) continue;
    const auto& [port, number] = place;
    out << "class replace dev " << port << " parent 1: classid " << number << " htb rate "
        << queue.rate_bytes_per_s << "bps ceil " << queue.rate_bytes_per_s << "bps quantum 1514\n";
    out << "qdisc replace dev " << port << " parent " << number << " " << queue.discipline << "\n";
  }
  for (const auto& [place, queue] : there) {
    if (queues.contains(place)) continue;
    out << "class del dev " << place.first << " classid " << place.second << "\n";
  }
  return out.str();
}

}  // namespace failsim::cli
