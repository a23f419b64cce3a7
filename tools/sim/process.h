// A node process of the virtual world: the Member, the guests it hosts, and the performance of its
// effects exactly as cluster/effects.h asks. On the way it passes the named points of
// cluster/fault/failpoint.h.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/effects.h"
#include "cluster/fault/failpoint.h"
#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "tools/report/checker.h"
#include "tools/sim/disk.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/failpoints.h"
#include "tools/sim/host.h"
#include "tools/sim/trace.h"

namespace failsim::sim {

// What a process is given of its world; all of it outlives the process.
struct ProcessWorld {
  EventQueue& queue;
  Trace& trace;
  history::Checker& checker;
  HostWorld host_world;
  Machine& machine;
  Failpoints& failpoints;
  std::function<void(pb::PeerMessage)> send;
  std::function<void(NodeId, NodeId)> reset;  // the connection between them, in this direction
  std::function<void(NodeId)> ended;          // the process ends by itself: its disk has failed
};

class Process : public std::enable_shared_from_this<Process> {
 public:
  using Replied = std::function<void(const pb::Reply&)>;
  using ReadAnswered = std::function<void(Code)>;

  // Opens the disk and forms the member. begin() has to follow.
  static std::shared_ptr<Process> start(const ProcessWorld& world, MemberConfig config, Disk& disk,
                                        std::uint64_t memory_bytes, std::uint32_t instance);

  void begin() { deliver(Tick{}); }
  // Handed to the member, now or when the stopped process continues.
  void deliver(Event event);
  // The answer comes while this process lives, or never.
  void ask(const pb::Request& request, Replied replied);
  void read(ReadAnswered answered);

  void stop();   // SIGSTOP
  void cont();   // SIGCONT
  void leave();  // SIGTERM: guests are stopped, the member says farewell
  // Dead from now on, whoever is in the middle of performing something.
  void end() { is_gone_ = true; }
  // The clock or the timers of the machine have changed.
  void clock_changed();

  bool is_stopped() const { return is_stopped_; }
  const Member& member() const { return *member_; }
  Host& host() { return *host_; }
  const Host& host() const { return *host_; }
  std::shared_ptr<Host> shared_host() const { return host_; }
  Incarnation incarnation() const { return member_->incarnation(); }

 private:
  explicit Process(const ProcessWorld& world) : world_(world) {}

  // What one step wants done, on its way through the points that lie on it.
  struct Work {
    Effects effects;
    std::vector<fault::Carried> leading;    // what it proposes
    std::vector<fault::Carried> following;  // what it has received
  };
  struct Waiting {
    std::uint64_t sequence = 0;  // 0: the step had no durable part
    std::vector<After> after;
    std::vector<fault::Carried> leading;
    std::vector<fault::Carried> following;
  };

  Time local_now() const { return world_.machine.clock.local(world_.queue.now()); }
  bool is_held() const { return is_stopped_ || is_hung_; }
  void go_on();
  void hang(Duration duration);
  template <typename Next>
  void at_points(const std::vector<fault::Passage>& passed, Next next);

  void receive(Event event);
  void step(const Event& event);
  void send(const std::shared_ptr<Work>& work, bool is_dropped);
  void hand_over(Effects& effects);
  void tell_lease();
  void write(const std::shared_ptr<Work>& work);
  void perform_after(std::vector<After>& after);
  void perform_waiting(std::uint64_t sequence);
  void written(std::uint64_t sequence);
  // When the timer for a deadline of the member fires, in true time.
  Time due(Time deadline) const;
  void wake_at(Time time);
  bool may_tick(Time now);
  void post(std::function<void()> action);
  void note(const Event& event);
  void note(const Effects& effects);

  const ProcessWorld world_;
  Disk* disk_ = nullptr;
  std::unique_ptr<Member> member_;
  std::shared_ptr<Host> host_;
  bool is_stopped_ = false;
  bool is_hung_ = false;  // at a point
  bool is_ending_ = false;
  bool is_gone_ = false;
  std::deque<std::function<void()>> postponed_;  // while stopped or hung
  fault::RoundsSeen rounds_;
  std::deque<Waiting> waiting_;  // for the disk, in order

  Time wake_at_ = kNever;  // the earliest wake-up asked for
  Time ticked_at_ = kNever;
  std::uint64_t ticks_ = 0;  // since the time moved
  std::uint64_t next_token_ = 1;
  std::map<std::uint64_t, Replied> replied_;
  std::map<std::uint64_t, ReadAnswered> read_answered_;
};

}  // namespace failsim::sim
