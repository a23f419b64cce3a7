#include "tools/benchmark/process_pair.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace failsim::bench {

PairLink::~PairLink() {
  close(socket_);
}

bool PairLink::send_bytes(const void* data, std::size_t bytes) {
  return ::send(socket_, data, bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes);
}

bool PairLink::receive_bytes(void* data, std::size_t bytes) {
  return recv(socket_, data, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

Result<BulkFigure> run_pair(const std::function<bool(PairLink&)>& child,
                            const std::function<Result<BulkFigure>(PairLink&)>& parent) {
  int sockets[2];
  std::fflush(nullptr);
  const bool paired = socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0;
  const pid_t pid = paired ? fork() : -1;
  if (pid < 0) {
    return Error{Code::kNoSystemResources,
                 std::string("the benchmark cannot start a process: ") + std::strerror(errno), ""};
  }
  if (pid == 0) {
    close(sockets[0]);
    bool good = false;
    {
      PairLink link(sockets[1]);
      good = child(link);
    }
    _exit(good ? 0 : 1);
  }
  close(sockets[1]);
  Result<BulkFigure> result = [&] {
    PairLink link(sockets[0]);
    return parent(link);
  }();
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (result.ok() && status != 0) {
    return Error{Code::kOperationAborted, "the receiving process of the benchmark failed", ""};
  }
  return result;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double now_seconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

BulkFigure median(std::vector<BulkFigure> figures) {
  if (figures.empty()) return {};
  std::sort(figures.begin(), figures.end(), [](const BulkFigure& a, const BulkFigure& b) {
    return a.gib_per_second < b.gib_per_second;
  });
  return figures[figures.size() / 2];
}

}  // namespace failsim::bench
