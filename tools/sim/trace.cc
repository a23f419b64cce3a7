#include "tools/sim/trace.h"

#include <string>

namespace failsim::sim {
namespace {

// "12.345678901": seconds with all their nanoseconds.
std::string seconds_text(Time time) {
  const std::string nanoseconds = std::to_string(time % kSecond);
  return std::to_string(time / kSecond) + "." + std::string(9 - nanoseconds.size(), '0') +
         nanoseconds;
}

}  // namespace

void Trace::mix(std::uint64_t number) {
  hash_ = (hash_ ^ number) * 0xff51afd7ed558ccdu;
  hash_ ^= hash_ >> 32;
}

void Trace::mix(std::string_view text) {
  mix(text.size());
  std::uint64_t word = 0;
  unsigned filled = 0;
  for (const char character : text) {
    word = (word << 8) | static_cast<unsigned char>(character);
    if (++filled == 8) {
      mix(word);
      word = 0;
      filled = 0;
    }
  }
  if (filled > 0) mix(word);
}

void Trace::note(Time now, NodeId node, std::string_view kind,
                 std::initializer_list<std::uint64_t> numbers, std::string_view text) {
  mix(static_cast<std::uint64_t>(now));
  mix(node);
  mix(kind);
  for (const std::uint64_t number : numbers) mix(number);
  if (!text.empty()) mix(text);
  if (lines_ == nullptr) return;
  *lines_ << seconds_text(now) << ' ' << (node == kNoNode ? "world" : node_name(node)) << ' '
          << kind;
  for (const std::uint64_t number : numbers) *lines_ << ' ' << number;
  if (!text.empty()) *lines_ << ' ' << text;
  *lines_ << '\n';
}

}  // namespace failsim::sim
