// Where the data path of migrations is to be encrypted: what a Channel does to the bytes that it
// sends and receives. Without a cipher, which is all there is yet, they travel as they are.
#pragma once

#include <cstddef>
#include <span>

namespace failsim::node {

// Of one connection, with a state for each direction. The length stays. Every byte of a direction
// passes once, in the order in which it travels, in whatever pieces the socket makes of them.
class DataCipher {
 public:
  virtual ~DataCipher() = default;
  virtual void wrap(std::span<std::byte> bytes) = 0;
  virtual void unwrap(std::span<std::byte> bytes) = 0;
};

}  // namespace failsim::node
