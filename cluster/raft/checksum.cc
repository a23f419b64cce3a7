#include "cluster/raft/checksum.h"

#include <array>

namespace failsim::raft {
namespace {

using Table = std::array<std::uint32_t, 256>;

constexpr Table make_table() {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? (crc >> 1) ^ kReversedPolynomial : crc >> 1;
    }
    table[byte] = crc;
  }
  return table;
}

constexpr Table kTable = make_table();

// Least significant byte first, whatever the machine.
std::uint32_t add_number(std::uint32_t crc, std::uint64_t number) {
  std::array<char, 8> bytes{};
  for (char& byte : bytes) {
    byte = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return crc32c(crc, std::string_view(bytes.data(), bytes.size()));
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  crc = ~crc;
  for (const char byte : bytes) {
    crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

std::uint32_t chain_checksum(std::uint32_t previous, const pb::LogEntry& entry) {
  std::uint32_t crc = add_number(0, previous);
  crc = add_number(crc, entry.term());
  crc = add_number(crc, entry.index());
  return crc32c(crc, entry.command());
}

}  // namespace failsim::raft
