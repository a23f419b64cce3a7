#include "tools/sim/network.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "tools/sim/wire.h"

namespace failsim::sim {
namespace {

using Does = LinkRule::Does;

// What a lost segment costs a stream: the minimum retransmission timeout of Linux.
constexpr Duration kRetransmission = 200 * kMillisecond;

std::size_t index(Traffic traffic) {
  return static_cast<std::size_t>(traffic);
}

std::uint64_t size_of(const Parcel& parcel) {
  return parcel.message == nullptr ? parcel.bytes : parcel.message->ByteSizeLong();
}

}  // namespace

// ---- Rules --------------------------------------------------------------------------------------

bool Network::concerns(const LinkRule& rule, Traffic traffic) {
  return !rule.only || *rule.only == traffic;
}

bool Network::has(const Link& link, Does does, Traffic traffic) {
  return std::any_of(link.rules.begin(), link.rules.end(), [&](const auto& entry) {
    return entry.second.does == does && concerns(entry.second, traffic);
  });
}

bool Network::passes(NodeId from, NodeId to) {
  const Link& used = link(from, to);
  return !has(used, Does::kCut, Traffic::kControl) && !has(used, Does::kHold, Traffic::kControl);
}

RuleId Network::add(NodeId from, NodeId to, const LinkRule& rule) {
  const RuleId id = next_rule_++;
  const bool passed = passes(from, to);
  link(from, to).rules.emplace(id, rule);
  if (changed_ && passed && !passes(from, to)) changed_(from, to, false);
  placed_.emplace(id, Ends(from, to));
  if (rule.does == Does::kCut) reset(from, to, rule.only);
  return id;
}

void Network::remove(RuleId rule) {
  const auto placed = placed_.find(rule);
  if (placed == placed_.end()) return;
  const Ends ends = placed->second;
  const bool passed = passes(ends.first, ends.second);
  placed_.erase(placed);
  links_.at(ends).rules.erase(rule);
  if (changed_ && !passed && passes(ends.first, ends.second)) {
    changed_(ends.first, ends.second, true);
  }
  release(ends);
}

void Network::reset(NodeId from, NodeId to, std::optional<Traffic> only) {
  Link& broken = link(from, to);
  for (const Traffic traffic : {Traffic::kControl, Traffic::kData, Traffic::kVolume}) {
    if (!only || *only == traffic) ++broken.breaks[index(traffic)];
  }
  // What waits on the way does not wait for ever.
  release(Ends(from, to));
}

void Network::cut(NodeId from, NodeId to) {
  Link& changed = link(from, to);
  if (!changed.cut) changed.cut = add(from, to, LinkRule{});
}

void Network::heal(NodeId from, NodeId to) {
  Link& changed = link(from, to);
  if (!changed.cut) return;
  remove(*changed.cut);
  changed.cut.reset();
}

void Network::heal_all() {
  for (auto& [ends, changed] : links_) changed.cut.reset();
  while (!placed_.empty()) remove(placed_.begin()->first);
}

const Network::Link* Network::find(NodeId from, NodeId to) const {
  const auto found = links_.find(Ends(from, to));
  return found == links_.end() ? nullptr : &found->second;
}

bool Network::is_cut(NodeId from, NodeId to) const {
  const Link* found = find(from, to);
  return found != nullptr && has(*found, Does::kCut, Traffic::kControl);
}

std::uint64_t Network::breaks(NodeId from, NodeId to, Traffic traffic) const {
  const Link* found = find(from, to);
  return found == nullptr ? 0 : found->breaks[index(traffic)];
}

bool Network::has_cuts() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& entry) {
    return std::any_of(entry.second.rules.begin(), entry.second.rules.end(),
                       [](const auto& rule) { return rule.second.does == Does::kCut; });
  });
}

std::uint64_t Network::rate(NodeId from, NodeId to, Traffic traffic) const {
  std::uint64_t slowest = std::numeric_limits<std::uint64_t>::max();
  const Link* found = find(from, to);
  if (found == nullptr) return slowest;
  for (const auto& [id, rule] : found->rules) {
    if (rule.does == Does::kRate && concerns(rule, traffic)) {
      slowest = std::min(slowest, rule.bytes_per_second);
    }
  }
  return slowest;
}

// ---- Chance -------------------------------------------------------------------------------------

bool Network::happens(std::uint32_t per_mille) {
  return per_mille > 0 && random_.below(1000) < per_mille;
}

bool Network::strikes(const Link& link, Does does, Traffic traffic) {
  bool struck = false;
  for (const auto& [id, rule] : link.rules) {
    if (rule.does == does && concerns(rule, traffic)) struck = happens(rule.per_mille) || struck;
  }
  return struck;
}

Duration Network::draw_delay(Duration from, Duration to) {
  const auto span = static_cast<std::uint64_t>(std::max(to, from) - from);
  return from + static_cast<Duration>(random_.below(span + 1));
}

// How long the parcel is on its way, rates and added delays included.
Duration Network::time_on(Link& link, const Parcel& parcel) {
  Duration time = draw_delay(quality_.delay_min, quality_.delay_max);
  Time& busy_until = link.busy_until[index(parcel.traffic)];
  Time departs = queue_.now();
  for (const auto& [id, rule] : link.rules) {
    if (!concerns(rule, parcel.traffic)) continue;
    if (rule.does == Does::kDelay) time += draw_delay(rule.delay_min, rule.delay_max);
    if (rule.does != Does::kRate) continue;
    departs = std::max(departs, busy_until) + duration_at(size_of(parcel), rule.bytes_per_second);
    busy_until = departs;
  }
  return departs - queue_.now() + time;
}

// ---- Sending ------------------------------------------------------------------------------------

void Network::send_datagram(NodeId from, NodeId to, Parcel parcel) {
  Link& used = link(from, to);
  if (!used.rules.empty()) {
    if (has(used, Does::kCut, parcel.traffic)) return;
    if (has(used, Does::kHold, parcel.traffic)) {
      used.held.push_back(Held{false, 0, std::move(parcel)});
      return;
    }
  }
  transmit_datagram(Ends(from, to), used, std::move(parcel));
}

void Network::transmit_datagram(Ends ends, Link& used, Parcel parcel) {
  const Traffic traffic = parcel.traffic;
  if (happens(quality_.loss_per_mille)) return;
  bool is_doubled = happens(quality_.duplicate_per_mille);
  Duration late = 0;
  if (!used.rules.empty()) {
    if (strikes(used, Does::kLoss, traffic)) return;
    if (strikes(used, Does::kCorrupt, traffic)) return flip(ends, parcel);
    is_doubled = strikes(used, Does::kDuplicate, traffic) || is_doubled;
    for (const auto& [id, rule] : used.rules) {
      if (rule.does != Does::kReorder || !happens(rule.per_mille)) continue;
      late += draw_delay(1, rule.delay_max);
    }
  }
  if (is_doubled) queue_.after(time_on(used, parcel), parcel.deliver);
  const Duration time = time_on(used, parcel) + late;
  queue_.after(time, std::move(parcel.deliver));
}

void Network::send_stream(NodeId from, NodeId to, Parcel parcel) {
  Link& used = link(from, to);
  if (!used.rules.empty()) {
    if (has(used, Does::kCut, parcel.traffic)) {
      if (parcel.lost) queue_.after(time_on(used, parcel), std::move(parcel.lost));
      return;
    }
    if (has(used, Does::kHold, parcel.traffic)) {
      const std::uint64_t breaks = used.breaks[index(parcel.traffic)];
      used.held.push_back(Held{true, breaks, std::move(parcel)});
      return;
    }
  }
  transmit_stream(Ends(from, to), used, std::move(parcel));
}

void Network::transmit_stream(Ends ends, Link& used, Parcel parcel) {
  const std::size_t traffic = index(parcel.traffic);
  Duration delay = time_on(used, parcel);
  bool is_broken = false;
  if (happens(quality_.loss_per_mille)) delay += kRetransmission;
  if (!used.rules.empty()) {
    if (strikes(used, Does::kLoss, parcel.traffic)) delay += kRetransmission;
    is_broken = strikes(used, Does::kCorrupt, parcel.traffic);
  }
  used.last_delivery[traffic] = std::max(used.last_delivery[traffic] + 1, queue_.now() + delay);
  if (is_broken) return arrive_broken(ends, used.last_delivery[traffic], std::move(parcel));
  queue_.at(used.last_delivery[traffic],
            [this, ends, traffic, breaks = used.breaks[traffic],
             deliver = std::move(parcel.deliver), lost = std::move(parcel.lost)] {
              if (links_.at(ends).breaks[traffic] == breaks) {
                deliver();
              } else if (lost) {
                lost();
              }
            });
}

// A receiver throws it away. Pages and requests of the volume have no bytes here; their frames are
// covered in the same way.
void Network::flip(Ends ends, const Parcel& parcel) {
  ++corrupted_;
  if (parcel.message == nullptr) return;
  const bool is_accepted = survives_flip(*parcel.message, random_);
  if (damaged_) damaged_(ends.first, ends.second, is_accepted);
}

// The checksum catches the flipped bit where the message arrives: the connection ends there.
void Network::arrive_broken(Ends ends, Time when, Parcel parcel) {
  flip(ends, parcel);
  const std::size_t traffic = index(parcel.traffic);
  queue_.at(when, [this, ends, traffic, breaks = links_.at(ends).breaks[traffic],
                   lost = std::move(parcel.lost)] {
    std::uint64_t& now = links_.at(ends).breaks[traffic];
    if (now == breaks) ++now;
    if (lost) lost();
  });
}

// What no rule holds any more goes on, in its order; what was on a broken connection is lost.
void Network::release(Ends ends) {
  Link& changed = links_.at(ends);
  std::deque<Held> held = std::exchange(changed.held, {});
  for (Held& one : held) {
    const Traffic traffic = one.parcel.traffic;
    if (one.is_stream && changed.breaks[index(traffic)] != one.breaks) {
      if (one.parcel.lost) queue_.after(1, std::move(one.parcel.lost));
    } else if (!one.is_stream && has(changed, Does::kCut, traffic)) {
      continue;
    } else if (has(changed, Does::kHold, traffic)) {
      changed.held.push_back(std::move(one));
    } else if (one.is_stream) {
      transmit_stream(ends, changed, std::move(one.parcel));
    } else {
      transmit_datagram(ends, changed, std::move(one.parcel));
    }
  }
}

}  // namespace failsim::sim
