#include "node/faults/switchboard.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <utility>

#include "cluster/fault/nodes_by_name.h"
#include "cluster/fault/selector.h"

namespace failsim::node {
namespace {

using fault::Members;
using fault::Place;

// A segment of a stream that was lost comes with the next retransmission.
constexpr Duration kRetransmission = 200 * kMillisecond;
constexpr std::int64_t kThousand = 1000;

// What a node process does itself; the launcher does the rest of what processes can.
constexpr std::array<std::string_view, 24> kPerformed = {
    "slow-stop",   "version-skew", "link-cut",       "isolate",        "link-hold",
    "link-delay",  "link-loss",    "link-duplicate", "link-reorder",   "link-corrupt",
    "link-rate",   "link-reset",   "clock-drift",    "timer-late",     "disk-stall",
    "disk-slow",   "disk-fail",    "volume-slow",    "volume-fail",    "guest-fail",
    "guest-crash", "guest-dirty",  "forget-page",    "memory-pressure"};

bool is_performed(std::string_view kind) {
  return std::find(kPerformed.begin(), kPerformed.end(), kind) != kPerformed.end();
}

bool names_itself(const Members& members) {
  return members.role == Members::Role::kNames || members.role == Members::Role::kAll ||
         members.role == Members::Role::kVolume;
}

Error refused(const std::string& message, const std::string& next) {
  return {Code::kInvalidParameter, message, next};
}

// The links to the volume carry requests and answers in order, and nothing else.
std::optional<Error> refuse_volume_link(const fault::Order& order) {
  const std::string_view kind = order.kind->name;
  const bool has_class = fault::find_parameter(*order.kind, "class") != nullptr;
  if (kind == "link-cut" || kind == "link-hold" || kind == "link-delay" || kind == "link-loss" ||
      kind == "link-rate") {
    const bool is_default = kind == "link-rate" || !has_class || order.value("class") == 0;
    if (is_default) return std::nullopt;
    return refused("The link to the shared volume has no classes of traffic.", "Leave class out.");
  }
  return Error{Code::kInvalidState,
               "The fault " + std::string(kind) +
                   " is not performed on the link between a node process and the shared volume.",
               "Use link-cut, link-hold, link-delay, link-loss or link-rate there."};
}

}  // namespace

bool Passage::is_clean() const {
  return !is_cut && !is_held && !is_lost && !is_doubled && !is_corrupt && delay == 0 &&
         overtaken == 0 && rate == 0;
}

Switchboard::Switchboard(std::function<Time()> clock, std::uint64_t seed)
    : clock_(std::move(clock)), random_(seed) {}

void Switchboard::set_place(NodeId self, std::vector<NodeId> nodes) {
  self_ = self;
  nodes_ = std::move(nodes);
}

// ---- what is in force ---------------------------------------------------------------------------

Result<FaultInForce> Switchboard::inject(std::uint64_t id, const fault::Order& order,
                                         const std::string& by) {
  Rule rule;
  rule.fault = {id, order, by, clock_(), clock_() + order.lease};
  if (auto error = resolve(rule)) return *error;
  const std::lock_guard lock(mutex_);
  if (healed_.contains(id)) {
    return Error{Code::kOperationAborted,
                 "The fault " + std::to_string(id) + " was healed on " + node_name(self_) + ".",
                 "Inject it again under another number if it is still wanted."};
  }
  const auto known = std::find_if(rules_.begin(), rules_.end(),
                                  [id](const Rule& other) { return other.fault.id == id; });
  if (known != rules_.end()) {
    fault::Order former = known->fault.order;
    former.lease = order.lease;
    if (former != order) {
      return Error{Code::kInvalidState,
                   "The number " + std::to_string(id) + " is that of another fault on " +
                       node_name(self_) + ": " + fault::to_text(known->fault.order) + ".",
                   "Choose another number."};
    }
    known->fault.until = rule.fault.until;
    return known->fault;
  }
  highest_id_ = std::max(highest_id_, id);
  const FaultInForce fault = rule.fault;
  if (order.kind->name == "link-reset") {
    for (const Link& link : rule.links) resets_.push_back({link, order.value("class"), id});
    rule.is_used_up = true;
  }
  rules_.push_back(std::move(rule));
  changed_.notify_all();
  return fault;
}

// Finds out which links or guest of this node the fault is about.
std::optional<Error> Switchboard::resolve(Rule& rule) const {
  const fault::Order& order = rule.fault.order;
  const std::string kind(order.kind->name);
  if (!is_performed(kind)) {
    return Error{Code::kInvalidState, "The fault " + kind + " is not one of a node process.",
                 "Inject it with: failsim fault inject " + kind};
  }
  if (!names_itself(order.on.from) || (order.on.is_link && !names_itself(order.on.to))) {
    return refused("\"" + fault::to_text(order.on) + "\" is not resolved yet.",
                   "Name the nodes here; 'failsim fault inject' resolves roles and shares.");
  }
  const fault::NodesByName names(nodes_);
  Random unused(0);
  const std::string not_here =
      "The fault " + fault::to_text(order) + " does not concern " + node_name(self_) + ".";
  if (order.kind->place == Place::kLink) {
    const auto links = fault::resolve_links(order.on, names, unused);
    if (!links) return links.error();
    for (const auto& [from, to] : links.value()) {
      const bool is_volume = from == fault::kVolumeEnd || to == fault::kVolumeEnd;
      if (is_volume) {
        if (auto error = refuse_volume_link(order)) return error;
      }
      if (from == self_ || (from == fault::kVolumeEnd && to == self_))
        rule.links.push_back({from, to});
    }
    if (rule.links.empty()) return refused(not_here, "Inject it at the node that sends.");
  } else if (order.kind->place == Place::kNode) {
    const auto hit = fault::resolve_nodes(order.on, names, unused);
    if (!hit) return hit.error();
    const auto is_hit = [&hit](NodeId node) {
      return std::find(hit.value().begin(), hit.value().end(), node) != hit.value().end();
    };
    if (!is_hit(self_)) return refused(not_here, "Inject it at the node it is to hit.");
    for (const NodeId node : nodes_) {
      if (is_hit(node)) continue;
      rule.links.push_back({self_, node});
      rule.links.push_back({node, self_});
    }
  } else if (order.kind->place == Place::kGuest) {
    rule.vms = order.on.from.names;
  }
  return std::nullopt;
}

std::optional<FaultInForce> Switchboard::heal(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto known = std::find_if(rules_.begin(), rules_.end(),
                                  [id](const Rule& rule) { return rule.fault.id == id; });
  if (known == rules_.end()) return std::nullopt;
  const FaultInForce healed = known->fault;
  rules_.erase(known);
  healed_.insert(id);
  changed_.notify_all();
  return healed;
}

void Switchboard::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

std::vector<FaultInForce> Switchboard::in_force() const {
  const std::lock_guard lock(mutex_);
  std::vector<FaultInForce> faults;
  for (const Rule& rule : rules_) {
    if (is_in_force(rule)) faults.push_back(rule.fault);
  }
  return faults;
}

std::vector<FaultInForce> Switchboard::take_ended() {
  const std::lock_guard lock(mutex_);
  std::vector<FaultInForce> ended;
  std::erase_if(rules_, [&](const Rule& rule) {
    if (is_in_force(rule)) return false;
    ended.push_back(rule.fault);
    return true;
  });
  if (!ended.empty()) changed_.notify_all();
  return ended;
}

std::uint64_t Switchboard::highest_id() const {
  const std::lock_guard lock(mutex_);
  return highest_id_;
}

bool Switchboard::is_in_force(const Rule& rule) const {
  return !is_closed_ && !rule.is_used_up && clock_() < rule.fault.until;
}

const Switchboard::Rule* Switchboard::find(std::string_view kind) const {
  for (const Rule& rule : rules_) {
    if (rule.fault.order.kind->name == kind && is_in_force(rule)) return &rule;
  }
  return nullptr;
}

// ---- links --------------------------------------------------------------------------------------

bool Switchboard::hits(const Rule& rule, NodeId from, NodeId to, Traffic traffic) const {
  const fault::Order& order = rule.fault.order;
  const bool is_of_links = order.kind->place == Place::kLink || order.kind->name == "isolate";
  if (!is_of_links || !is_in_force(rule)) return false;
  const bool is_on_it = std::any_of(rule.links.begin(), rule.links.end(), [&](const Link& link) {
    return link.from == from && link.to == to;
  });
  if (!is_on_it) return false;
  if (from == fault::kVolumeEnd || to == fault::kVolumeEnd) return true;
  if (fault::find_parameter(*order.kind, "class") == nullptr) {
    return traffic == Traffic::kHeartbeat;  // link-reorder
  }
  const std::int64_t traffic_hit = order.value("class");
  return traffic_hit == 0 || traffic_hit == static_cast<std::int64_t>(traffic);
}

Passage Switchboard::passage(NodeId from, NodeId to, Traffic traffic) {
  const std::lock_guard lock(mutex_);
  const bool is_datagram = traffic == Traffic::kHeartbeat;
  Passage passage;
  for (const Rule& rule : rules_) {
    if (!hits(rule, from, to, traffic)) continue;
    const fault::Order& order = rule.fault.order;
    const std::string_view kind = order.kind->name;
    if (kind == "link-cut" || kind == "isolate") passage.is_cut = true;
    if (kind == "link-hold") passage.is_held = true;
    if (kind == "link-delay") passage.delay += draw(order.value("min"), order.value("max"));
    if (kind == "link-loss" && happens(order.value("share"))) {
      passage.is_lost = is_datagram;
      if (!is_datagram) passage.delay += kRetransmission;
    }
    if (kind == "link-duplicate" && is_datagram && happens(order.value("share"))) {
      passage.is_doubled = true;
    }
    if (kind == "link-reorder" && happens(order.value("share"))) {
      passage.overtaken += draw(0, order.value("window"));
    }
    if (kind == "link-corrupt" && happens(order.value("share"))) passage.is_corrupt = true;
    if (kind == "link-rate") {
      const auto rate = static_cast<std::uint64_t>(order.value("rate"));
      passage.rate = passage.rate == 0 ? rate : std::min(passage.rate, rate);
    }
  }
  return passage;
}

bool Switchboard::is_cut(NodeId from, NodeId to, Traffic traffic) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    const std::string_view kind = rule.fault.order.kind->name;
    return (kind == "link-cut" || kind == "isolate") && hits(rule, from, to, traffic);
  });
}

bool Switchboard::is_held(NodeId from, NodeId to, Traffic traffic) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.fault.order.kind->name == "link-hold" && hits(rule, from, to, traffic);
  });
}

std::uint64_t Switchboard::resets(NodeId from, NodeId to, Traffic traffic) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(
      std::count_if(resets_.begin(), resets_.end(), [&](const Reset& reset) {
        return reset.link.from == from && reset.link.to == to &&
               (reset.traffic == 0 || reset.traffic == static_cast<std::int64_t>(traffic));
      }));
}

// ---- the disk -----------------------------------------------------------------------------------

Time Switchboard::stalled_until(std::string_view kind) const {
  Time until = 0;
  for (const Rule& rule : rules_) {
    if (rule.fault.order.kind->name != kind || !is_in_force(rule)) continue;
    const Duration stall = rule.fault.order.value("stall");
    until = std::max(until, stall == 0 ? rule.fault.until
                                       : std::min(rule.fault.until, rule.fault.since + stall));
  }
  return until;
}

void Switchboard::wait_for_disk(bool is_sync) {
  std::unique_lock lock(mutex_);
  Time slow_until = 0;
  if (is_sync) {
    if (const Rule* slow = find("disk-slow")) {
      const fault::Order& order = slow->fault.order;
      slow_until = clock_() + draw(order.value("min"), order.value("max"));
    }
  }
  const auto rest = [&] {
    const Time until = find("disk-slow") != nullptr ? slow_until : 0;
    return std::max(stalled_until("disk-stall"), until) - clock_();
  };
  while (!is_closed_ && rest() > 0) changed_.wait_for(lock, std::chrono::nanoseconds(rest()));
}

std::optional<DiskError> Switchboard::write_error(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (writes_fail_) return writes_fail_;
  Rule* const rule = find("disk-fail");
  if (rule == nullptr) return std::nullopt;
  rule->written_bytes += bytes;
  const auto after = static_cast<std::uint64_t>(rule->fault.order.value("after"));
  if (rule->written_bytes <= after) return std::nullopt;
  return static_cast<DiskError>(rule->fault.order.value("error"));
}

void Switchboard::fail_writes(DiskError error) {
  const std::lock_guard lock(mutex_);
  writes_fail_ = error;
}

// ---- the volume, clocks, guests -----------------------------------------------------------------

bool Switchboard::volume_refuses_writes() const {
  const std::lock_guard lock(mutex_);
  return find("volume-fail") != nullptr;
}

Duration Switchboard::volume_delay() {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = find("volume-slow");
  if (rule == nullptr) return 0;
  return draw(rule->fault.order.value("min"), rule->fault.order.value("max"));
}

Duration Switchboard::timer_lateness() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = find("timer-late");
  return rule == nullptr ? 0 : rule->fault.order.value("by");
}

Duration Switchboard::stop_delay() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = find("slow-stop");
  return rule == nullptr ? 0 : rule->fault.order.value("by");
}

bool Switchboard::speaks_another_version() const {
  const std::lock_guard lock(mutex_);
  return find("version-skew") != nullptr;
}

std::int64_t Switchboard::clock_drift_ppm() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = find("clock-drift");
  if (rule == nullptr) return 0;
  const std::int64_t ppm = rule->fault.order.value("ppm");
  return rule->fault.order.value("direction") == 0 ? ppm : -ppm;
}

std::uint64_t Switchboard::memory_pressure_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const Rule& rule : rules_) {
    if (rule.fault.order.kind->name != "memory-pressure" || !is_in_force(rule)) continue;
    bytes += static_cast<std::uint64_t>(rule.fault.order.value("bytes"));
  }
  return bytes;
}

bool Switchboard::use_guest_failure(std::string_view step) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : rules_) {
    const fault::Order& order = rule.fault.order;
    if (order.kind->name != "guest-fail" || !is_in_force(rule)) continue;
    const auto wanted = static_cast<std::size_t>(order.value("step"));
    if (fault::find_parameter(*order.kind, "step")->choices[wanted] != step) continue;
    rule.is_used_up = true;
    return true;
  }
  return false;
}

bool Switchboard::names_vm(const Rule& rule, const std::string& vm) {
  return std::find(rule.vms.begin(), rule.vms.end(), vm) != rule.vms.end();
}

bool Switchboard::use_guest_crash(const std::string& vm) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : rules_) {
    if (rule.fault.order.kind->name != "guest-crash" || !names_vm(rule, vm)) continue;
    if (!is_in_force(rule)) continue;
    std::erase(rule.vms, vm);
    rule.is_used_up = rule.vms.empty();
    return true;
  }
  return false;
}

bool Switchboard::use_forget_page() {
  const std::lock_guard lock(mutex_);
  Rule* const rule = find("forget-page");
  if (rule != nullptr) rule->is_used_up = true;
  return rule != nullptr;
}

void Switchboard::refuse_memory_once() {
  const std::lock_guard lock(mutex_);
  refuses_memory_ = true;
}

bool Switchboard::use_refused_memory() {
  const std::lock_guard lock(mutex_);
  return std::exchange(refuses_memory_, false);
}

std::optional<std::uint64_t> Switchboard::dirty_rate(const std::string& vm) const {
  const std::lock_guard lock(mutex_);
  for (const Rule& rule : rules_) {
    if (rule.fault.order.kind->name != "guest-dirty" || !names_vm(rule, vm)) continue;
    if (is_in_force(rule)) return static_cast<std::uint64_t>(rule.fault.order.value("rate"));
  }
  return std::nullopt;
}

// ---- chance -------------------------------------------------------------------------------------

std::uint64_t Switchboard::random_below(std::uint64_t n) {
  const std::lock_guard lock(mutex_);
  return random_.below(n);
}

Duration Switchboard::draw(Duration minimum, Duration maximum) {
  if (maximum <= minimum) return minimum;
  return minimum +
         static_cast<Duration>(random_.below(static_cast<std::uint64_t>(maximum - minimum) + 1));
}

bool Switchboard::happens(std::int64_t per_mille) {
  return random_.below(kThousand) < static_cast<std::uint64_t>(per_mille);
}

}  // namespace failsim::node
