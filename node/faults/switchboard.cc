#include "node/faults/switchboard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cluster/fault/selector.h"

namespace failsim::node {
namespace {

// A segment of a stream that was lost comes with the next retransmission.
constexpr Duration kRetransmission = 200 * kMillisecond;
constexpr std::int64_t kThousand = 1000;

bool names_vm(const LeasedFaults::Rule& rule, const std::string& vm) {
  return std::find(rule.reach.vms.begin(), rule.reach.vms.end(), vm) != rule.reach.vms.end();
}

}  // namespace

bool Passage::is_clean() const {
  return !is_cut && !is_held && !is_lost && !is_doubled && !is_corrupt && delay == 0 &&
         overtaken == 0 && rate == 0;
}

Switchboard::Switchboard(std::function<Time()> clock, std::uint64_t seed)
    : faults_(std::move(clock)), random_(seed) {}

void Switchboard::set_place(NodeId self, std::vector<NodeId> nodes) {
  self_ = self;
  nodes_ = std::move(nodes);
}

// ---- what is in force ---------------------------------------------------------------------------

Result<FaultInForce> Switchboard::inject(std::uint64_t id, const fault::Order& order,
                                         const std::string& by) {
  Result<Reach> reach = reach_of(order, self_, nodes_);
  if (!reach) return reach.error();
  const std::lock_guard lock(mutex_);
  const bool is_renewal = faults_.knows(id);
  const Result<FaultInForce> fault = faults_.inject(id, order, by, self_, reach.take());
  if (!fault || is_renewal) return fault;
  if (order.kind->name == "link-reset") reset_links(faults_.rules().back());
  changed_.notify_all();
  return fault;
}

// Happens at once; what connections ask later is how often it has happened.
void Switchboard::reset_links(Rule& rule) {
  for (const DirectedLink& link : rule.reach.links) {
    resets_.push_back({link, rule.fault.order.value("class")});
  }
  rule.is_used_up = true;
}

std::optional<FaultInForce> Switchboard::heal(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const std::optional<FaultInForce> healed = faults_.heal(id);
  if (healed) changed_.notify_all();
  return healed;
}

void Switchboard::close() {
  const std::lock_guard lock(mutex_);
  faults_.close();
  changed_.notify_all();
}

std::vector<FaultInForce> Switchboard::in_force() const {
  const std::lock_guard lock(mutex_);
  return faults_.in_force();
}

std::vector<FaultInForce> Switchboard::take_ended() {
  const std::lock_guard lock(mutex_);
  const std::vector<FaultInForce> ended = faults_.take_ended();
  if (!ended.empty()) changed_.notify_all();
  return ended;
}

std::uint64_t Switchboard::highest_id() const {
  const std::lock_guard lock(mutex_);
  return faults_.highest_id();
}

// ---- links --------------------------------------------------------------------------------------

bool Switchboard::hits(const Rule& rule, NodeId from, NodeId to, Traffic traffic) const {
  const fault::Order& order = rule.fault.order;
  const bool is_of_links =
      order.kind->place == fault::Place::kLink || order.kind->name == "isolate";
  if (!is_of_links || !faults_.is_in_force(rule)) return false;
  const std::vector<DirectedLink>& links = rule.reach.links;
  const bool is_on_it = std::any_of(links.begin(), links.end(), [&](const DirectedLink& link) {
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
  for (const Rule& rule : faults_.rules()) {
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
  return std::any_of(faults_.rules().begin(), faults_.rules().end(), [&](const Rule& rule) {
    const std::string_view kind = rule.fault.order.kind->name;
    return (kind == "link-cut" || kind == "isolate") && hits(rule, from, to, traffic);
  });
}

bool Switchboard::is_held(NodeId from, NodeId to, Traffic traffic) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(faults_.rules().begin(), faults_.rules().end(), [&](const Rule& rule) {
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
  for (const Rule& rule : faults_.rules()) {
    if (rule.fault.order.kind->name != kind || !faults_.is_in_force(rule)) continue;
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
    if (const Rule* slow = faults_.find("disk-slow")) {
      const fault::Order& order = slow->fault.order;
      slow_until = now() + draw(order.value("min"), order.value("max"));
    }
  }
  const auto rest = [&] {
    const Time until = faults_.find("disk-slow") != nullptr ? slow_until : 0;
    return std::max(stalled_until("disk-stall"), until) - now();
  };
  while (!faults_.is_closed() && rest() > 0) {
    changed_.wait_for(lock, std::chrono::nanoseconds(rest()));
  }
}

std::optional<DiskError> Switchboard::write_error(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (writes_fail_) return writes_fail_;
  Rule* const rule = faults_.find("disk-fail");
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
  return faults_.find("volume-fail") != nullptr;
}

Duration Switchboard::volume_delay() {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = faults_.find("volume-slow");
  if (rule == nullptr) return 0;
  return draw(rule->fault.order.value("min"), rule->fault.order.value("max"));
}

Duration Switchboard::timer_lateness() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = faults_.find("timer-late");
  return rule == nullptr ? 0 : rule->fault.order.value("by");
}

Duration Switchboard::stop_delay() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = faults_.find("slow-stop");
  return rule == nullptr ? 0 : rule->fault.order.value("by");
}

bool Switchboard::speaks_another_version() const {
  const std::lock_guard lock(mutex_);
  return faults_.find("version-skew") != nullptr;
}

std::int64_t Switchboard::clock_drift_ppm() const {
  const std::lock_guard lock(mutex_);
  const Rule* const rule = faults_.find("clock-drift");
  if (rule == nullptr) return 0;
  const std::int64_t ppm = rule->fault.order.value("ppm");
  return rule->fault.order.value("direction") == 0 ? ppm : -ppm;
}

std::uint64_t Switchboard::memory_pressure_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const Rule& rule : faults_.rules()) {
    if (rule.fault.order.kind->name != "memory-pressure" || !faults_.is_in_force(rule)) continue;
    bytes += static_cast<std::uint64_t>(rule.fault.order.value("bytes"));
  }
  return bytes;
}

bool Switchboard::use_guest_failure(std::string_view step) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : faults_.rules()) {
    const fault::Order& order = rule.fault.order;
    if (order.kind->name != "guest-fail" || !faults_.is_in_force(rule)) continue;
    const auto wanted = static_cast<std::size_t>(order.value("step"));
    if (fault::find_parameter(*order.kind, "step")->choices[wanted] != step) continue;
    rule.is_used_up = true;
    return true;
  }
  return false;
}

bool Switchboard::use_guest_crash(const std::string& vm) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : faults_.rules()) {
    if (rule.fault.order.kind->name != "guest-crash" || !names_vm(rule, vm)) continue;
    if (!faults_.is_in_force(rule)) continue;
    std::erase(rule.reach.vms, vm);
    rule.is_used_up = rule.reach.vms.empty();
    return true;
  }
  return false;
}

bool Switchboard::use_forget_page() {
  const std::lock_guard lock(mutex_);
  Rule* const rule = faults_.find("forget-page");
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
  for (const Rule& rule : faults_.rules()) {
    if (rule.fault.order.kind->name != "guest-dirty" || !names_vm(rule, vm)) continue;
    if (!faults_.is_in_force(rule)) continue;
    return static_cast<std::uint64_t>(rule.fault.order.value("rate"));
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
