#include "tools/benchmark/guest_watch.h"

#include <utility>

#include "cluster/vm/guest_model.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{10};
constexpr milliseconds kAnswerLimit{5'000};
// What a guest may be late with its counting, in values.
constexpr std::uint64_t kSlack = kSecond / kGuestCountInterval;

}  // namespace

GuestWatch::GuestWatch(const TestCluster& cluster, std::string vm)
    : cluster_(cluster),
      vm_(std::move(vm)),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {}

std::uint64_t GuestWatch::sightings() const {
  const std::lock_guard lock(mutex_);
  return sightings_;
}

std::uint64_t GuestWatch::counter() const {
  const std::lock_guard lock(mutex_);
  return counter_;
}

std::string GuestWatch::wrong() const {
  const std::lock_guard lock(mutex_);
  return wrong_;
}

void GuestWatch::watch(const std::stop_token& stop) {
  cli::Client client = cluster_.new_client();
  for (std::uint32_t turn = 0; !stop.stop_requested(); ++turn) {
    const std::uint32_t node = turn % cluster_.description().nodes + 1;
    const auto asked = Clock::now();
    const cli::HttpAnswer answer = client.ask(node, "/v1/vms/" + vm_, kAnswerLimit);
    if (answer.transport == cli::Transport::kAnswered && answer.status == 200) {
      const json::object vm = cli::parse_object(answer.body).value_or(json::object{});
      if (!cli::is_null_in(vm, "guest")) {
        see(cli::object_in(vm, "guest"), "node-" + std::to_string(node), asked);
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

void GuestWatch::see(const json::object& guest, const std::string& node, Clock::time_point asked) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t counter = cli::number_in(guest, "counter");
  const std::uint64_t boot_id = cli::number_in(guest, "boot_id");
  const std::string seen = "asked through " + node + ", the guest of " + vm_ + " ";
  if (sightings_ > 0) {
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - asked_).count();
    const std::uint64_t most =
        counter_ + static_cast<std::uint64_t>(elapsed / kGuestCountInterval) + kSlack;
    if (boot_id != boot_id_) complain(seen + "was booted anew");
    if (counter < counter_) {
      complain(seen + "went back from " + std::to_string(counter_) + " to " +
               std::to_string(counter));
    }
    if (counter > most) {
      complain(seen + "jumped from " + std::to_string(counter_) + " to " + std::to_string(counter));
    }
  }
  ++sightings_;
  counter_ = counter;
  boot_id_ = boot_id;
  asked_ = asked;
}

void GuestWatch::complain(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

}  // namespace failsim::bench
