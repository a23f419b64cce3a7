#include "tools/sim/wire.h"

#include <string>

#include "cluster/wire/frame.h"

namespace failsim::sim {
namespace {

__extension__ typedef unsigned __int128 Wide;  // products of bytes and nanoseconds

}  // namespace

Duration duration_at(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  return static_cast<Duration>(Wide{bytes} * std::uint64_t{kSecond} / bytes_per_second);
}

bool survives_flip(const pb::PeerMessage& message, Random& random) {
  std::string frame = encode_frame(message.SerializeAsString());
  const std::uint64_t bit = random.below(frame.size() * 8);
  frame[bit / 8] =
      static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ (1u << (bit % 8)));
  FrameFault fault = FrameFault::kNone;
  return decode_datagram(frame, fault).has_value();
}

}  // namespace failsim::sim
