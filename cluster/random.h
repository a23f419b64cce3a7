// A small seeded source of chance, the same on every machine: one per purpose, never shared.
#pragma once

#include <cassert>
#include <cstdint>

namespace failsim {

// splitmix64: 64 bits of state, every seed is a good seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }

  // Uniform in [0, n): draws that would favour small results are thrown away.
  std::uint64_t below(std::uint64_t n) {
    assert(n > 0);
    const std::uint64_t biased = (0 - n) % n;  // 2^64 mod n
    std::uint64_t drawn = next();
    while (drawn < biased) drawn = next();
    return drawn % n;
  }

 private:
  std::uint64_t state_;
};

}  // namespace failsim
