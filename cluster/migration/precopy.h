// The rounds of a pre-copy: which pages to send next, and what to do when a round ends.
//
// Used by the mover of the process world and by the virtual world alike, so that a seed finds a
// forgotten page whoever forgot it. Pure: time, rates and counts are told.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/time.h"

namespace failsim {

inline constexpr std::uint64_t kPageBytes = 4096;

// One bit a page. The guest sets a bit after it wrote the page (release); the sender clears a bit
// (acquire) before it reads the page: a page written in between is sent again.
class DirtyBitmap {
 public:
  explicit DirtyBitmap(std::uint64_t pages);
  void set(std::uint64_t page);
  void set_all();
  // Clears the bits of [from, from + 64) words worth of pages and appends the runs found; returns
  // the page to go on from, or pages() at the end.
  std::uint64_t take_runs(std::uint64_t from, std::uint64_t max_pages, struct PageRuns& out);
  std::uint64_t count() const;
  std::uint64_t pages() const { return pages_; }

 private:
  std::uint64_t pages_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// Neighbouring pages merged.
struct PageRuns {
  std::vector<PageRun> runs;
  std::uint64_t pages = 0;
  void clear() { runs.clear(); pages = 0; }
};

struct PrecopyLimits {
  std::uint64_t bandwidth_bytes_per_second = 0;  // 0 = unlimited
  Duration downtime_limit = 300 * kMillisecond;
  std::uint32_t max_rounds = 30;
};

// What a finished round showed.
struct RoundEnd {
  std::uint32_t round = 0;         // 0 = the first, of all pages
  std::uint64_t bytes_sent = 0;    // in this round
  Duration duration = 0;           // of this round
  std::uint64_t dirty_bytes = 0;   // waiting to be sent now
  Duration fixed_downtime = 0;     // expected for device state, two hops, commit and registration
};

enum class PrecopyDecision {
  kContinue,      // one more round
  kSwitch,        // the rest fits the downtime limit
  kSwitchForced,  // max_rounds reached: switch although the rest does not fit
};

// Bytes per second of a transfer that sent `bytes` in `duration`; 0 if nothing can be said.
std::uint64_t rate_of(std::uint64_t bytes, Duration duration);

// What to do at the end of a round. The rest fits if dirty_bytes / rate + fixed_downtime is at most
// the downtime limit.
PrecopyDecision decide_at_round_end(const PrecopyLimits& limits, const RoundEnd& round);

}  // namespace failsim
