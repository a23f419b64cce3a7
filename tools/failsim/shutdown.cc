#include "tools/failsim/shutdown.h"

#include <csignal>

namespace failsim::cli {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void Shutdown::begin() {
  if (stage_ == Stage::kNotBegun) stage_ = Stage::kNodes;
}

void Shutdown::ask(int signal) {
  begin();
  deadline_ = steady_clock::now() + limit_;
  children_.signal_nodes(signal);
  if (signal == SIGKILL || stage_ == Stage::kVolume) children_.signal_volume(signal);
  advance();
}

void Shutdown::advance() {
  if (stage_ == Stage::kNotBegun) return;
  if (stage_ == Stage::kNodes && !children_.is_any_node_alive()) {
    stage_ = Stage::kVolume;
    deadline_ = steady_clock::now() + limit_;
    children_.signal_volume(SIGTERM);
  }
  if (steady_clock::now() < deadline_) return;
  if (stage_ == Stage::kVolume) {
    children_.signal_volume(SIGKILL);
  } else {
    children_.signal_nodes(SIGKILL);
  }
  deadline_ = steady_clock::now() + limit_;
}

milliseconds Shutdown::time_left() const {
  return std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
}

}  // namespace failsim::cli
