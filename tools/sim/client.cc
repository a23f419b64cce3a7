#include "tools/sim/client.h"

#include <cassert>
#include <utility>

#include "tools/report/answer.h"

namespace failsim::sim {
namespace {

constexpr Duration kPatience = 1500 * kMillisecond;
constexpr Duration kPause = 100 * kMillisecond;  // before the next node is asked

}  // namespace

NodeId Client::any_node() {
  return world_.nodes()[random_.below(world_.nodes().size())];
}

// "Try again" is no outcome, unless an entry of the log says it.
void Client::again(Duration delay, std::function<void()> action) {
  world_.queue().after(delay, [this, attempt = attempt_, action = std::move(action)] {
    if (attempt == attempt_) action();
  });
}

std::string Client::waits_for() const {
  if (!is_busy_) return "";
  return name_ + (done_ ? ": " + request_.ShortDebugString() : ": a read");
}

// ---- Requests -----------------------------------------------------------------------------------

void Client::ask(pb::Request request, Done done) {
  assert(!is_busy_);
  is_busy_ = true;
  const std::uint64_t sequence = request_.sequence() + 1;
  request_ = std::move(request);
  request_.set_client(name_);
  request_.set_sequence(sequence);
  done_ = std::move(done);
  try_to_ask();
}

void Client::try_to_ask() {
  ++attempt_;
  again(kPatience, [this] { try_to_ask(); });
  const bool asked = world_.ask(any_node(), request_,
                                [this, sequence = request_.sequence()](const pb::Reply& reply) {
                                  answered(sequence, reply);
                                });
  if (asked) return;
  ++attempt_;
  again(kPause, [this] { try_to_ask(); });
}

void Client::answered(std::uint64_t sequence, const pb::Reply& reply) {
  if (!history::is_outcome(reply)) {
    if (sequence != request_.sequence() || !done_) return;
    ++attempt_;
    return again(kPause, [this] { try_to_ask(); });
  }
  world_.checker().tell(
      history::Answered{name_ + ":" + std::to_string(sequence), history::outcome_text(reply)});
  if (sequence != request_.sequence() || !done_) return;  // a late answer to an old attempt
  ++attempt_;
  is_busy_ = false;
  std::exchange(done_, {})(reply);
}

// ---- Reads --------------------------------------------------------------------------------------

void Client::read(Seen seen) {
  assert(!is_busy_);
  is_busy_ = true;
  try_to_read(std::move(seen));
}

void Client::try_to_read(Seen seen) {
  ++attempt_;
  again(kPatience, [this, seen] { try_to_read(seen); });
  const NodeId node = any_node();
  // The answer may come at once.
  const bool asked = world_.read(node, [this, node, seen, attempt = attempt_](Code code) {
    if (attempt != attempt_) return;
    ++attempt_;
    if (code != Code::kOk) return again(kPause, [this, seen] { try_to_read(seen); });
    is_busy_ = false;
    seen(world_.member(node).state());
  });
  if (asked) return;
  ++attempt_;
  again(kPause, [this, seen] { try_to_read(seen); });
}

}  // namespace failsim::sim
