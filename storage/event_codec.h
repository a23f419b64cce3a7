// Events of a member as messages that can be written down, and back.
#pragma once

#include <optional>

#include "cluster/effects.h"
#include "storage/proto/recording.pb.h"

namespace failsim {

pb::RecordedEvent encode_event(const Event& event);
// Equal to what was encoded; nothing if the message holds no event.
std::optional<Event> decode_event(const pb::RecordedEvent& recorded);

}  // namespace failsim
