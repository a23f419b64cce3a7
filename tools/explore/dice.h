// What a seed is rolled with: chances, ranges and picks, and how they are written in a scenario.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cluster/random.h"
#include "cluster/time.h"

namespace failsim::explore {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  // Dice of its own for one purpose: what is drawn there changes nothing here.
  Dice split() { return Dice(random_.next()); }
  std::uint64_t seed() { return random_.next(); }

  bool chance(std::uint64_t percent) { return random_.below(100) < percent; }
  // Both ends included.
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    assert(least <= most);
    return least + random_.below(most - least + 1);
  }
  // Whole milliseconds: what is drawn is read by people.
  Duration time(Duration shortest, Duration longest) {
    assert(shortest <= longest);
    const auto span = static_cast<std::uint64_t>((longest - shortest) / kMillisecond);
    return shortest + static_cast<Duration>(random_.below(span + 1)) * kMillisecond;
  }
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    assert(!from.empty());
    return from[random_.below(from.size())];
  }
  // The position of the one that is drawn; not all weights may be 0.
  std::size_t weighted(std::span<const std::uint32_t> weights) {
    std::uint64_t total = 0;
    for (const std::uint32_t weight : weights) total += weight;
    std::uint64_t rest = random_.below(total);
    std::size_t at = 0;
    while (rest >= weights[at]) rest -= weights[at++];
    return at;
  }

 private:
  Random random_;
};

// As scenarios write a time: "1500ms".
inline std::string in_text(Duration duration) {
  return std::to_string(duration / kMillisecond) + "ms";
}

}  // namespace failsim::explore
