#include "cluster/migration/transfer_rate.h"

#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

}  // namespace

std::uint64_t rate_of(std::uint64_t bytes, Duration duration) {
  if (duration <= 0) return 0;
  return saturate(Wide{bytes} * kNanosecondsPerSecond / static_cast<std::uint64_t>(duration));
}

Duration time_to_send(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  if (bytes == 0) return 0;
  if (bytes_per_second == 0) return kNever;
  const Wide time = (Wide{bytes} * kNanosecondsPerSecond + bytes_per_second - 1) / bytes_per_second;
  return time >= Wide{static_cast<std::uint64_t>(kNever)} ? kNever : static_cast<Duration>(time);
}

std::uint64_t bytes_in(Duration duration, std::uint64_t bytes_per_second) {
  if (duration <= 0) return 0;
  return saturate(Wide{bytes_per_second} * static_cast<std::uint64_t>(duration) /
                  kNanosecondsPerSecond);
}

Duration add(Duration a, Duration b) {
  return a > kNever - b ? kNever : a + b;
}

}  // namespace failsim
