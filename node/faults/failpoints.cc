#include "node/faults/failpoints.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

#include "cluster/fault/failpoint.h"
#include "node/runtime/log.h"

namespace failsim::node {
namespace {

using fault::Carried;
using fault::Passage;
using fault::Stage;

class Failpoints final : public StepPoints {
 public:
  Failpoints(NodeId self, FailpointBoard& board, Switchboard& switchboard,
             FailpointsOutside outside)
      : self_(self), board_(board), switchboard_(switchboard), outside_(std::move(outside)) {}

  bool may_receive(const Member& member, const Event& event) override {
    std::vector<Passage> passed = fault::passages(fault::carried(member, event), Stage::kOnReceive);
    for (Passage& one : fault::passages(member, event, rounds_)) passed.push_back(std::move(one));
    const bool is_lost = pass(passed);
    const auto* received = std::get_if<MessageReceived>(&event);
    if (!is_lost || received == nullptr) return true;
    outside_.reset(received->message.from(), self_);
    return false;
  }

  void stepped(const Member& member, Effects& effects) override {
    step_ = {};
    for (Carried& one : fault::carried(member, effects.durable.append)) {
      (one.leads ? step_.leading : step_.following).push_back(std::move(one));
    }
    pass(fault::passages(member, effects));
    if (!pass(fault::passages(step_.leading, Stage::kBeforeSend))) return;
    std::erase_if(effects.send_now, [this](const pb::PeerMessage& message) {
      if (message.has_raft()) outside_.reset(self_, message.to());
      return message.has_raft();
    });
  }

  void sent() override { pass(fault::passages(step_.leading, Stage::kAfterSend)); }

  bool writes_alone() const override { return !step_.leading.empty() || !step_.following.empty(); }

  void before_write() override {
    std::vector<Passage> passed = fault::passages(step_.leading, Stage::kBeforePersist);
    for (Passage& one : fault::passages(step_.following, Stage::kBeforePersist)) {
      passed.push_back(std::move(one));
    }
    pass(passed);
  }

  void awaits(std::uint64_t sequence, std::uint64_t first, std::uint64_t end) override {
    if (writes_alone()) waiting_.push_back({std::exchange(step_, {}), sequence, first, end});
  }

  void written(std::uint64_t sequence) override {
    std::vector<Passage> passed;
    for (Waiting& waiting : waiting_) {
      if (waiting.sequence > sequence) break;
      if (std::exchange(waiting.is_written, true)) continue;
      for (const auto* carried : {&waiting.step.leading, &waiting.step.following}) {
        for (Passage& one : fault::passages(*carried, Stage::kAfterPersist)) {
          passed.push_back(std::move(one));
        }
      }
    }
    pass(passed);
    std::erase_if(waiting_, [](const Waiting& waiting) {
      return waiting.is_written && (waiting.step.following.empty() || waiting.first == waiting.end);
    });
  }

  bool may_say(std::uint64_t number) override {
    if (waiting_.empty() || number < waiting_.front().first) return true;
    Waiting& waiting = waiting_.front();
    if (number == waiting.first) {
      waiting.is_lost = pass(fault::passages(waiting.step.following, Stage::kBeforeSend));
    }
    return !waiting.is_lost;
  }

  void said(std::uint64_t number) override {
    if (waiting_.empty() || number + 1 != waiting_.front().end) return;
    const Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    pass(fault::passages(waiting.step.following, Stage::kAfterSend));
  }

 private:
  // What a step brings into the log.
  struct Step {
    std::vector<Carried> leading;
    std::vector<Carried> following;
  };
  // A step whose batch is under way, or whose `after` is being said.
  struct Waiting {
    Step step;
    std::uint64_t sequence = 0;
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool is_written = false;
    bool is_lost = false;
  };

  // Whether what passes is lost.
  bool pass(const std::vector<Passage>& passed) {
    bool is_lost = false;
    for (const Passage& passage : passed) {
      const auto draw = [this](std::uint64_t n) { return switchboard_.random_below(n); };
      for (const FailpointBoard::Drawn& drawn : board_.pass(passage.point, draw)) {
        is_lost = perform(drawn, passage) || is_lost;
      }
    }
    return is_lost;
  }

  bool perform(const FailpointBoard::Drawn& drawn, const Passage& passage) {
    using Does = fault::Term::Action;
    const fault::Term& term = drawn.term;
    if (term.action == Does::kOff) return false;
    log(Level::kWarning, "failpoint: " + std::to_string(drawn.id) + " at " +
                             fault::point_names()[passage.point] + " of VM '" + passage.vm +
                             "': " + fault::to_text(std::vector{term}));
    switch (term.action) {
      case Does::kKill:
      case Does::kPowerOff:  // not armed on processes
        end(FailpointBoard::End::kKilled, drawn.lease, SIGKILL);
        break;
      case Does::kFreeze:
        end(FailpointBoard::End::kStopped, term.duration, SIGSTOP);
        break;
      case Does::kCut:
        outside_.isolate(std::max(term.duration, kMillisecond));
        break;
      case Does::kDelay:
        std::this_thread::sleep_for(std::chrono::nanoseconds(term.duration));
        break;
      case Does::kCancel:
        outside_.cancel(passage.vm);
        break;
      case Does::kReturn:
        return fail(term.word);
      case Does::kOff:
        break;
    }
    return false;
  }

  // The launcher finds the note when it sees the end.
  void end(FailpointBoard::End how, Duration duration, int signal) {
    board_.leave_note(self_, {how, static_cast<std::uint64_t>(::getpid()), duration});
    ::raise(signal);
  }

  bool fail(const std::string& word) {
    if (word == "DROP") return true;
    if (word == "NO_MEMORY") {
      switchboard_.refuse_memory_once();
    } else {
      switchboard_.fail_writes(word == "ENOSPC" ? DiskError::kNoSpace : DiskError::kIoError);
    }
    return false;
  }

  const NodeId self_;
  FailpointBoard& board_;
  Switchboard& switchboard_;
  const FailpointsOutside outside_;
  fault::RoundsSeen rounds_;
  Step step_;  // the one that is being performed
  std::deque<Waiting> waiting_;
};

}  // namespace

std::unique_ptr<StepPoints> failpoints(NodeId self, FailpointBoard& board, Switchboard& switchboard,
                                       FailpointsOutside outside) {
  return std::make_unique<Failpoints>(self, board, switchboard, std::move(outside));
}

}  // namespace failsim::node
