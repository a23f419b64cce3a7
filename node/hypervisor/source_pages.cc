#include "node/hypervisor/source_pages.h"

#include <utility>

#include "node/hypervisor/presence_map.h"

namespace failsim::node {

SourcePages::SourcePages(std::shared_ptr<GuestMemory> memory, SourceConnections& connections,
                         SourceSignals& signals, SharedLink& link, SourceReports& reports,
                         Settings settings)
    : memory_(std::move(memory)),
      connections_(connections),
      signals_(signals),
      reports_(reports),
      settings_(std::move(settings)),
      group_(signals) {
  for (std::uint32_t stream = 0; stream < signals_.streams(); ++stream) {
    const RoundSender::Place place{stream, signals_.streams(), settings_.compress};
    senders_.push_back(
        std::make_unique<RoundSender>(connections_.sender(stream), link, *memory_, place));
  }
}

std::uint64_t SourcePages::mark_changed(const std::vector<std::uint32_t>& there,
                                        const std::vector<std::uint32_t>& here) {
  std::uint64_t kept = 0;
  for (std::uint64_t page = 0; page < memory_->pages(); ++page) {
    if (there[page] == here[page]) {
      ++kept;
    } else {
      memory_->dirty().set(page);
    }
  }
  return kept;
}

bool SourcePages::send_dirty(const std::function<bool()>& ends_early) {
  reports_.set_left(dirty_bytes());
  RoundSender::Hooks hooks;
  hooks.before_piece = [this](std::uint32_t stream) {
    return signals_.of(stream).aborted() ? Io::kAborted : Io::kDone;
  };
  hooks.ends_early = ends_early;
  if (settings_.faults != nullptr) hooks.edit = [this](PageRuns& runs) { forget_page(runs); };
  hooks.after_piece = [this](std::uint32_t stream, std::uint64_t pages) {
    reports_.take_off(pages * kPageBytes);
    if (stream == 0) reports_.note_sent();
  };
  const StreamGroup::Outcome outcome =
      group_.perform([&](std::uint32_t stream) { return senders_[stream]->send_round(hooks); },
                     [this] { reports_.note_sent(); });
  reports_.note_sent();
  return connections_.check(outcome.io, outcome.stream, "sending memory");
}

// What is dirty now is the same bytes for as long as the transfer lasts.
SourceMemory::Rest SourcePages::name_rest() {
  PageRuns runs;
  memory_->dirty().take_runs(0, memory_->pages(), runs);
  if (settings_.faults != nullptr) forget_page(runs);
  Rest rest{std::vector<std::uint64_t>(PresenceMap::word_count(memory_->pages())),
            runs.pages * kPageBytes};
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      rest.missing[page / 64] |= std::uint64_t{1} << (page % 64);
    }
  }
  return rest;
}

// The same page in all rounds, or a later one would make good for the loss.
void SourcePages::forget_page(PageRuns& runs) {
  if (runs.pages == 0) return;
  const std::lock_guard lock(forgetting_);
  if (!forgotten_page_ && settings_.faults->forgets_page()) {
    forgotten_page_ = runs.runs.front().first;
  }
  if (!forgotten_page_) return;
  PageRuns rest;
  for (const PageRun& run : runs.runs) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      if (page != *forgotten_page_) rest.append(page);
    }
  }
  runs = std::move(rest);
}

}  // namespace failsim::node
