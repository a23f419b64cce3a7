#include "tools/failsim/side_by_side.h"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

struct Child {
  pid_t process = 0;
  std::size_t number = 0;
  std::string text;  // its result, as far as it has come
};

[[noreturn]] void be_child(int channel, pid_t parent, std::size_t number,
                           const std::function<json::object(std::size_t)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  const std::string text = json::serialize(work(number));
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t wrote = ::write(channel, text.data() + written, text.size() - written);
    if (wrote < 0 && errno != EINTR) ::_exit(1);
    if (wrote > 0) written += static_cast<std::size_t>(wrote);
  }
  std::cerr << std::flush;
  ::_exit(0);
}

// The channel on which the child tells its result.
int begin(Child& child, const std::function<json::object(std::size_t)>& work) {
  int channel[2];
  if (::pipe2(channel, O_CLOEXEC) != 0) fail_errno("Opening a pipe failed", "Try again.");
  std::cout << std::flush;
  const pid_t parent = ::getpid();
  child.process = ::fork();
  if (child.process < 0) fail_errno("Starting a process failed", "Check the process limit.");
  if (child.process == 0) be_child(channel[1], parent, child.number, work);
  ::close(channel[1]);
  return channel[0];
}

// True at the end of what the child says.
bool read_from(int channel, Child& child) {
  char buffer[4096];
  const ssize_t got = ::read(channel, buffer, sizeof buffer);
  if (got > 0) child.text.append(buffer, static_cast<std::size_t>(got));
  return got == 0 || (got < 0 && errno != EINTR);
}

void wait_for_one(const std::map<int, Child>& running) {
  std::vector<pollfd> channels;
  for (const auto& [channel, child] : running) channels.push_back({channel, POLLIN, 0});
  if (::poll(channels.data(), channels.size(), -1) < 0 && errno != EINTR) {
    fail_errno("Waiting for a process failed", "Try again.");
  }
}

}  // namespace

void side_by_side(std::size_t count, std::size_t jobs,
                  const std::function<json::object(std::size_t)>& work,
                  const std::function<void(std::size_t, const json::object&)>& done) {
  std::map<int, Child> running;  // by channel
  std::size_t next = 0;
  std::size_t lost = 0;
  while (next < count || !running.empty()) {
    while (next < count && running.size() < jobs) {
      Child child{0, next++, ""};
      const int channel = begin(child, work);
      running.emplace(channel, std::move(child));
    }
    wait_for_one(running);
    for (auto at = running.begin(); at != running.end();) {
      pollfd ready{at->first, POLLIN, 0};
      if (::poll(&ready, 1, 0) <= 0 || !read_from(at->first, at->second)) {
        ++at;
        continue;
      }
      ::close(at->first);
      ::waitpid(at->second.process, nullptr, 0);
      const auto result = parse_object(at->second.text);
      if (result) done(at->second.number, *result);
      if (!result) ++lost;
      at = running.erase(at);
    }
  }
  if (lost != 0) {
    fail(Code::kOperationAborted, std::to_string(lost) + " runs ended without a result.",
         "Run them one by one to see which.");
  }
}

}  // namespace failsim::cli
