// Two processes of one measurement and the pipe between them: the child is the receiving side.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include <sys/types.h>

#include "tools/benchmark/mover.h"

namespace failsim::bench {

// One end of the pair's private socket. Messages are plain structures of one program.
class PairLink {
 public:
  explicit PairLink(int socket) : socket_(socket) {}
  ~PairLink();
  PairLink(const PairLink&) = delete;
  PairLink& operator=(const PairLink&) = delete;

  // False when the other side has gone.
  template <typename Message>
  bool send(const Message& message) {
    return send_bytes(&message, sizeof message);
  }
  template <typename Message>
  bool receive(Message& message) {
    return receive_bytes(&message, sizeof message);
  }

 private:
  bool send_bytes(const void* data, std::size_t bytes);
  bool receive_bytes(void* data, std::size_t bytes);

  int socket_;
};

// Runs `child` in a child process and `parent` here, and reaps the child. Fails if either does.
Result<BulkFigure> run_pair(const std::function<bool(PairLink&)>& child,
                            const std::function<Result<BulkFigure>(PairLink&)>& parent);

// User and system time of this process so far.
double cpu_seconds();
// CLOCK_BOOTTIME, the same in both processes.
double now_seconds();

// By rate.
BulkFigure median(std::vector<BulkFigure> figures);

}  // namespace failsim::bench
