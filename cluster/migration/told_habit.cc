#include "cluster/migration/told_habit.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace failsim {

void tell_habit(const DirtyHabit& habit, pb::PeerMessage::LiveReply& reply) {
  if (habit.is_sweep()) {
    reply.mutable_sweep()->set_position(habit.position());
    reply.mutable_sweep()->set_length_bytes(habit.working_set_bytes());
    reply.mutable_sweep()->set_bytes_per_second(habit.steps_per_second());
    return;
  }
  const DirtyCurve curve = habit.curve();
  for (const DirtySpread& spread : curve.seen()) {
    pb::PeerMessage::DirtyPoint& point = *reply.add_dirty_curve();
    point.set_elapsed_ns(spread.elapsed);
    point.mutable_bytes()->Add(spread.bytes.begin(), spread.bytes.end());
  }
  pb::PeerMessage::DirtyPoint& ever = *reply.add_dirty_curve();
  ever.set_elapsed_ns(kNever);
  for (std::size_t i = 0; i < kDirtyParts; ++i) ever.add_bytes(curve.written_bytes() / kDirtyParts);
}

std::optional<DirtyHabit> habit_told(const pb::PeerMessage::LiveReply& reply,
                                     std::uint64_t memory_bytes) {
  if (reply.has_sweep()) {
    const pb::PeerMessage::Sweep& sweep = reply.sweep();
    const std::uint64_t length = std::min(sweep.length_bytes(), memory_bytes);
    if (length == 0) return std::nullopt;
    return DirtyHabit::sweep({sweep.bytes_per_second(), length}, sweep.position() % length);
  }
  std::vector<DirtySpread> seen;
  for (const pb::PeerMessage::DirtyPoint& point : reply.dirty_curve()) {
    const Duration before = seen.empty() ? 0 : seen.back().elapsed;
    if (point.elapsed_ns() <= before || point.bytes_size() != kDirtyParts) continue;
    DirtySpread& spread = seen.emplace_back(DirtySpread{point.elapsed_ns(), {}});
    std::transform(point.bytes().begin(), point.bytes().end(), spread.bytes.begin(),
                   [&](std::uint64_t bytes) { return std::min(bytes, memory_bytes); });
  }
  if (seen.empty()) return std::nullopt;
  const std::uint64_t written = std::min(seen.back().all(), memory_bytes);
  if (seen.back().elapsed == kNever) seen.pop_back();
  if (seen.empty()) return std::nullopt;
  return DirtyHabit::watched({std::move(seen), written, memory_bytes});
}

}  // namespace failsim
