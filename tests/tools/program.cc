#include "tests/tools/program.h"

#include <csignal>
#include <cstdlib>
#include <sstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace failsim::test {

Program::Program(const std::vector<std::string>& words,
                 const std::map<std::string, std::string>& environment) {
  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) std::abort();
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

std::string Program::next_line() {
  char buffer[4096];
  while (read_ahead_.find('\n') == std::string::npos) {
    const ssize_t got = ::read(out_, buffer, sizeof buffer);
    if (got <= 0) return "";
    read_ahead_.append(buffer, static_cast<std::size_t>(got));
  }
  const std::size_t end = read_ahead_.find('\n');
  std::string line = read_ahead_.substr(0, end);
  read_ahead_.erase(0, end + 1);
  return line;
}

Outcome Program::wait() {
  Outcome outcome;
  outcome.out = std::move(read_ahead_);
  bool out_open = true;
  bool err_open = true;
  char buffer[4096];
  while (out_open || err_open) {
    pollfd streams[] = {{out_open ? out_ : -1, POLLIN, 0}, {err_open ? err_ : -1, POLLIN, 0}};
    if (::poll(streams, 2, -1) < 0) continue;
    if (streams[0].revents != 0) {
      const ssize_t got = ::read(out_, buffer, sizeof buffer);
      out_open = got > 0;
      if (got > 0) outcome.out.append(buffer, static_cast<std::size_t>(got));
    }
    if (streams[1].revents != 0) {
      const ssize_t got = ::read(err_, buffer, sizeof buffer);
      err_open = got > 0;
      if (got > 0) outcome.err.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(out_);
  ::close(err_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  outcome.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

Outcome run_program(const std::vector<std::string>& words,
                    const std::map<std::string, std::string>& environment) {
  return Program(words, environment).wait();
}

std::vector<std::string> split(const std::string& words) {
  std::istringstream stream(words);
  std::vector<std::string> list;
  std::string word;
  while (stream >> word) list.push_back(word);
  return list;
}

}  // namespace failsim::test
