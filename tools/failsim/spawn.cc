#include "tools/failsim/spawn.h"

#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* words, int log, int input, Place place, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);  // it died before the line above
  ::setpgid(0, 0);
  ::dup2(input, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  if (place.network >= 0 && ::setns(place.network, CLONE_NEWNET) != 0) ::_exit(126);
  if (place.listener >= 0) {
    // A duplicate stays open in the program; the descriptor itself has to be told so.
    if (place.listener != kInheritedListener) ::dup2(place.listener, kInheritedListener);
    ::fcntl(kInheritedListener, F_SETFD, 0);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execv(words[0], words);
  ::_exit(127);
}

}  // namespace

pid_t spawn(const std::vector<std::string>& command, const fs::path& log, Place place) {
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) fail_errno("Opening " + log.string() + " failed", "Check the permissions there.");
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(words.data(), output, input, place, parent);
  ::close(output);
  ::close(input);
  if (child < 0) fail_errno("Starting " + command.front() + " failed", "Check the process limit.");
  return child;
}

void run_to_end(const std::vector<std::string>& command, const std::string& what,
                const std::string& next) {
  int channel[2];
  if (::pipe2(channel, O_CLOEXEC) != 0) fail_errno("Opening a pipe failed", "Try again.");
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(channel[1], STDERR_FILENO);
    ::dup2(channel[1], STDOUT_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(channel[1]);
  std::string printed;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(channel[0], buffer, sizeof buffer)) > 0) {
    printed.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(channel[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) {
    fail_errno("Starting " + command.front() + " failed", "Try again.");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  while (!printed.empty() && printed.back() == '\n') printed.pop_back();
  fail(Code::kWriteFault, what + " failed: " + (printed.empty() ? command.front() : printed), next);
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace failsim::cli
