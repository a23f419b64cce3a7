#include "node/hypervisor/presence_map.h"

#include <bit>
#include <cassert>
#include <utility>

namespace failsim::node {
namespace {

std::uint64_t bit_of(std::uint64_t page) {
  return std::uint64_t{1} << (page % 64);
}

}  // namespace

PresenceMap::PresenceMap(std::uint64_t pages, const std::vector<std::uint64_t>& missing)
    : words_(word_count(pages)) {
  assert(is_well_formed(pages, missing));
  for (std::size_t i = 0; i < missing.size(); ++i) {
    words_[i].store(missing[i], std::memory_order_relaxed);
    missing_at_first_ += static_cast<std::uint64_t>(std::popcount(missing[i]));
  }
  missing_.store(missing_at_first_, std::memory_order_release);
}

bool PresenceMap::is_well_formed(std::uint64_t pages, const std::vector<std::uint64_t>& missing) {
  if (missing.size() != word_count(pages)) return false;
  return pages % 64 == 0 || (missing.back() & ~(bit_of(pages) - 1)) == 0;
}

bool PresenceMap::has(std::uint64_t page) const {
  return (words_[page / 64].load(std::memory_order_acquire) & bit_of(page)) == 0;
}

std::vector<std::uint64_t> PresenceMap::missing() const {
  std::vector<std::uint64_t> missing;
  missing.reserve(words_.size());
  for (const auto& word : words_) missing.push_back(word.load(std::memory_order_acquire));
  return missing;
}

void PresenceMap::want(std::uint64_t page) {
  wanted_.store(page, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  if (has(page)) {  // it came meanwhile
    wanted_.store(kNoPage, std::memory_order_release);
    if (arrived_) arrived_();
  } else if (told_wanted_) {
    told_wanted_();
  }
}

void PresenceMap::set_arrived(std::function<void()> arrived) {
  const std::lock_guard lock(mutex_);
  arrived_ = std::move(arrived);
}

std::optional<std::uint64_t> PresenceMap::wanted() const {
  const std::uint64_t page = wanted_.load(std::memory_order_acquire);
  return page == kNoPage ? std::nullopt : std::optional(page);
}

void PresenceMap::set_wanted(std::function<void()> told) {
  const std::lock_guard lock(mutex_);
  told_wanted_ = std::move(told);
}

void PresenceMap::came(std::uint64_t page) {
  assert(!has(page));
  words_[page / 64].fetch_and(~bit_of(page), std::memory_order_acq_rel);
  const bool is_last = missing_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  const std::lock_guard lock(mutex_);
  std::uint64_t wanted = page;
  const bool is_wanted =
      wanted_.compare_exchange_strong(wanted, kNoPage, std::memory_order_acq_rel);
  if ((is_wanted || is_last) && arrived_) arrived_();
}

}  // namespace failsim::node
