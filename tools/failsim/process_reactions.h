// The reactions of a scenario on processes: which of them are due.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tools/failsim/process_view.h"
#include "tools/scenario/scenario.h"

namespace failsim::cli {

class ProcessReactions {
 public:
  using Clock = ProcessWatch::Clock;
  using Begin = std::function<void(const scenario::Reaction&)>;

  // `begin` is called when a reaction's condition has become true and its delay is over.
  ProcessReactions(const scenario::Scenario& scenario, ProcessWatch& watch, ProcessView& view,
                   Begin begin);

  // Conditions count from now on.
  void start();
  void stop() { is_watching_ = false; }
  // To be called after every look.
  void look();

 private:
  struct Watched {
    bool held = false;
    std::uint32_t left = 0;
  };
  struct Due {  // its delay runs
    Clock::time_point at;
    const scenario::Reaction* reaction;
  };

  void notice_all(const Announced* announced);

  const scenario::Scenario& scenario_;
  ProcessWatch& watch_;
  ProcessView& view_;
  const Begin begin_;
  std::vector<Watched> watched_;
  std::vector<Due> due_;
  Announced heard_;
  std::uint64_t cursor_ = 0;
  bool is_watching_ = false;
};

}  // namespace failsim::cli
