#include "tools/benchmark/command.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/benchmark/cleanup.h"
#include "tools/failsim/errors.h"

extern char** environ;

namespace failsim::bench {
namespace {

constexpr int kSignalBase = 128;  // as a shell shows it

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) cli::fail_errno("Opening a pipe failed", "Try again.");
  return {ends[0], ends[1]};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> whole_environment(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;  // the first of a name counts
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

// `output` and `errors` are descriptors, or -1 for nowhere.
pid_t spawn(const std::vector<std::string>& words, const std::vector<std::string>& environment,
            int output, int errors) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  for (const auto& [descriptor, stream] :
       {std::pair(output, STDOUT_FILENO), std::pair(errors, STDERR_FILENO)}) {
    if (descriptor >= 0) {
      ::posix_spawn_file_actions_adddup2(&files, descriptor, stream);
    } else {
      ::posix_spawn_file_actions_addopen(&files, stream, "/dev/null", O_WRONLY, 0);
    }
  }
  // Ours are blocked for the thread that waits for them.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  const std::vector<std::string> variables = whole_environment(environment);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, words.front().c_str(), &files, &attributes,
                                   pointers(words).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  errno = error;
  if (error != 0) cli::fail_errno("Starting " + words.front() + " failed", "Is it installed?");
  return child;
}

// Both to their ends, whichever has something to read.
void read_both(int output, int errors, CommandResult& result) {
  pollfd waiting[] = {{output, POLLIN, 0}, {errors, POLLIN, 0}};
  std::string* const texts[] = {&result.output, &result.errors};
  char buffer[64 * 1024];
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (::poll(waiting, 2, -1) < 0) continue;  // EINTR
    for (int i = 0; i < 2; ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      const ssize_t got = ::read(waiting[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        ::close(waiting[i].fd);
        waiting[i].fd = -1;
      }
    }
  }
}

int exit_of(int status) {
  return WIFSIGNALED(status) ? kSignalBase + WTERMSIG(status) : WEXITSTATUS(status);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words,
                          const std::vector<std::string>& environment) {
  const auto begin = std::chrono::steady_clock::now();
  const Pipe output = open_pipe();
  const Pipe errors = open_pipe();
  const pid_t child = spawn(words, environment, output.write_end, errors.write_end);
  ::close(output.write_end);
  ::close(errors.write_end);
  CommandResult result;
  {
    const Undo end_it([child] { ::kill(child, SIGTERM); });
    read_both(output.read_end, errors.read_end, result);
  }
  int status = 0;
  rusage used = {};
  while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) continue;
  result.exit = exit_of(status);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return result;
}

pid_t start_command(const std::vector<std::string>& words) {
  return spawn(words, {}, -1, -1);
}

int wait_for_command(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return exit_of(status);
}

std::string beside(const std::string& program) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / program).string();
}

}  // namespace failsim::bench
