// What has to be undone even if the process is interrupted.
#pragma once

#include <functional>

namespace failsim::bench {

// Registered while it lives. `undo` may run in another thread, while the object lives. Once one was
// registered, SIGINT, SIGTERM and SIGHUP undo what is registered and end the process with status
// 130; the first one has to be made before any other thread exists.
class Undo {
 public:
  explicit Undo(std::function<void()> undo);
  ~Undo();
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

 private:
  std::function<void()> undo_;
};

}  // namespace failsim::bench
