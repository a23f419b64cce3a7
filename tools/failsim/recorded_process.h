// A node process that was recorded: its member is taken through the same steps again, and a witness
// sees each of them as it sees those of the virtual world.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "cluster/member.h"
#include "cluster/migration/handover.h"
#include "node/runtime/release_queue.h"
#include "storage/recording.h"
#include "tools/failsim/recorded_guests.h"

namespace failsim::cli {

// Messages, by content: a recording says what was sent and what came, not which it was.
class RecordedMail {
 public:
  // From now on everything that this process sends is told.
  void begins(const handover::Process& process);
  void sent(const pb::PeerMessage& message);
  // False if its sender is known, and has never sent that.
  bool is_genuine(const pb::PeerMessage& message) const;
  // Frames are damaged on their way from now on; and whether that is news.
  void damage_begins() { is_damage_new_ = true; }
  bool take_damage() { return std::exchange(is_damage_new_, false); }

  // Those under way.
  void left(const pb::PeerMessage& message, std::uint64_t id);
  // The oldest that was sent so and has not come yet; nothing if there is none.
  std::optional<std::uint64_t> received(const pb::PeerMessage& message);
  // When a heartbeat was sent, by the clock of the run; nothing if that was not recorded.
  void beat_sent(const pb::PeerMessage& message, Time at) { beats_[key_of(message)] = at; }
  std::optional<Time> beat_received(const pb::PeerMessage& message);

 private:
  using Beat = std::tuple<NodeId, NodeId, Incarnation, std::uint64_t>;
  static Beat key_of(const pb::PeerMessage& message) {
    return {message.from(), message.to(), message.incarnation(), message.heartbeat().sequence()};
  }
  static std::size_t digest(const pb::PeerMessage& message);
  std::set<std::pair<NodeId, Incarnation>> senders_;
  std::unordered_set<std::size_t> sent_;  // digests
  bool is_damage_new_ = false;
  std::map<std::tuple<NodeId, NodeId, std::size_t>, std::deque<std::uint64_t>> under_way_;
  std::map<Beat, Time> beats_;
};

class RecordedProcess {
 public:
  // `origin`: the time, by the kernel's clock, that is 0 on the clock of the run. `has_crashed`: a
  // last step whose end was not recorded ended it, and would end this process, too.
  RecordedProcess(const Recording& recording, Time origin, bool has_crashed);

  const handover::Process& process() const { return process_; }
  // By the kernel's clock: of the next step; nothing when the last is taken.
  std::optional<Time> next_at() const;
  // True once the store is opened and until it has ended.
  bool is_running() const { return member_ != nullptr; }
  const Member& member() const { return *member_; }

  void start(history::Checker& checker, RecordedMail& mail);
  // Takes the step at next_at(). A sentence if the replay wants something else than the recorded
  // process did: then nothing that follows can be believed.
  std::optional<std::string> step(history::Checker& checker, RecordedGuests& guests,
                                  RecordedMail& mail);
  void end(history::Checker& checker, RecordedGuests& guests);

 private:
  void receive(const pb::PeerMessage& message, history::Checker& checker, RecordedMail& mail);
  void look_at_event(const Event& event, history::Checker& checker, RecordedMail& mail);
  void look_at_effects(const Effects& effects, Duration clock_ahead, history::Checker& checker,
                       RecordedGuests& guests, RecordedMail& mail);
  void say(const After& said, history::Checker& checker, RecordedMail& mail);

  const Recording& recording_;
  const Time origin_;
  const handover::Process process_;
  std::unique_ptr<Member> member_;
  std::size_t steps_;  // to be taken
  std::size_t taken_ = 0;
  std::optional<Recording::Step> next_;
  std::uint64_t hash_;
  Time now_ = 0;  // of the step under way, by the clock of the run
  Index applied_;
  std::uint64_t submitted_ = 0;  // batches
  std::uint64_t written_ = 0;
  node::ReleaseQueue releases_;
  std::map<std::uint64_t, pb::Request> asked_;  // by token
};

}  // namespace failsim::cli
