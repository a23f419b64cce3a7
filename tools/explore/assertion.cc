#include "tools/explore/assertion.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include <fcntl.h>
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

std::string read_all(int from) {
  std::string text;
  std::array<char, 256> part{};
  for (ssize_t count = 0; (count = read(from, part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(count));
  }
  return text;
}

// Writes a line for each violation and never returns. What an assertion prints was printed before.
[[noreturn]] void run_as_child(const scenario::Scenario& scenario, const Worlds& worlds, int to) {
  std::signal(SIGABRT, SIG_DFL);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  std::string labels;
  for (const invariants::Violation& violation : worlds.run(scenario, nullptr).violations) {
    labels += violation.label + '\n';
  }
  const ssize_t written = write(to, labels.data(), labels.size());
  std::_Exit(written == static_cast<ssize_t>(labels.size()) ? 0 : kSafety);
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
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return worlds.run(scenario, nullptr);
  const pid_t child = fork();
  if (child == 0) run_as_child(scenario, worlds, ends[1]);
  close(ends[1]);
  std::istringstream labels(read_all(ends[0]));
  close(ends[0]);
  int status = 0;
  const bool has_run = child > 0 && waitpid(child, &status, 0) == child;
  scenario::Outcome outcome;
  if (has_run && WIFSIGNALED(status)) {
    outcome.add(kAssertion, "an assertion of the core failed");
  } else if (!has_run || WEXITSTATUS(status) != 0) {
    return worlds.run(scenario, nullptr);
  }
  for (std::string label; std::getline(labels, label);) outcome.add(label, "broken in a child");
  return outcome;
}

}  // namespace failsim::explore
