// Requests that wait for the state to change: long polls.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "cluster/time.h"
#include "node/api/http_server.h"

namespace failsim::node {

class Waiters {
 public:
  // The answer, or nothing to wait on; the last attempt has to answer.
  using Attempt = std::function<std::optional<HttpResponse>(bool is_last)>;
  using CallAfter = std::function<void(Duration, std::function<void()>)>;

  explicit Waiters(CallAfter call_after) : call_after_(std::move(call_after)) {}

  // Answers by the first attempt that succeeds: now, at a check(), or after `limit` at the latest.
  void wait(Duration limit, Attempt attempt, Respond respond);
  // The state has changed.
  void check();

 private:
  struct Waiter {
    Attempt attempt;
    Respond respond;
  };

  const CallAfter call_after_;
  std::list<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace failsim::node
