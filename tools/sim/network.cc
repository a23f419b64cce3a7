#include "tools/sim/network.h"

#include <algorithm>

namespace failsim::sim {
namespace {

// What a lost segment costs a stream: the minimum retransmission timeout of Linux.
constexpr Duration kRetransmission = 200 * kMillisecond;

}  // namespace

void Network::set_quality(NodeId from, NodeId to, const LinkQuality& quality) {
  Link& changed = link(from, to);
  changed.has_quality = true;
  changed.quality = quality;
}

void Network::reset_quality(NodeId from, NodeId to) {
  link(from, to).has_quality = false;
}

void Network::cut(NodeId from, NodeId to) {
  Link& changed = link(from, to);
  if (changed.is_cut) return;
  changed.is_cut = true;
  ++changed.breaks;
  ++cuts_;
}

void Network::heal(NodeId from, NodeId to) {
  Link& changed = link(from, to);
  if (!changed.is_cut) return;
  changed.is_cut = false;
  --cuts_;
}

void Network::heal_all() {
  for (auto& [ends, changed] : links_) {
    changed.is_cut = false;
    changed.has_quality = false;
  }
  cuts_ = 0;
}

const Network::Link* Network::find(NodeId from, NodeId to) const {
  const auto found = links_.find(std::pair(from, to));
  return found == links_.end() ? nullptr : &found->second;
}

bool Network::is_cut(NodeId from, NodeId to) const {
  const Link* found = find(from, to);
  return found != nullptr && found->is_cut;
}

std::uint64_t Network::breaks(NodeId from, NodeId to) const {
  const Link* found = find(from, to);
  return found == nullptr ? 0 : found->breaks;
}

const LinkQuality& Network::quality_of(const Link& link) const {
  return link.has_quality ? link.quality : quality_;
}

bool Network::happens(std::uint32_t per_mille) {
  return per_mille > 0 && random_.below(1000) < per_mille;
}

Duration Network::draw_delay(const LinkQuality& quality) {
  const auto span = static_cast<std::uint64_t>(quality.delay_max - quality.delay_min);
  return quality.delay_min + static_cast<Duration>(random_.below(span + 1));
}

void Network::send_datagram(NodeId from, NodeId to, Deliver deliver) {
  const Link& used = link(from, to);
  if (used.is_cut) return;
  const LinkQuality& quality = quality_of(used);
  if (quality.drops_datagrams || happens(quality.loss_per_mille)) return;
  if (happens(quality.duplicate_per_mille)) queue_.after(draw_delay(quality), deliver);
  queue_.after(draw_delay(quality), std::move(deliver));
}

void Network::send_stream(NodeId from, NodeId to, Deliver deliver, Deliver lost) {
  Link& used = link(from, to);
  const LinkQuality& quality = quality_of(used);
  Duration delay = draw_delay(quality);
  if (happens(quality.loss_per_mille)) delay += kRetransmission;
  if (used.is_cut) {
    if (lost) queue_.after(delay, std::move(lost));
    return;
  }
  used.last_delivery = std::max(used.last_delivery + 1, queue_.now() + delay);
  queue_.at(used.last_delivery, [this, from, to, breaks = used.breaks, deliver = std::move(deliver),
                                 lost = std::move(lost)] {
    if (this->breaks(from, to) == breaks) {
      deliver();
    } else if (lost) {
      lost();
    }
  });
}

}  // namespace failsim::sim
