// The witness of a world: looks at what each step touched, tells it as facts, and has them judged.
// Whoever records the run gets the same facts; nobody has to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/invariants.h"
#include "cluster/member.h"
#include "cluster/migration/handover.h"
#include "tools/report/coverage.h"
#include "tools/report/fact.h"
#include "tools/report/handover_feed.h"
#include "tools/report/hearing.h"
#include "tools/report/judge.h"
#include "tools/report/observer.h"

namespace failsim::history {

class Checker : public Observer {
 public:
  // `sink`, if any, gets every fact and outlives the world; `now` is the time of the world.
  Checker(std::function<Time()> now, history::Sink* sink);

  void process_started(NodeId node);
  void process_ended(NodeId node, Incarnation incarnation);
  // The process is about to leave: its guests are stopped for good.
  void guests_stopped(NodeId node, Incarnation incarnation);
  void store_opened(NodeId node, const Recovered& recovered);
  void batches_written(NodeId node, std::uint64_t sequence);
  void after_step(const Member& member, const Effects& effects);

  // The lease of the process lasts until this true time; also when that has moved.
  void lease_lasts(const handover::Process& process, Time until);
  // The clock of the node runs too fast (or, negative, too slow) by so many millionths. Beyond the
  // bound that leases rely on, two nodes may execute one VM: that is no fault of the product, and
  // is kept apart, among the broken assumptions.
  void clock_rate(NodeId node, std::int64_t ppm);
  const std::vector<invariants::Violation>& broken_assumptions() const {
    return judge_.broken_assumptions().violations();
  }

  // Observer.
  void guest_executes(const handover::Process& process, const std::string& vm, const Epoch& epoch,
                      Time until) override;
  void guest_stops(const handover::Process& process, const std::string& vm) override;
  void source_paused(const handover::Process& process, const std::string& vm, TaskId job) override;
  void target_holds_all(const handover::Process& process, const std::string& vm,
                        TaskId job) override;
  void target_holds_state(const handover::Process& process, const std::string& vm,
                          TaskId job) override;
  void target_holds_pages(const handover::Process& process, const std::string& vm,
                          TaskId job) override;
  void guest_begins(NodeId node, const std::string& vm, std::uint64_t counter) override;
  void memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) override;
  void image_verified(NodeId node, const std::string& vm, TaskId job, bool match) override;
  void round_ended(history::RoundEnded round) override;

  // ---- faults; the number names the fault when it ends ----
  std::uint64_t fault_injected(std::string text, std::vector<NodeId> nodes);
  void fault_healed(std::uint64_t fault);

  // ---- messages, for who records the run: the number names the message when it arrives ----
  // What is torn down after a run is no part of it.
  void end_recording() { sink_ = nullptr; }
  bool is_recorded() const { return sink_ != nullptr; }
  std::uint64_t message_sent(const pb::PeerMessage& message);
  void message_received(std::uint64_t id) { tell(history::Received{id}); }
  // A heartbeat that was sent then has reached a process of `node`.
  void heartbeat_heard(NodeId node, NodeId of, Time sent);

  // A client was told that its cancel of this job has succeeded.
  void cancel_accepted(TaskId job) { tell(history::CancelAccepted{job}); }

  // ---- when the world is quiet ----
  // All members at one index have one state: hashed now, whatever was sampled before.
  void compare_state(const Member& member);
  void check_leaks(const invariants::Holdings& holdings, const ClusterState& state);
  // Every VM there is was followed on its way.
  void check_handover_traces(const ClusterState& state);
  // What only the world can see: a rule holds, or it does not, and why.
  void expect(const std::string& rule, bool held, const std::string& text = "");

  // Whatever else happens.
  void tell(const history::Fact& fact);

  const invariants::Findings& findings() const { return judge_.findings(); }
  const std::vector<invariants::Violation>& violations() const { return findings().violations(); }
  Coverage& coverage() { return coverage_; }
  const Coverage& coverage() const { return coverage_; }
  // Every event of record so far, each once, in order.
  const std::vector<pb::EventRecord>& events() const { return events_; }

 private:
  struct Progress {
    Term led_term = 0;
    Index commit = 0;
    Index hashed = 0;
    Duration detection_time = 0;
    pb::HardState hard_state;
    std::map<Index, EntryPtr>
        entries;  // beyond the commit index: a step may compact what it commits
  };

  void job_step(handover::Step step, const handover::Process& process, const std::string& vm,
                TaskId job);
  void look_at_log(const Member& member, const Effects& effects);
  void look_at_commit(const Member& member);
  void look_at_proposal(const Member& member, const pb::LogEntry& entry);
  void look_at_orders(const Member& member, const Effects& effects);
  void look_at_rows(const Member& member, const DurableBatch& batch);
  NodeId look_at_vm(const Member& member, const std::string& name);
  void look_at_events(const Member& member, const Effects& effects);

  const std::function<Time()> now_;
  history::Sink* sink_;
  history::Judge judge_;
  HandoverFeed handover_feed_;
  std::size_t told_violations_ = 0;
  Coverage coverage_;
  Hearing hearing_;
  Duration patience_ = 0;  // what is waited for a heartbeat before that is told
  std::map<NodeId, Progress> progress_;
  std::vector<pb::EventRecord> events_;
  bool are_slots_told_ = false;
  std::uint64_t last_fault_ = 0;
  std::uint64_t last_message_ = 0;
};

}  // namespace failsim::history
