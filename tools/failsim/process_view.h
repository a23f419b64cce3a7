// What the conditions of a scenario see of a cluster of processes: the last look, and what single
// events said since.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/failsim/labelled_injector.h"
#include "tools/failsim/process_actions.h"
#include "tools/failsim/process_watch.h"
#include "tools/scenario/condition.h"

namespace failsim::cli {

class ProcessView {
 public:
  using Clock = ProcessWatch::Clock;

  // A stretch of time: the events after `cursor`, which follows, and looks that began after
  // `began`.
  struct Window {
    std::uint64_t cursor;
    Clock::time_point began;
    Announced announced = {};
  };

  // Everything referred to outlives it.
  ProcessView(ProcessWatch& watch, Client& client, LabelledInjector& faults)
      : watch_(watch), client_(client), faults_(faults) {}

  // Takes the newest look.
  void look();
  const Sight& sight() const { return sight_; }
  // What the last action was answered.
  void note_answer(const Performed& performed);
  // The newest task that an action was answered with; 0 = none yet.
  std::uint64_t last_task() const { return last_task_; }

  // The present, or, where `announced` says something, a moment that has passed.
  scenario::Look looking(const Announced* announced);
  // Whether the condition was so (or, not wanted, was not) within the window.
  bool was(const scenario::Condition& condition, bool wanted, Window& window);

 private:
  std::optional<std::string> property(const std::string& path);

  ProcessWatch& watch_;
  Client& client_;
  LabelledInjector& faults_;
  Sight sight_;
  Sight::Answer answer_;
  std::uint64_t last_task_ = 0;
};

}  // namespace failsim::cli
