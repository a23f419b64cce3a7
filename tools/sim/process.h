// A node process of the virtual world: the Member, the guests it hosts, and the performance of its
// effects exactly as cluster/effects.h asks.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "tools/sim/checker.h"
#include "tools/sim/disk.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/host.h"
#include "tools/sim/trace.h"

namespace failsim::sim {

// What a process is given of its world; all of it outlives the process.
struct ProcessWorld {
  EventQueue& queue;
  Trace& trace;
  Checker& checker;
  HostWorld host_world;
  std::function<void(pb::PeerMessage)> send;
  std::function<void(NodeId)> ended;  // the process ends by itself: its disk has failed
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

  bool is_stopped() const { return is_stopped_; }
  const Member& member() const { return *member_; }
  Host& host() { return *host_; }
  const Host& host() const { return *host_; }
  std::shared_ptr<Host> shared_host() const { return host_; }
  Incarnation incarnation() const { return member_->incarnation(); }

 private:
  explicit Process(const ProcessWorld& world) : world_(world) {}

  void step(const Event& event);
  void perform(Effects& effects);
  void perform_after(std::vector<After>& after);
  void written(std::uint64_t sequence);
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
  bool is_ending_ = false;
  std::deque<std::function<void()>> postponed_;  // while stopped

  struct Waiting {
    std::uint64_t sequence = 0;  // 0: the step had no durable part
    std::vector<After> after;
  };
  std::deque<Waiting> waiting_;  // for the disk, in order

  Time wake_at_ = kNever;  // the earliest wake-up asked for
  Time ticked_at_ = kNever;
  std::uint64_t ticks_ = 0;  // since the time moved
  std::uint64_t next_token_ = 1;
  std::map<std::uint64_t, Replied> replied_;
  std::map<std::uint64_t, ReadAnswered> read_answered_;
};

}  // namespace failsim::sim
