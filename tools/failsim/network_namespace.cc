#include "tools/failsim/network_namespace.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace failsim::cli {
namespace {

Error refused(const std::string& what) {
  return {Code::kAccessDenied, what + " failed: " + std::strerror(errno) + ".",
          "Run as root on a kernel with network namespaces, or leave --netns out."};
}

// What the program said, in one line.
std::string joined(const std::string& printed) {
  std::istringstream lines(printed);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) text += (text.empty() ? "" : "; ") + line;
  }
  constexpr std::size_t kLongest = 300;
  return text.substr(0, kLongest);
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* words, int network, int input, int output) {
  if (::setns(network, CLONE_NEWNET) != 0) ::_exit(126);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execv(words[0], words);
  ::_exit(127);
}

Result<FileDescriptor> input_of(const std::string& script) {
  FileDescriptor input(::memfd_create("script", MFD_CLOEXEC));
  if (input.get() < 0) return refused("Opening a file in memory");
  if (auto error = append_all(input, "a file in memory", script)) return *error;
  if (::lseek(input.get(), 0, SEEK_SET) != 0) return refused("Going back in a file in memory");
  return input;
}

std::string read_to_end(int descriptor) {
  std::string printed;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(descriptor, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) printed.append(buffer, static_cast<std::size_t>(got));
  }
  return printed;
}

}  // namespace

std::string program_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

Result<NetworkNamespace> NetworkNamespace::create() {
  Result<FileDescriptor> made = Error{};
  // A thread has a namespace of its own as soon as it says so; its handle outlives the thread.
  std::thread([&made] {
    if (::unshare(CLONE_NEWNET) != 0) {
      made = refused("Making a network namespace");
    } else {
      made = open_file("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }
  }).join();
  if (!made) return made.error();
  return NetworkNamespace(made.take());
}

std::string NetworkNamespace::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor());
}

void NetworkNamespace::inside(const std::function<void()>& work) const {
  std::thread([this, &work] {
    if (::setns(descriptor(), CLONE_NEWNET) != 0) std::abort();  // we have made it ourselves
    work();
  }).join();
}

std::optional<Error> NetworkNamespace::run(const std::vector<std::string>& command,
                                           const std::string& script) const {
  const std::string& name = command.front();
  const std::string program = program_path(name);
  Result<FileDescriptor> input = input_of(script);
  if (!input) return input.error();
  int channel[2];
  if (::pipe2(channel, O_CLOEXEC) != 0) return refused("Opening a pipe");
  const FileDescriptor output(channel[0]);
  FileDescriptor output_of_child(channel[1]);
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (std::size_t i = 1; i < command.size(); ++i) {
    words.push_back(const_cast<char*>(command[i].c_str()));
  }
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) become(words.data(), descriptor(), input.value().get(), channel[1]);
  if (child < 0) return refused("Starting " + name);
  output_of_child = FileDescriptor();
  const std::string printed = joined(read_to_end(output.get()));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return refused("Waiting for " + name);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  return Error{Code::kInvalidState,
               "The kernel or " + name + " refused a change of the cluster's network: " +
                   (printed.empty() ? "it did not say why" : printed) + ".",
               "Leave --netns out to have faults performed by the processes."};
}

}  // namespace failsim::cli
