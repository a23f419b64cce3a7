#include "cluster/migration/precopy.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace failsim {
namespace {

constexpr std::uint64_t kBitsPerWord = 64;

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

std::uint64_t DirtyBitmap::take_runs(std::uint64_t from, std::uint64_t max_pages, PageRuns& out,
                                     std::uint64_t end) {
  end = std::min(end, pages_);
  while (from < end && max_pages > 0) {
    const std::uint64_t index = from / kBitsPerWord;
    const std::uint64_t first_page = index * kBitsPerWord;
    std::uint64_t seen =
        words_[index].load(std::memory_order_relaxed) & (~std::uint64_t{0} << (from - first_page));
    if (end - first_page < kBitsPerWord) seen &= (std::uint64_t{1} << (end - first_page)) - 1;
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
  return std::min(from, end);
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
  while (next_page_ < dirty.pages() && out.pages - before < most) {
    const std::uint64_t stripe_end =
        streams_ == 1 ? dirty.pages() : (next_page_ / kStripePages + 1) * kStripePages;
    next_page_ = dirty.take_runs(next_page_, most - (out.pages - before), out, stripe_end);
    // The stripes between are of the other streams.
    if (next_page_ == stripe_end) next_page_ += (streams_ - 1) * kStripePages;
  }
  bytes_taken_ += (out.pages - before) * kPageBytes;
  return out.pages > before;
}

}  // namespace failsim
