#include "node/hypervisor/page_stamp.h"

#include <cstring>

#include "cluster/migration/precopy.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kWordsPerPage = kPageBytes / sizeof(std::uint64_t);
constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;

// The output function of splitmix64. Word i of a page mixes seed + i * kStep, so that the words do
// not wait for each other and a core produces several gigabytes a second.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

std::uint64_t seed_of(std::uint64_t boot_id, std::uint64_t number, std::uint32_t count) {
  return mix(mix(mix(boot_id + kStep) ^ (number + kStep)) ^ (std::uint64_t{count} << 32));
}

}  // namespace

__attribute__((noinline, no_sanitize("thread"))) void stamp_page(std::byte* page,
                                                                 std::uint64_t boot_id,
                                                                 std::uint64_t number,
                                                                 std::uint32_t count) {
  auto* words = reinterpret_cast<std::uint64_t*>(page);
  std::uint64_t state = seed_of(boot_id, number, count);
  for (std::uint64_t i = 0; i < kWordsPerPage; ++i) {
    // mix() by hand: a call would be instrumented.
    std::uint64_t value = state += kStep;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    words[i] = value ^ (value >> 31);
  }
}

bool page_matches(const std::byte* page, std::uint64_t boot_id, std::uint64_t number,
                  std::uint32_t count) {
  if (count == 0) return is_zero_page(page);
  const auto* words = reinterpret_cast<const std::uint64_t*>(page);
  const std::uint64_t seed = seed_of(boot_id, number, count);
  std::uint64_t differences = 0;
  for (std::uint64_t i = 0; i < kWordsPerPage; ++i) {
    differences |= words[i] ^ mix(seed + (i + 1) * kStep);
  }
  return differences == 0;
}

bool is_zero_page(const std::byte* page) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(page);
  if (words[0] != 0 || words[kWordsPerPage - 1] != 0) return false;  // nearly every written page
  // All bytes equal the first, which is zero.
  return std::memcmp(page, page + 8, kPageBytes - 8) == 0;
}

}  // namespace failsim::node
