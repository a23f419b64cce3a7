// What the wire does to bytes: how long they take at a rate, and what a flipped bit does to a
// message. The frames are those that nodes send each other (cluster/wire/frame.h).
#pragma once

#include <cstdint>

#include "cluster/proto/message.pb.h"
#include "cluster/random.h"
#include "cluster/time.h"

namespace failsim::sim {

// `bytes_per_second` > 0.
Duration duration_at(std::uint64_t bytes, std::uint64_t bytes_per_second);

// Flips one bit, drawn, of the message's frame, and takes the frame as a receiver would: whether it
// still passes for a whole one. A checksum that is worth its name never lets it.
bool survives_flip(const pb::PeerMessage& message, Random& random);

}  // namespace failsim::sim
