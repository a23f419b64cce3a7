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

}  // namespace

bool DirtyWatch::is_sampled(std::uint64_t page) const {
  return (Random(page).next() & ((std::uint64_t{1} << shift_) - 1)) == 0;
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
  std::uint64_t writes = 0;
  for (Page& page : sample_) {
    const std::uint32_t count = counts[page.number];
    if (count == page.count) continue;
    writes += count - page.count;
    page.count = count;
    page.written_at = now;
  }
  if (!sample_.empty()) written_bytes_ += writes * written_pages_ / sample_.size() * kPageBytes;
  if (written_time_ > kWritesRemembered) {
    written_time_ /= 2;
    written_bytes_ /= 2;
  }
  if (now >= go_through_at_) go_through(now, counts);
  if (++looks_ % kLooksToSumUp == 0) sum_up(now);
}

// Pages that were written for the first time come in; where the sample gets too large half of it
// goes.
void DirtyWatch::go_through(Duration now, const std::vector<std::uint32_t>& counts) {
  go_through_at_ = now + go_through_interval_;
  go_through_interval_ = std::min(2 * go_through_interval_, kLongestGoThroughInterval);
  const bool is_first = now == *began_at_;
  std::vector<Page> sample;
  std::size_t known = 0;
  written_pages_ = 0;
  for (std::uint64_t page = 0; page < counts.size(); ++page) {
    if (counts[page] == untouched_) continue;
    ++written_pages_;
    if (!is_sampled(page)) continue;
    while (known < sample_.size() && sample_[known].number < page) ++known;
    const bool is_known = known < sample_.size() && sample_[known].number == page;
    // Before the first look nothing is known: as if long ago.
    const Duration written_at = is_first ? now - kWindows.back() * kWatchInterval : now;
    sample.push_back(is_known ? sample_[known] : Page{page, counts[page], written_at});
    if (sample.size() <= kLargestSample) continue;
    ++shift_;
    std::erase_if(sample, [this](const Page& each) { return !is_sampled(each.number); });
  }
  sample_ = std::move(sample);
}

void DirtyWatch::sum_up(Duration now) {
  if (sample_.empty()) return;
  std::vector<Duration> ages;
  ages.reserve(sample_.size());
  for (const Page& page : sample_) ages.push_back(now - page.written_at);
  std::sort(ages.begin(), ages.end());
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    const Duration length = kWindows[i] * kWatchInterval;
    if (length < longest_interval_ || length > now - *began_at_) continue;
    Window& window = windows_[i];
    const auto older = std::lower_bound(ages.begin(), ages.end(), length);
    const auto pages = static_cast<std::uint64_t>(older - ages.begin());
    window.bytes += pages * written_pages_ / sample_.size() * kPageBytes;
    if (++window.looks < kLooksToHalve) continue;
    window.bytes /= 2;
    window.looks /= 2;
  }
  // An interruption is forgotten in time.
  longest_interval_ -= longest_interval_ / 16;
}

DirtyCurve DirtyWatch::curve() const {
  std::vector<DirtyPoint> points;
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    const Window& window = windows_[i];
    if (window.looks == 0) continue;
    points.push_back({kWindows[i] * kWatchInterval, window.bytes / window.looks});
  }
  if (points.size() < kFewestPoints || points.back().elapsed < kShortestWatch) return {};
  const DirtyModel at_first = even_at_rate(rate_of(written_bytes_, written_time_), points.front());
  const Duration first = points.front().elapsed;
  for (std::size_t i = 0; i < kBetweenLooks.size(); ++i) {
    const Duration elapsed = first * kBetweenLooks[i] / 10;
    points.insert(points.begin() + static_cast<std::ptrdiff_t>(i),
                  {elapsed, at_first.dirty_bytes(elapsed)});
  }
  return {std::move(points), memory_bytes_};
}

std::optional<DirtyHabit> DirtyWatch::habit() const {
  const DirtyCurve seen = curve();
  if (seen.is_empty()) return std::nullopt;
  return DirtyHabit::watched(seen, place_of_256());
}

// Behind the last page that was written lately and is followed by one that was not.
std::uint32_t DirtyWatch::place_of_256() const {
  Duration newest = 0;
  for (const Page& page : sample_) newest = std::max(newest, page.written_at);
  for (std::size_t i = 0; i < sample_.size(); ++i) {
    const Page& next = sample_[(i + 1) % sample_.size()];
    if (sample_[i].written_at == newest && next.written_at != newest) {
      return static_cast<std::uint32_t>((i + 1) % sample_.size() * 256 / sample_.size());
    }
  }
  return 0;
}

}  // namespace failsim
