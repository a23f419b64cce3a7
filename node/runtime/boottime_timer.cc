#include "node/runtime/boottime_timer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <sys/timerfd.h>
#include <time.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

int create() {
  const int descriptor = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  return descriptor;
}

}  // namespace

BoottimeTimer::BoottimeTimer(boost::asio::io_context& io, std::function<void()> fire)
    : descriptor_(io, create()), fire_(std::move(fire)) {
  wait();
}

void BoottimeTimer::arm(Time at) {
  if (at == armed_at_) return;
  armed_at_ = at;
  itimerspec spec{};  // all zero disarms
  if (at != kNever) {
    at = std::max<Time>(true_boottime_of(at), 1);
    spec.it_value.tv_sec = at / kSecond;
    spec.it_value.tv_nsec = at % kSecond;
  }
  if (::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "timerfd_settime");
  }
}

void BoottimeTimer::wait() {
  descriptor_.async_read_some(boost::asio::buffer(&expirations_, sizeof expirations_),
                              [this](const boost::system::error_code& error, std::size_t) {
                                if (error) return;  // the timer is being destroyed
                                armed_at_ = kNever;
                                fire_();
                                wait();
                              });
}

}  // namespace failsim::node
