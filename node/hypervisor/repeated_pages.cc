#include "node/hypervisor/repeated_pages.h"

#include <cstring>

#include "cluster/migration/precopy.h"

namespace failsim::node {

std::uint64_t RepeatedPages::hash_of(const std::byte* page) {
  constexpr std::size_t kSamples = 8;
  constexpr std::size_t kStride = kPageBytes / kSamples + sizeof(std::uint64_t);
  std::uint64_t hash = 0x9e3779b97f4a7c15u;
  for (std::size_t i = 0; i < kSamples; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, page + (i * kStride) % (kPageBytes - sizeof word), sizeof word);
    hash = (hash ^ word) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::optional<std::uint64_t> RepeatedPages::suggestion(std::uint64_t hash) const {
  if (!is_on()) return std::nullopt;
  const Entry& entry = seen_[hash % kEntries];
  if (entry.hash != hash || entry.page == kNoPage) return std::nullopt;
  return entry.page;
}

void RepeatedPages::remember(std::uint64_t hash, std::uint64_t page) {
  if (is_on()) seen_[hash % kEntries] = {hash, page};
}

void RepeatedPages::note(std::uint64_t looked_at, std::uint64_t repeated) {
  looked_at_ += looked_at;
  repeated_ += repeated;
  if (looked_at_ < kTrialPages) return;
  if (repeated_ * kWorthwhile < looked_at_) seen_ = {};
  // What counts is how it is now.
  looked_at_ = 0;
  repeated_ = 0;
}

}  // namespace failsim::node
