#include "tools/scenario/exact_text.h"

#include <array>
#include <string_view>
#include <utility>

namespace failsim::scenario {

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 4> kUnits = {
      {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
  for (const auto& [unit, shift] : kUnits) {
    const std::uint64_t whole = bytes >> shift;
    if (whole != 0 && whole << shift == bytes) return std::to_string(whole) + std::string(unit);
  }
  return std::to_string(bytes) + "B";
}

std::string rate_text(std::uint64_t bytes) {
  return size_text(bytes) + "/s";
}

std::string duration_text(Duration duration) {
  constexpr std::array<std::pair<std::string_view, Duration>, 3> kUnits = {
      {{"s", kSecond}, {"ms", kMillisecond}, {"us", kMicrosecond}}};
  if (duration == 0) return "0s";
  for (const auto& [unit, length] : kUnits) {
    if (duration % length == 0) return std::to_string(duration / length) + std::string(unit);
  }
  return std::to_string(duration) + "ns";
}

}  // namespace failsim::scenario
