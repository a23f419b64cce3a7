#include "tools/sim/wire.h"

#include <string>
#include <string_view>

#include "cluster/raft/checksum.h"

namespace failsim::sim {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kCoveredHeaderBytes = 8;
constexpr std::uint32_t kVersion = 1;

__extension__ typedef unsigned __int128 Wide;  // products of bytes and nanoseconds

void put_u32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

std::uint32_t checksum(std::string_view header, std::string_view payload) {
  return raft::crc32c(raft::crc32c(0, header.substr(0, kCoveredHeaderBytes)), payload);
}

bool is_whole(std::string_view frame) {
  const std::string_view payload = frame.substr(kHeaderBytes);
  return get_u32(frame, 0) == payload.size() && get_u32(frame, 4) == kVersion &&
         get_u32(frame, 8) == checksum(frame, payload);
}

}  // namespace

Duration duration_at(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  return static_cast<Duration>(Wide{bytes} * std::uint64_t{kSecond} / bytes_per_second);
}

bool survives_flip(const pb::PeerMessage& message, Random& random) {
  const std::string payload = message.SerializeAsString();
  std::string frame;
  put_u32(frame, static_cast<std::uint32_t>(payload.size()));
  put_u32(frame, kVersion);
  put_u32(frame, checksum(frame, payload));
  frame += payload;
  const std::uint64_t bit = random.below(frame.size() * 8);
  frame[bit / 8] =
      static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ (1u << (bit % 8)));
  return is_whole(frame);
}

}  // namespace failsim::sim
