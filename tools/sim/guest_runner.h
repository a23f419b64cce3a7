// One VM on one node: brings the guest to what the last order wants, and says what it is.
//
//   Absent -> Starting -> Present -> Saving -> Saved
//             Starting -> Failed | ImageLost             each -> Absent when the order says so
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/effects.h"
#include "tools/sim/guest.h"
#include "tools/sim/host.h"

namespace failsim::sim {

class FollowingPages;

class GuestRunner {
 public:
  GuestRunner(Host& host, const std::string& vm) : host_(host), vm_(vm) {}
  ~GuestRunner();

  void order(const GuestOrder& order);
  // The pages that this guest misses will not come.
  void lose_pages(std::uint64_t boot_id);
  // The process is about to leave: no guest, whatever is ordered.
  void stop();
  // The guest stops by itself, as after a stop error; false if there is none.
  bool crash();
  void dirty_rate_changed();
  // Compares what may execute with what does.
  void settle();
  // Its pages are written up to this moment.
  void catch_up();

  // A transfer takes so much of its time from the guest, until it sets 0 again.
  void throttle(std::uint32_t percent);
  std::uint32_t throttle_percent() const { return throttle_percent_; }

  // A transfer pauses the guest; `drained` runs once no write of it is under way. Only an order
  // given after the transfer was dropped lets it run again.
  void hold(TaskId job, std::function<void()> drained);

  // Null when the guest has no memory here.
  Guest* guest() { return guest_.get(); }
  const Guest* guest() const { return guest_.get(); }
  std::uint64_t boot_id() const { return order_.boot_id; }
  bool is_held() const { return held_by_ != 0; }
  bool is_executing() const { return is_executing_ && host_.now() < executes_until_; }
  Time paused_at() const { return executed_to_; }

 private:
  enum class Phase { kAbsent, kStarting, kPresent, kSaving, kSaved, kFailed, kImageLost };

  void reach_want();
  void start();
  void registered(const pb::VolumeReply& reply);
  void read_saved_state(std::uint64_t last_counter);
  void resume_image();
  void present(DeviceState state);
  void register_again();
  void destroy();
  void fail(std::uint32_t task_result, const std::string& error);
  // The memory it was to go on from is gone or too old: only a fresh start can go on.
  void lose_image(const std::string& error);
  void say(pb::GuestCondition condition);
  void say_pause_reached();

  void ask(pb::VolumeRequest request, std::function<void(const pb::VolumeReply&)> answered);
  pb::VolumeRequest request() const;

  // Of a guest that misses pages, else null.
  FollowingPages* following();
  void quantum();
  void await_quantum();
  void append();
  void append_answered(const pb::VolumeReply& reply);
  void drain_ended();
  void save();
  void write_state(std::shared_ptr<const std::string> bytes, std::uint64_t offset);

  Host& host_;
  const std::string vm_;
  GuestOrder order_;
  Phase phase_ = Phase::kAbsent;
  std::uint64_t work_ = 0;  // raised when what is under way no longer counts
  std::unique_ptr<Guest> guest_;
  std::uint64_t reserved_bytes_ = 0;
  std::optional<Epoch> registered_epoch_;  // at the volume, by this guest
  bool is_appending_ = false;
  TaskId held_by_ = 0;
  std::function<void()> drained_;

  bool has_begun_ = false;     // the guest present has executed before
  bool is_executing_ = false;  // until executes_until_
  Time executes_until_ = 0;
  Time executed_to_ = 0;
  bool has_quantum_ = false;  // one is under way
  std::uint64_t quantum_number_ = 0;
  std::uint32_t throttle_percent_ = 0;
  Duration throttle_fraction_ = 0;  // of a nanosecond of the guest's time, in hundredths
};

}  // namespace failsim::sim
