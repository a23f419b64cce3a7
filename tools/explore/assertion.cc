#include "tools/explore/assertion.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

namespace failsim::explore {
namespace {

constexpr int kSafety = static_cast<int>(scenario::Verdict::kSafety);

// Read by the handler of a signal of the same thread: no string, no lock.
thread_local std::array<char, 512> running{};

void say(const char* text) {
  // Nothing can be done when even this fails: the process ends.
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) std::_Exit(kSafety);
}

void assertion_failed(int) {
  say("assertion: an assertion of the core failed\n  ");
  say(running.data());
  say("\n");
  std::_Exit(kSafety);
}

}  // namespace

void tell_failed_assertions() {
  struct sigaction action {};
  action.sa_handler = assertion_failed;
  sigemptyset(&action.sa_mask);
  sigaction(SIGABRT, &action, nullptr);
}

void now_running(const std::string& replay) {
  const std::size_t length = std::min(replay.size(), running.size() - 1);
  std::copy_n(replay.begin(), length, running.begin());
  running[length] = '\0';
}

scenario::Outcome run_in_child(const scenario::Scenario& scenario, const Worlds& worlds) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    worlds.run(scenario, nullptr);
    std::_Exit(0);
  }
  scenario::Outcome outcome;
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) return worlds.run(scenario, nullptr);
  if (WIFSIGNALED(status)) outcome.add(kAssertion, "an assertion of the core failed");
  return outcome;
}

}  // namespace failsim::explore
