// A step that ends its process, and a process that looks on.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <new>

#include <boost/json/serialize.hpp>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/failsim/errors.h"
#include "tools/failsim/replay.h"
#include "tools/failsim/replay_text.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

// A number that the child writes and the parent reads, also when the child is gone.
class SharedNumber {
 public:
  SharedNumber() {
    void* const page = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail_errno("Sharing memory failed", "Try again.");
    number_ = new (page) std::atomic<std::uint64_t>(0);
  }
  ~SharedNumber() { ::munmap(number_, sizeof *number_); }
  SharedNumber(const SharedNumber&) = delete;
  SharedNumber& operator=(const SharedNumber&) = delete;

  std::atomic<std::uint64_t>& value() { return *number_; }

 private:
  std::atomic<std::uint64_t>* number_;
};

[[noreturn]] void run_child(const Recording& recording, const ReplayOptions& options,
                            std::atomic<std::uint64_t>& under_way, int channel) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(SIGINT, SIG_DFL);
  std::string text = json::serialize(replay(recording, options, under_way));
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(channel, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) ::_exit(kExitFailed);
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::_exit(0);
}

std::string read_all(int channel) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(channel, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(channel);
  return text;
}

// The recorded process went the same way if its recording ends in this step, too.
json::object crashed(const Recording& recording, std::uint64_t step, int status) {
  const bool recorded_too = step == recording.steps() && recording.end().empty() &&
                            (step == 0 || !recording.step(step).effects_hash);
  const Time now = step == 0 ? recording.started_at() : recording.step(step).now;
  const std::string event = step == 0 ? "the start" : event_text(recording.step(step).event);
  return {
      {"verdict", recorded_too ? "crashed" : "diverged"},
      {"steps", step},
      {"span_ns", now - recording.started_at()},
      {"effects_hash", nullptr},
      {"divergence", nullptr},
      {"crash",
       json::object{
           {"step", step}, {"now_ns", now}, {"event", event}, {"process", describe_end(status)}}},
      {"end", nullptr}};
}

}  // namespace

json::object replay_in_child(const Recording& recording, const ReplayOptions& options) {
  SharedNumber under_way;
  int channel[2];
  if (::pipe(channel) != 0) fail_errno("Opening a pipe failed", "Try again.");
  std::cout << std::flush;
  const pid_t child = ::fork();
  if (child < 0) fail_errno("Starting the replay failed", "Check the process limit.");
  if (child == 0) {
    ::close(channel[0]);
    run_child(recording, options, under_way.value(), channel[1]);
  }
  ::close(channel[1]);
  const std::string text = read_all(channel[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return parse_object(text).value_or(json::object{});
  }
  if (options.lines != nullptr) *options.lines << std::endl;
  return crashed(recording, under_way.value(), status);
}

}  // namespace failsim::cli
