#include "cluster/migration/sweep_watch.h"

#include <algorithm>
#include <utility>

#include "cluster/migration/precopy.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr std::uint32_t kFewestLooks = 8;
constexpr std::uint32_t kLooksToHalve = 64;
constexpr Duration kBetweenMarks = 2 * kSecond;

}  // namespace

void SweepWatch::sample_changed(std::uint64_t written_pages, std::uint64_t first,
                                std::uint64_t last) {
  written_pages_ = written_pages;
  first_page_ = first;
  has_gaps_ = last - first + 1 != written_pages;
  lose();
}

void SweepWatch::look(Duration now, const std::vector<WatchedPage>& sample,
                      const std::vector<std::uint32_t>& counts) {
  const auto written = static_cast<std::size_t>(
      std::count_if(sample.begin(), sample.end(),
                    [now](const WatchedPage& page) { return page.written_at == now; }));
  // Once around or more often: nobody knows.
  if (written == sample.size()) return lose();
  if (written > 0) follow(now, sample, written);
  if (edge_) mark(now, place(sample, counts));
}

void SweepWatch::follow(Duration now, const std::vector<WatchedPage>& sample, std::size_t written) {
  if (!edge_) return find(now, sample);
  if (judged_ >= kLooksToHalve) {
    judged_ /= 2;
    in_order_ /= 2;
  }
  ++judged_;
  if (!goes_on(now, sample, written)) return find(now, sample);
  ++in_order_;
  turns_ += (*edge_ + written) / sample.size();
  edge_ = (*edge_ + written) % sample.size();
}

// What was written lies right behind the edge.
bool SweepWatch::goes_on(Duration now, const std::vector<WatchedPage>& sample,
                         std::size_t written) {
  for (std::size_t i = 1; i <= written; ++i) {
    if (sample[(*edge_ + i) % sample.size()].written_at != now) return false;
  }
  return true;
}

// Behind a page that was written is one that was not.
void SweepWatch::find(Duration now, const std::vector<WatchedPage>& sample) {
  lose();
  for (std::size_t i = 0; i < sample.size() && !edge_; ++i) {
    const WatchedPage& next = sample[(i + 1) % sample.size()];
    if (sample[i].written_at == now && next.written_at != now) edge_ = i;
  }
}

// Of the next page that it will write, within those it ever wrote; beyond their end if it has begun
// from the front again.
std::uint64_t SweepWatch::place(const std::vector<WatchedPage>& sample,
                                const std::vector<std::uint32_t>& counts) const {
  if (has_gaps_) return (*edge_ + 1) * written_pages_ / sample.size();
  const std::uint64_t edge = sample[*edge_].number;
  const std::uint64_t end = first_page_ + written_pages_;
  const bool is_last = *edge_ + 1 == sample.size();
  const std::uint64_t stop = is_last ? end : sample[*edge_ + 1].number;
  std::uint64_t page = edge + 1;
  while (page < stop && counts[page] == counts[edge]) ++page;
  if (page < end) return page - first_page_;
  std::uint64_t again = 0;  // one write more than the end of the turn before
  const std::uint64_t first_sampled = sample.front().number - first_page_;
  while (again < first_sampled && counts[first_page_ + again] == counts[edge] + 1) ++again;
  return written_pages_ + again;
}

void SweepWatch::mark(Duration now, std::uint64_t place) {
  last_ = {now, turns_ * written_pages_ + place};
  if (!older_) older_ = newer_ = last_;
  if (now - newer_.at >= kBetweenMarks) older_ = std::exchange(newer_, last_);
}

void SweepWatch::lose() {
  edge_.reset();
  older_.reset();
  turns_ = 0;
}

std::optional<DirtyHabit> SweepWatch::habit() const {
  const bool is_sweep = judged_ >= kFewestLooks && in_order_ >= judged_ - judged_ / 16;
  if (!is_sweep || !older_ || last_.pages <= older_->pages) return std::nullopt;
  const std::uint64_t bytes = (last_.pages - older_->pages) * kPageBytes;
  return DirtyHabit::sweep({rate_of(bytes, last_.at - older_->at), written_pages_ * kPageBytes},
                           last_.pages % written_pages_ * kPageBytes);
}

}  // namespace failsim
