// How the processes of a cluster are taken down: the nodes first and the volume last, for nodes
// that leave may still write. Who does not end in time is killed.
#pragma once

#include <chrono>

#include "tools/failsim/children.h"

namespace failsim::cli {

class Shutdown {
 public:
  // `limit`: how long the nodes, and then the volume, may take to end by themselves. The children
  // outlive this and are reaped by their owner.
  Shutdown(const Children& children, std::chrono::milliseconds limit)
      : children_(children), limit_(limit) {}

  // From now on the cluster is being taken down; ask() follows.
  void begin();
  // SIGTERM asks, SIGKILL spares nobody. Asked again, who is left gets the signal and new time.
  void ask(int signal);
  // Goes on with the volume when the nodes have ended, and kills who is late. Nothing before
  // begin().
  void advance();

  bool has_begun() const { return stage_ != Stage::kNotBegun; }
  bool is_over() const { return stage_ == Stage::kVolume && children_.empty(); }
  // Until somebody is late; negative when it was so before.
  std::chrono::milliseconds time_left() const;

 private:
  enum class Stage { kNotBegun, kNodes, kVolume };

  const Children& children_;
  const std::chrono::milliseconds limit_;
  Stage stage_ = Stage::kNotBegun;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace failsim::cli
