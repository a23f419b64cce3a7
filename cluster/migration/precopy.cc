#include "cluster/migration/precopy.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace failsim {
namespace {

__extension__ typedef unsigned __int128 Wide;  // products of bytes and nanoseconds

constexpr std::uint64_t kBitsPerWord = 64;
constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

std::uint64_t saturate(Wide value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return value > kMost ? kMost : static_cast<std::uint64_t>(value);
}

// The lowest `most` set bits of `word`.
std::uint64_t lowest_bits(std::uint64_t word, std::uint64_t most) {
  if (static_cast<std::uint64_t>(std::popcount(word)) <= most) return word;
  std::uint64_t rest = word;
  for (std::uint64_t i = 0; i < most; ++i) rest &= rest - 1;
  return word & ~rest;
}

void append_bits(std::uint64_t first_page, std::uint64_t bits, PageRuns& out) {
  while (bits != 0) {
    const auto skip = static_cast<unsigned>(std::countr_zero(bits));
    const auto length = static_cast<unsigned>(std::countr_one(bits >> skip));
    out.append(first_page + skip, length);
    if (skip + length == kBitsPerWord) return;
    bits &= ~std::uint64_t{0} << (skip + length);
  }
}

}  // namespace

void PageRuns::append(std::uint64_t page, std::uint64_t count) {
  if (!runs.empty() && runs.back().first + runs.back().count == page) {
    runs.back().count += count;
  } else {
    assert(runs.empty() || runs.back().first + runs.back().count < page);
    runs.push_back({page, count});
  }
  pages += count;
}

DirtyBitmap::DirtyBitmap(std::uint64_t pages, Mistakes mistakes)
    : pages_(pages), mistakes_(mistakes), words_((pages + kBitsPerWord - 1) / kBitsPerWord) {}

void DirtyBitmap::set(std::uint64_t page) {
  assert(page < pages_);
  // Always the read-modify-write, even if the bit looks set: a plain look could be performed before
  // the page write is visible, while the sender clears the bit and reads the old page.
  words_[page / kBitsPerWord].fetch_or(std::uint64_t{1} << (page % kBitsPerWord),
                                       std::memory_order_release);
}

void DirtyBitmap::set_all() {
  if (words_.empty()) return;
  for (auto& word : words_) word.store(~std::uint64_t{0}, std::memory_order_release);
  const std::uint64_t used = pages_ % kBitsPerWord;
  if (used != 0) {
    words_.back().store((std::uint64_t{1} << used) - 1, std::memory_order_release);
  }
}

void DirtyBitmap::clear_all() {
  for (auto& word : words_) word.store(0, std::memory_order_release);
}

bool DirtyBitmap::test(std::uint64_t page) const {
  assert(page < pages_);
  const std::uint64_t word = words_[page / kBitsPerWord].load(std::memory_order_acquire);
  return ((word >> (page % kBitsPerWord)) & 1) != 0;
}

std::uint64_t DirtyBitmap::take_runs(std::uint64_t from, std::uint64_t max_pages, PageRuns& out) {
  while (from < pages_ && max_pages > 0) {
    const std::uint64_t index = from / kBitsPerWord;
    const std::uint64_t first_page = index * kBitsPerWord;
    const std::uint64_t seen =
        words_[index].load(std::memory_order_relaxed) & (~std::uint64_t{0} << (from - first_page));
    const std::uint64_t taken = lowest_bits(seen, max_pages);
    if (taken != 0) {
      const bool forgets = mistakes_.has(Mistake::kForgetDirtyPage);
      words_[index].fetch_and(forgets ? ~seen : ~taken, std::memory_order_acq_rel);
      append_bits(first_page, taken, out);
      max_pages -= static_cast<std::uint64_t>(std::popcount(taken));
    }
    from = taken == seen ? first_page + kBitsPerWord
                         : first_page + static_cast<std::uint64_t>(std::bit_width(taken));
  }
  return std::min(from, pages_);
}

std::uint64_t DirtyBitmap::count() const {
  std::uint64_t set = 0;
  for (const auto& word : words_) {
    set += static_cast<std::uint64_t>(std::popcount(word.load(std::memory_order_relaxed)));
  }
  return set;
}

bool PrecopyRound::take(DirtyBitmap& dirty, std::uint64_t byte_budget, PageRuns& out) {
  const std::uint64_t before = out.pages;
  const std::uint64_t most = std::max<std::uint64_t>(1, byte_budget / kPageBytes);
  next_page_ = dirty.take_runs(next_page_, most, out);
  bytes_taken_ += (out.pages - before) * kPageBytes;
  return out.pages > before;
}

PrecopyLimits limits_of(const pb::MigrationParameters& parameters) {
  PrecopyLimits limits;
  limits.bandwidth_bytes_per_second = parameters.bandwidth_bytes_per_second();
  if (parameters.downtime_limit_ns() > 0) limits.downtime_limit = parameters.downtime_limit_ns();
  if (parameters.max_rounds() > 0) limits.max_rounds = parameters.max_rounds();
  return limits;
}

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

std::uint64_t expected_rate(const PrecopyLimits& limits, const RoundEnd& round) {
  const std::uint64_t measured = rate_of(round.bytes_sent, round.duration);
  const bool telling = round.bytes_sent >= kTellingRoundBytes || round.earlier_rate == 0;
  const std::uint64_t rate = telling ? measured : round.earlier_rate;
  const std::uint64_t limit = limits.bandwidth_bytes_per_second;
  if (limit == 0) return rate;
  return rate == 0 ? limit : std::min(rate, limit);
}

PrecopyDecision decide_at_round_end(const PrecopyLimits& limits, const RoundEnd& round) {
  if (round.dirty_bytes == 0) return PrecopyDecision::kSwitch;
  const Duration rest = time_to_send(round.dirty_bytes, expected_rate(limits, round));
  if (rest <= limits.downtime_limit && round.fixed_downtime <= limits.downtime_limit - rest) {
    return PrecopyDecision::kSwitch;
  }
  return round.round + 1 >= limits.max_rounds ? PrecopyDecision::kSwitchForced
                                              : PrecopyDecision::kContinue;
}

}  // namespace failsim
