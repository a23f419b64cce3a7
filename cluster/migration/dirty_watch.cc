#include "cluster/migration/dirty_watch.h"

#include <algorithm>
#include <utility>

#include "cluster/migration/precopy.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/random.h"

namespace failsim {
namespace {

constexpr std::size_t kLargestSample = 2048;
constexpr Duration kLongestGoThroughInterval = 10 * kSecond;
constexpr std::uint64_t kLooksToSumUp = 4;
// Older sums count half, so that a guest that changes its ways is believed after some seconds.
constexpr std::uint64_t kLooksToHalve = 64;
// A curve of less says hardly more than the first round will.
constexpr Duration kShortestWatch = 640 * kMillisecond;
constexpr std::size_t kFewestPoints = 2;
constexpr Duration kWritesRemembered = 4 * kSecond;
constexpr std::array<Duration, 5> kBetweenLooks = {1, 2, 3, 5, 7};  // tenths of the first window

void halve(std::array<std::uint64_t, kDirtyParts>& parts) {
  for (std::uint64_t& part : parts) part /= 2;
}

}  // namespace

// One page of each 2^shift_ neighbours, drawn in a knock-out: who is in a smaller sample was in the
// larger ones.
bool DirtyWatch::is_sampled(std::uint64_t page) const {
  for (unsigned i = 0; i < shift_; ++i) {
    const std::uint64_t pair = page >> (i + 1);
    if (((page >> i) & 1) != (Random((pair << 6) | i).next() & 1)) return false;
  }
  return true;
}

void DirtyWatch::look(Duration now, const std::vector<std::uint32_t>& counts) {
  if (!began_at_) {
    began_at_ = looked_at_ = now;
    memory_bytes_ = counts.size() * kPageBytes;
    go_through(now, counts);
    return;
  }
  longest_interval_ = std::max(longest_interval_, now - looked_at_);
  written_time_ += now - looked_at_;
  looked_at_ = now;
  Parts writes{};
  for (std::size_t i = 0; i < sample_.size(); ++i) {
    WatchedPage& page = sample_[i];
    const std::uint32_t count = counts[page.number];
    if (count == page.count) continue;
    writes[part_of(i)] += count - page.count;
    page.count = count;
    page.written_at = now;
  }
  for (std::size_t i = 0; i < kDirtyParts; ++i) written_bytes_[i] += bytes_of(writes[i]);
  if (written_time_ > kWritesRemembered) {
    written_time_ /= 2;
    halve(written_bytes_);
  }
  sweep_.look(now, sample_, counts);
  if (now >= go_through_at_) go_through(now, counts);
  if (++looks_ % kLooksToSumUp == 0) sum_up(now);
}

// Pages that were written for the first time come in; where the sample gets too large half of it
// goes.
void DirtyWatch::go_through(Duration now, const std::vector<std::uint32_t>& counts) {
  go_through_at_ = now + go_through_interval_;
  go_through_interval_ = std::min(2 * go_through_interval_, kLongestGoThroughInterval);
  const bool is_first = now == *began_at_;
  std::vector<WatchedPage> sample;
  std::size_t known = 0;
  std::uint64_t written_pages = 0;
  std::uint64_t first_page = 0;
  std::uint64_t last_page = 0;
  for (std::uint64_t page = 0; page < counts.size(); ++page) {
    if (counts[page] == untouched_) continue;
    if (written_pages++ == 0) first_page = page;
    last_page = page;
    if (!is_sampled(page)) continue;
    while (known < sample_.size() && sample_[known].number < page) ++known;
    const bool is_known = known < sample_.size() && sample_[known].number == page;
    // Before the first look nothing is known: as if long ago.
    const Duration written_at = is_first ? now - kWindows.back() * kWatchInterval : now;
    sample.push_back(is_known ? sample_[known] : WatchedPage{page, counts[page], written_at});
    if (sample.size() <= kLargestSample) continue;
    ++shift_;
    std::erase_if(sample, [this](const WatchedPage& each) { return !is_sampled(each.number); });
  }
  sample_ = std::move(sample);
  if (written_pages == written_pages_) return;
  written_pages_ = written_pages;
  sweep_.sample_changed(written_pages, first_page, last_page);
}

std::size_t DirtyWatch::part_of(std::size_t index) const {
  return index * kDirtyParts / sample_.size();
}

std::uint64_t DirtyWatch::bytes_of(std::uint64_t pages) const {
  return sample_.empty() ? 0 : pages * kPageBytes * written_pages_ / sample_.size();
}

void DirtyWatch::sum_up(Duration now) {
  if (sample_.empty()) return;
  std::array<Parts, kWindows.size()> first_in{};  // pages that are in this window and not before
  for (std::size_t i = 0; i < sample_.size(); ++i) {
    const Duration age = (now - sample_[i].written_at) / kWatchInterval;
    const auto window = std::upper_bound(kWindows.begin(), kWindows.end(), age);
    if (window == kWindows.end()) continue;
    ++first_in[static_cast<std::size_t>(window - kWindows.begin())][part_of(i)];
  }
  Parts pages{};
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    for (std::size_t part = 0; part < kDirtyParts; ++part) pages[part] += first_in[i][part];
    const Duration length = kWindows[i] * kWatchInterval;
    if (length < longest_interval_ || length > now - *began_at_) continue;
    Window& window = windows_[i];
    for (std::size_t part = 0; part < kDirtyParts; ++part) {
      window.bytes[part] += bytes_of(pages[part]);
    }
    if (++window.looks < kLooksToHalve) continue;
    halve(window.bytes);
    window.looks /= 2;
  }
  // An interruption is forgotten in time.
  longest_interval_ -= longest_interval_ / 16;
}

DirtyCurve DirtyWatch::curve() const {
  std::vector<DirtySpread> seen;
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    const Window& window = windows_[i];
    if (window.looks == 0) continue;
    DirtySpread& spread = seen.emplace_back(DirtySpread{kWindows[i] * kWatchInterval, {}});
    for (std::size_t part = 0; part < kDirtyParts; ++part) {
      spread.bytes[part] = window.bytes[part] / window.looks;
    }
  }
  if (seen.size() < kFewestPoints || seen.back().elapsed < kShortestWatch) return {};
  // What happens between two looks: each part by itself is written evenly.
  const DirtySpread first = seen.front();
  std::array<DirtySpread, kBetweenLooks.size()> between;
  for (std::size_t part = 0; part < kDirtyParts; ++part) {
    const std::uint64_t rate = rate_of(written_bytes_[part], written_time_);
    const DirtyModel at_first = even_at_rate(rate, {first.elapsed, first.bytes[part]});
    for (std::size_t i = 0; i < kBetweenLooks.size(); ++i) {
      between[i].elapsed = first.elapsed * kBetweenLooks[i] / 10;
      between[i].bytes[part] = at_first.dirty_bytes(between[i].elapsed);
    }
  }
  seen.insert(seen.begin(), between.begin(), between.end());
  return {std::move(seen), written_pages_ * kPageBytes, memory_bytes_};
}

std::optional<DirtyHabit> DirtyWatch::habit(Duration now) const {
  const DirtyCurve seen = curve();
  if (seen.is_empty()) return std::nullopt;
  const std::optional<DirtyHabit> sweep = sweep_.habit();
  return sweep ? sweep->after(now - looked_at_) : DirtyHabit::watched(seen);
}

}  // namespace failsim
