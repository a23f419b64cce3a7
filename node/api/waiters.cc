#include "node/api/waiters.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace failsim::node {

void Waiters::wait(Duration limit, Attempt attempt, Respond respond) {
  if (auto answer = attempt(limit == 0)) return respond(std::move(*answer));
  const auto waiter = std::make_shared<Waiter>(Waiter{std::move(attempt), std::move(respond)});
  waiting_.push_back(waiter);
  call_after_(limit, [this, weak = std::weak_ptr<Waiter>(waiter)] {
    const auto late = weak.lock();
    if (!late) return;
    waiting_.remove(late);
    late->respond(*late->attempt(true));
  });
}

void Waiters::check() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto position = next++;
    const auto waiter = *position;
    if (auto answer = waiter->attempt(false)) {
      waiting_.erase(position);
      waiter->respond(std::move(*answer));
    }
  }
}

}  // namespace failsim::node
