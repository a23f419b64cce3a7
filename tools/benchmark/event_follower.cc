#include "tools/benchmark/event_follower.h"

#include <cstdio>
#include <ctime>

#include "tools/failsim/tasks.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kPage = 1000;

}  // namespace

bool EventFollower::read(milliseconds wait) {
  const json::value events = cli::patient_poll(
      client_, "/v1/events?since=" + std::to_string(last_) + "&limit=" + std::to_string(kPage),
      wait);
  if (!events.is_array()) return false;
  for (const json::value& value : events.get_array()) {
    const json::object& event = value.as_object();
    const std::uint64_t number = cli::number_in(event, "number");
    if (number != last_ + 1 && gap_.empty()) {
      gap_ = "event " + std::to_string(number) + " came after " + std::to_string(last_);
    }
    last_ = number;
    unread_.push_back(event);
  }
  return events.get_array().size() >= kPage;
}

std::deque<json::object> EventFollower::take_new() {
  while (read(milliseconds(0))) continue;
  return std::exchange(unread_, {});
}

std::optional<json::object> EventFollower::wait_for(
    const std::function<bool(const json::object&)>& fits, milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  while (true) {
    while (!unread_.empty()) {
      json::object event = std::move(unread_.front());
      unread_.pop_front();
      if (fits(event)) return event;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    read(std::min(left, milliseconds(1000)));
  }
}

double event_time_ms(const json::object& event) {
  const std::string text = cli::text_in(event, "time");
  std::tm time = {};
  double seconds = 0;
  const int read = std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%lfZ", &time.tm_year, &time.tm_mon,
                               &time.tm_mday, &time.tm_hour, &time.tm_min, &seconds);
  if (read != 6) return 0;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return static_cast<double>(::timegm(&time)) * 1e3 + seconds * 1e3;
}

double wall_time_ms() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace failsim::bench
