#include "tools/failsim/process_reactions.h"

#include <chrono>
#include <utility>

namespace failsim::cli {

ProcessReactions::ProcessReactions(const scenario::Scenario& scenario, ProcessWatch& watch,
                                   ProcessView& view, Begin begin)
    : scenario_(scenario), watch_(watch), view_(view), begin_(std::move(begin)) {
  for (const scenario::Reaction& reaction : scenario.reactions) {
    watched_.push_back({false, reaction.times});
  }
}

void ProcessReactions::start() {
  cursor_ = watch_.last_event();
  is_watching_ = true;
}

void ProcessReactions::look() {
  if (!is_watching_) return;
  const std::vector<json::object> events = watch_.events_after(cursor_);
  for (const json::object& event : events) {
    cursor_ = number_in(event, "number");
    if (heard_.tell(event)) notice_all(&heard_);
  }
  heard_.clear();
  // A look that is older than an event would only make what has ended begin once more.
  if (events.empty()) notice_all(nullptr);
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < due_.size();) {
    if (due_[i].at > now) {
      ++i;
      continue;
    }
    begin_(*due_[i].reaction);
    due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void ProcessReactions::notice_all(const Announced* announced) {
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    Watched& watched = watched_[i];
    const scenario::Reaction& reaction = scenario_.reactions[i];
    const bool holds_now = holds(reaction.when, view_.looking(announced));
    const bool held = std::exchange(watched.held, holds_now);
    if (held || !holds_now || watched.left == 0) continue;
    --watched.left;
    const auto delay =
        std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(reaction.delay));
    due_.push_back({Clock::now() + delay, &reaction});
  }
}

}  // namespace failsim::cli
