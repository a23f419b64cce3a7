// The rounds of a pre-copy: which pages to send next.
//
// Used by the mover of the process world and by the virtual world alike, so that a seed finds a
// forgotten page whoever forgot it. What to do when a round ends is in precopy_policy.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/mistakes.h"

namespace failsim {

inline constexpr std::uint64_t kPageBytes = 4096;

struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  bool operator==(const PageRun&) const = default;
};

// Ascending, neighbouring pages merged.
struct PageRuns {
  std::vector<PageRun> runs;
  std::uint64_t pages = 0;

  // `page` must lie behind every page already here.
  void append(std::uint64_t page, std::uint64_t count = 1);
  void clear() {
    runs.clear();
    pages = 0;
  }
};

// One bit a page. The guest sets a bit after it wrote the page (release); the sender clears a bit
// (acquire) before it reads the page: a page written in between is sent again. Any thread may set;
// threads that take do so from different stripes.
class DirtyBitmap {
 public:
  explicit DirtyBitmap(std::uint64_t pages, Mistakes mistakes = {});

  void set(std::uint64_t page);
  void set_all();
  void clear_all();
  bool test(std::uint64_t page) const;

  // Clears the bits of the next at most `max_pages` dirty pages from `from` on and appends the
  // pages to `out`. Returns the page to go on from; pages(), or the smaller `end`, when that was
  // reached.
  std::uint64_t take_runs(std::uint64_t from, std::uint64_t max_pages, PageRuns& out,
                          std::uint64_t end = kNoEnd);

  // Exact while nobody sets or takes.
  std::uint64_t count() const;
  std::uint64_t pages() const { return pages_; }

  static constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};

 private:
  std::uint64_t pages_;
  [[no_unique_address]] Mistakes mistakes_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

// A transfer over several streams: stripes of this many pages go by one stream after the other, so
// that a page goes by the same stream in every round (see node/hypervisor/frames.h). A stripe is a
// huge page of the guest and a cache line of its bitmap: two streams never take from the same word.
inline constexpr std::uint64_t kStripePages = 512;
inline constexpr std::uint32_t kStreamsMax = 8;

constexpr std::uint32_t stream_of(std::uint64_t page, std::uint32_t streams) {
  return static_cast<std::uint32_t>(page / kStripePages % streams);
}

// One round: every dirty page, or those of one stream, in page order, in pieces. A page that gets
// dirty behind the place the round has come to waits for the next round. Streams may take side by
// side.
class PrecopyRound {
 public:
  PrecopyRound() = default;
  PrecopyRound(std::uint32_t stream, std::uint32_t streams)
      : streams_(streams), next_page_(stream * kStripePages) {}

  // Appends the next pages of this round, at most `byte_budget` of them (but at least one page);
  // false when there are none left and the round is over.
  bool take(DirtyBitmap& dirty, std::uint64_t byte_budget, PageRuns& out);

  std::uint64_t bytes_taken() const { return bytes_taken_; }

 private:
  std::uint32_t streams_ = 1;
  std::uint64_t next_page_ = 0;
  std::uint64_t bytes_taken_ = 0;
};

}  // namespace failsim
