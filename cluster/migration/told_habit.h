// What the owner of a guest tells of how it was seen to dirty its memory, as it travels.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/migration/dirty_habit.h"
#include "cluster/proto/message.pb.h"

namespace failsim {

// Of a guest that was watched (DirtyWatch::habit). The last point of a curve is at kNever: what it
// ever wrote.
void tell_habit(const DirtyHabit& habit, pb::PeerMessage::LiveReply& reply);

// Nothing if it was not watched. What cannot be is left out: the reply may come from anywhere.
std::optional<DirtyHabit> habit_told(const pb::PeerMessage::LiveReply& reply,
                                     std::uint64_t memory_bytes);

}  // namespace failsim
