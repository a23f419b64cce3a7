// The rounds of a pre-copy: which pages to send next, and what to do when a round ends.
//
// Used by the mover of the process world and by the virtual world alike, so that a seed finds a
// forgotten page whoever forgot it. Pure: time, rates and counts are told.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/mistakes.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

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
// (acquire) before it reads the page: a page written in between is sent again. Any thread may set,
// one thread at a time may take.
class DirtyBitmap {
 public:
  explicit DirtyBitmap(std::uint64_t pages, Mistakes mistakes = {});

  void set(std::uint64_t page);
  void set_all();
  void clear_all();
  bool test(std::uint64_t page) const;

  // Clears the bits of the next at most `max_pages` dirty pages from `from` on and appends the
  // pages to `out`. Returns the page to go on from; pages() when the end was reached.
  std::uint64_t take_runs(std::uint64_t from, std::uint64_t max_pages, PageRuns& out);

  // Exact while nobody sets or takes.
  std::uint64_t count() const;
  std::uint64_t pages() const { return pages_; }

 private:
  std::uint64_t pages_;
  [[no_unique_address]] Mistakes mistakes_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

// One round: every dirty page, in page order, in pieces. A page that gets dirty behind the place
// the round has come to waits for the next round.
class PrecopyRound {
 public:
  // Appends the next pages of this round, at most `byte_budget` of them (but at least one page);
  // false when there are none left and the round is over.
  bool take(DirtyBitmap& dirty, std::uint64_t byte_budget, PageRuns& out);

  std::uint64_t bytes_taken() const { return bytes_taken_; }

 private:
  std::uint64_t next_page_ = 0;
  std::uint64_t bytes_taken_ = 0;
};

struct PrecopyLimits {
  std::uint64_t bandwidth_bytes_per_second = 0;  // 0 = unlimited
  Duration downtime_limit = 300 * kMillisecond;
  std::uint32_t max_rounds = 30;
};

// What the parameters of a migration ask for; a downtime limit or round count of 0 is the default.
PrecopyLimits limits_of(const pb::MigrationParameters& parameters);

// What a finished round showed.
struct RoundEnd {
  std::uint32_t round = 0;         // 0 = the first, of all pages
  std::uint64_t bytes_sent = 0;    // in this round
  Duration duration = 0;           // of this round
  std::uint64_t dirty_bytes = 0;   // waiting to be sent now
  Duration fixed_downtime = 0;     // expected for device state, two hops, commit and registration
  std::uint64_t earlier_rate = 0;  // of the rounds before, for a round that sent too little to tell
};

enum class PrecopyDecision {
  kContinue,     // one more round
  kSwitch,       // the rest fits the downtime limit
  kSwitchForced  // max_rounds sent: switch although the rest does not fit
};

// Bytes per second of a transfer that sent `bytes` in `duration`; 0 if nothing can be said.
std::uint64_t rate_of(std::uint64_t bytes, Duration duration);

// The time `bytes` take at `bytes_per_second`, rounded up; kNever at rate 0 unless there are none.
Duration time_to_send(std::uint64_t bytes, std::uint64_t bytes_per_second);

// A round that sent less than this says more about latency than about the rate.
inline constexpr std::uint64_t kTellingRoundBytes = 256 * 1024;

// The rate to expect after `round`: its own if it sent enough to tell, else that of those before;
// never above the bandwidth limit. 0 if nothing is known.
std::uint64_t expected_rate(const PrecopyLimits& limits, const RoundEnd& round);

// What to do at the end of a round. The rest fits if the time for dirty_bytes at the expected rate
// and fixed_downtime together are at most the downtime limit; nothing left to send always fits,
// because another round could not better it.
PrecopyDecision decide_at_round_end(const PrecopyLimits& limits, const RoundEnd& round);

}  // namespace failsim
