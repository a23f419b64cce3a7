#include "node/hypervisor/round_sender.h"

#include <algorithm>
#include <cstring>

#include <time.h>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"

namespace failsim::node {
namespace {

bool contains(const PageRuns& runs, std::uint64_t page) {
  const auto after =
      std::upper_bound(runs.runs.begin(), runs.runs.end(), page,
                       [](std::uint64_t wanted, const PageRun& run) { return wanted < run.first; });
  return after != runs.runs.begin() && page - std::prev(after)->first < std::prev(after)->count;
}

bool is_same(const GuestMemory& memory, std::uint64_t a, std::uint64_t b) {
  return std::memcmp(memory.page(a), memory.page(b), kPageBytes) == 0;
}

// What this thread has used of a processor: what else the machine does is no cost of compressing.
Duration thread_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * kSecond + used.tv_nsec;
}

template <typename Each>
void for_each_page(const PageRuns& runs, Each each) {
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) each(page);
  }
}

}  // namespace

RoundSender::RoundSender(PageSender& sender, SharedLink& link, GuestMemory& memory, Place place)
    : sender_(sender), link_(link), memory_(memory), place_(place) {
  if (place_.compress) {
    gauge_.emplace(link_.bandwidth.rate() / place_.streams);
    compressor_.emplace();
  }
}

Io RoundSender::send_round(const Hooks& hooks) {
  PrecopyRound round(place_.stream, place_.streams);
  for (;;) {
    if (hooks.before_piece) {
      const Io go = hooks.before_piece(place_.stream);
      if (go != Io::kDone) return go;
    }
    if (hooks.ends_early && hooks.ends_early()) break;
    piece_.clear();
    if (!round.take(memory_.dirty(), sender_.frame_budget(), piece_)) break;
    const std::uint64_t pages = piece_.pages;
    if (hooks.edit) hooks.edit(piece_);
    const Io sent = send_piece(piece_);
    if (sent != Io::kDone) return sent;
    if (hooks.after_piece) hooks.after_piece(place_.stream, pages);
  }
  const Io sent = send_zero();
  return sent == Io::kDone ? sender_.flush() : sent;
}

Io RoundSender::send_piece(const PageRuns& runs) {
  sort_out(runs);
  Io sent = written_.pages > 0 ? send_written(written_) : Io::kDone;
  if (sent == Io::kDone && !repeats_.empty()) sent = send_repeats();
  if (sent == Io::kDone && zero_.runs.size() + kFrameRunsMax > kZeroRunsMax) sent = send_zero();
  return sent;
}

void RoundSender::sort_out(const PageRuns& runs) {
  written_.clear();
  hashes_.clear();
  repeats_.clear();
  for_each_page(runs, [&](std::uint64_t page) {
    if (is_zero_page(memory_.page(page))) {
      zero_.append(page);
      return;
    }
    if (repeated_.is_on()) {
      const std::uint64_t hash = RepeatedPages::hash_of(memory_.page(page));
      const auto of = repeated_.suggestion(hash);
      // A page of this very piece is about to be sent in another version.
      if (of && !contains(runs, *of) && is_same(memory_, page, *of)) {
        repeats_.push_back({page, *of});
        return;
      }
      hashes_.push_back(hash);
    }
    written_.append(page);
  });
}

Io RoundSender::send_written(const PageRuns& written) {
  bool sent = false;
  if (gauge_ && gauge_->is_wanted()) {
    const Io smaller = send_smaller(written, sent);
    if (sent || smaller != Io::kDone) return smaller;
  }
  return send_plain(written);
}

Io RoundSender::send_plain(const PageRuns& written) {
  const Time began = boottime_now();
  const Io sent = sender_.send_pages(memory_, written);
  if (sent != Io::kDone) return sent;
  if (gauge_) gauge_->sent_plain(written.pages * kPageBytes, boottime_now() - began);
  remember(written, sender_.seals());
  return sent;
}

// What is compressed is a copy, so that its seals are of what was compressed.
Io RoundSender::send_smaller(const PageRuns& written, bool& sent) {
  const Duration began = thread_time();
  raw_.resize(written.pages * kPageBytes);
  std::size_t at = 0;
  for (const PageRun& run : written.runs) {
    std::memcpy(raw_.data() + at, memory_.page(run.first), run.count * kPageBytes);
    at += run.count * kPageBytes;
  }
  seals_.clear();
  at = 0;
  for_each_page(written, [&](std::uint64_t page) {
    const std::uint32_t checksum = fast_crc32c(0, std::span(raw_).subspan(at, kPageBytes));
    seals_.push_back(memory_.is_settled(page) ? checksum : kUnsettledSeal);
    at += kPageBytes;
  });
  const std::span<const std::byte> smaller = compressor_->compress(raw_);
  gauge_->compressed(raw_.size(), smaller.empty() ? raw_.size() : smaller.size(),
                     thread_time() - began);
  if (smaller.empty()) return Io::kDone;
  sent = true;
  const Io outcome = sender_.send_compressed(written, smaller, seals_);
  if (outcome != Io::kDone) return outcome;
  link_.compressed_pages += written.pages;
  remember(written, seals_);
  return Io::kDone;
}

void RoundSender::remember(const PageRuns& written, const std::vector<std::uint64_t>& seals) {
  if (hashes_.size() != seals.size()) return;  // nobody looked for repeated pages
  std::size_t i = 0;
  for_each_page(written, [&](std::uint64_t page) {
    if (seals[i] != kUnsettledSeal) repeated_.remember(hashes_[i], page);
    ++i;
  });
  repeated_.note(hashes_.size() + repeats_.size(), repeats_.size());
}

// Everything taken so far is on its way, so the target will have the page that is referred to as it
// is here, if its bit is still clear after the comparison.
Io RoundSender::send_repeats() {
  copies_.clear();
  rest_.clear();
  for (const Repeat& repeat : repeats_) {
    const bool same = is_same(memory_, repeat.page, repeat.of);
    const std::uint64_t seal = fast_crc32c(0, {memory_.page(repeat.of), kPageBytes});
    if (same && memory_.is_settled(repeat.of)) {
      copies_.push_back({repeat.page, repeat.of, seal});
    } else {
      rest_.append(repeat.page);
    }
  }
  link_.copied_pages += copies_.size();
  hashes_.clear();
  const Io sent = copies_.empty() ? Io::kDone : sender_.send_copies(copies_);
  return sent == Io::kDone && rest_.pages > 0 ? send_plain(rest_) : sent;
}

Io RoundSender::send_zero() {
  if (zero_.pages == 0) return Io::kDone;
  link_.zero_pages += zero_.pages;
  const Io sent = sender_.send_zero(zero_);
  zero_.clear();
  return sent;
}

}  // namespace failsim::node
