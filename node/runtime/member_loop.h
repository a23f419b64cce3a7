// The Member of this process in its loop: steps it through what happened and performs what it
// wants, exactly as cluster/effects.h says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "cluster/effects.h"
#include "cluster/error.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "node/runtime/answers.h"
#include "node/runtime/boottime_timer.h"
#include "node/runtime/recorder.h"
#include "node/runtime/release_queue.h"
#include "node/runtime/step_points.h"
#include "node/runtime/storage_writer.h"
#include "storage/store.h"

namespace failsim::node {

class MemberLoop {
 public:
  // The world around the member; everything is called on the loop's thread.
  struct Outside {
    std::function<void(const pb::PeerMessage&)> send;
    std::function<void(Time)> set_lease;
    std::function<void(const TransferOrder&)> transfer;
    std::function<void(const GuestOrder&)> guest;
    std::function<void()> state_changed;  // after a turn that applied something
    // Once: the member takes no part any more.
    std::function<void(const std::string& reason)> member_failed;
    std::function<void(Duration, std::function<void()>)> call_after;
    std::function<Duration()> timer_lateness;  // of a fault; empty: timers fire in time
    StepPoints* points = nullptr;              // of faults, outlives the loop; usually none
  };

  // The recorder has recorded how the member begins: with these arguments.
  MemberLoop(boost::asio::io_context& io, const MemberConfig& config, const Recovered& recovered,
             Time now, Store& store, Recorder& recorder, Outside outside);

  // The event is stepped through in the next turn, after those posted before it. From another
  // thread only through the io_context.
  void post(Event event);

  // Answer exactly once and after a bounded time; see NodeService.
  void ask(pb::Request request, std::function<void(pb::Reply)> answer);
  void read(std::function<void(Code)> answer);

  const Member& member() const { return member_; }
  // Nothing is left to be stepped through, written or said.
  bool is_idle() const { return events_.empty() && releases_.empty() && written_ == submitted_; }

 private:
  void schedule();
  void turn();
  void step(const Event& event);
  void tell_failure(const Event& event);
  bool passes_receive_points(const Event& event);
  void perform(Effects& effects);
  void gather(Effects& effects);
  void submit_gathered();
  void release();
  void say(After& item);
  void arm_timer();
  void limit_wait(std::uint64_t token, Time asked_at);
  std::optional<Error> waited_too_long(Time asked_at) const;
  bool is_overloaded() const { return writer_.is_full(); }

  boost::asio::io_context& io_;
  Outside outside_;
  Recorder& recorder_;
  Member member_;
  BoottimeTimer timer_;
  std::deque<Event> events_;
  bool is_turn_due_ = false;
  bool has_applied_ = false;  // in this turn
  bool is_failure_told_ = false;
  Effects effects_;
  DurableBatch gathered_;  // of this turn
  std::uint64_t gathered_sequence_ = 0;
  std::uint64_t submitted_ = 0;
  std::uint64_t written_ = 0;
  ReleaseQueue releases_;
  std::uint64_t releases_added_ = 0;  // items so far; for points
  std::uint64_t releases_said_ = 0;
  std::uint64_t last_token_ = 0;
  Answers<pb::Reply> replies_;
  Answers<Code> reads_;
  StorageWriter writer_;  // last: its thread ends before anything it calls is gone
};

}  // namespace failsim::node
