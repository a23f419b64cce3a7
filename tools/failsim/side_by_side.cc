#include "tools/failsim/side_by_side.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <iostream>
#include <map>
#include <vector>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Child {
  pid_t process = 0;
  std::size_t number = 0;
  Clock::time_point until;
  bool timed_out = false;
  std::string text;  // what it says, as far as it has come
};

// {"result": ...} or {"failure": ..., "exit": ...}: nothing leaves the child but this.
json::object say(const std::function<json::object(std::size_t)>& work, std::size_t number) {
  try {
    return {{"result", work(number)}};
  } catch (const Failure& failure) {
    return {{"failure", to_json(failure.error)}, {"exit", failure.exit}};
  } catch (const std::exception& error) {
    const Failure failure = unexpected(error.what());
    return {{"failure", to_json(failure.error)}, {"exit", failure.exit}};
  }
}

[[noreturn]] void be_child(int channel, pid_t parent, std::size_t number,
                           const std::function<json::object(std::size_t)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  const std::string text = json::serialize(say(work, number));
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t wrote = ::write(channel, text.data() + written, text.size() - written);
    if (wrote < 0 && errno != EINTR) ::_exit(1);
    if (wrote > 0) written += static_cast<std::size_t>(wrote);
  }
  std::cout << std::flush;
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

// Until one of them says something or has had its time.
void wait_for_one(const std::map<int, Child>& running) {
  std::vector<pollfd> channels;
  Clock::time_point until = Clock::time_point::max();
  for (const auto& [channel, child] : running) {
    channels.push_back({channel, POLLIN, 0});
    if (!child.timed_out) until = std::min(until, child.until);
  }
  int pause = -1;
  if (until != Clock::time_point::max()) {
    const auto rest = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    pause = static_cast<int>(std::clamp<std::int64_t>(rest, 0, 3'600'000));
  }
  if (::poll(channels.data(), channels.size(), pause) < 0 && errno != EINTR) {
    fail_errno("Waiting for a process failed", "Try again.");
  }
}

void kill_if_late(Child& child) {
  if (child.timed_out || Clock::now() < child.until) return;
  child.timed_out = true;
  ::kill(child.process, SIGKILL);  // our own child that is not reaped yet
}

ChildEnd end_of(const Child& child) {
  int status = 0;
  while (::waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  ChildEnd end;
  end.timed_out = child.timed_out;
  end.how = describe_end(status);
  const auto said = parse_object(child.text);
  if (!said) return end;
  if (said->contains("result")) end.result = object_in(*said, "result");
  if (said->contains("failure")) {
    end.failure = Failure{error_from_json(object_in(*said, "failure")),
                          static_cast<int>(number_in(*said, "exit"))};
  }
  return end;
}

}  // namespace

void side_by_side(std::size_t count, std::size_t jobs, milliseconds timeout,
                  const std::function<json::object(std::size_t)>& work,
                  const std::function<void(std::size_t, const ChildEnd&)>& done) {
  std::map<int, Child> running;  // by channel
  std::size_t next = 0;
  while (next < count || !running.empty()) {
    while (next < count && running.size() < jobs) {
      Child child{0, next++, Clock::now() + timeout, false, ""};
      const int channel = begin(child, work);
      running.emplace(channel, std::move(child));
    }
    wait_for_one(running);
    for (auto at = running.begin(); at != running.end();) {
      kill_if_late(at->second);
      pollfd ready{at->first, POLLIN, 0};
      if (::poll(&ready, 1, 0) <= 0 || !read_from(at->first, at->second)) {
        ++at;
        continue;
      }
      ::close(at->first);
      done(at->second.number, end_of(at->second));
      at = running.erase(at);
    }
  }
}

}  // namespace failsim::cli
