#include "tools/failsim/readiness_watch.h"

#include <chrono>
#include <cstdlib>

#include <sys/eventfd.h>
#include <unistd.h>

#include "tools/failsim/errors.h"
#include "tools/failsim/readiness.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kReadyLimit{60'000};

}  // namespace

ReadinessWatch::ReadinessWatch() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_.get() < 0) fail_errno("Starting the supervisor failed", "Try again.");
}

void ReadinessWatch::start(const ClusterDescription& description, const std::string& token,
                           const std::map<std::uint32_t, std::uint32_t>& instances) {
  thread_ = std::jthread([this, description, token, instances](const std::stop_token& stop) {
    missing_ = wait_until_ready(description, token, instances, kReadyLimit, stop);
    const std::uint64_t one = 1;
    if (::write(event_.get(), &one, sizeof one) != sizeof one) std::abort();
  });
}

bool ReadinessWatch::take_end() {
  std::uint64_t count = 0;
  return ::read(event_.get(), &count, sizeof count) == sizeof count;
}

void ReadinessWatch::join() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace failsim::cli
