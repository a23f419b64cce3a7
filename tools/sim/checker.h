// The checkers of a world: looks at what each step touched and asks the invariants.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/invariants.h"
#include "cluster/member.h"
#include "cluster/migration/handover_trace.h"
#include "storage/proto/volume.pb.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/handover_feed.h"
#include "tools/sim/observer.h"

namespace failsim::sim {

class Checker : public Observer {
 public:
  explicit Checker(const EventQueue& queue) : queue_(queue) {}

  void process_started(NodeId node);
  void process_ended(NodeId node, Incarnation incarnation);
  // The process is about to leave: its guests are stopped for good.
  void guests_stopped(NodeId node, Incarnation incarnation);
  void after_step(const Member& member, const Effects& effects);
  void volume_recorded(const pb::VolumeRequest& request, NodeId node, Incarnation writer);

  // The lease of the process lasts until this true time; also when that has moved.
  void lease_lasts(const handover::Process& process, Time until);
  // The clock of the node runs too fast (or, negative, too slow) by so many millionths. Beyond the
  // bound that leases rely on, two nodes may execute one VM: that is no fault of the product, and
  // is kept apart, among the broken assumptions.
  void clock_rate(NodeId node, std::int64_t ppm);
  const std::vector<invariants::Violation>& broken_assumptions() const {
    return broken_assumptions_.violations();
  }

  // Observer.
  void guest_executes(const handover::Process& process, const std::string& vm, const Epoch& epoch,
                      Time until) override;
  void guest_stops(const handover::Process& process, const std::string& vm) override;
  void source_paused(const handover::Process& process, const std::string& vm, TaskId job) override;
  void target_holds_all(const handover::Process& process, const std::string& vm,
                        TaskId job) override;
  void memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) override;
  void image_verified(NodeId node, const std::string& vm, TaskId job, bool match) override;

  // ---- when the world is quiet ----
  // All members at one index have one state: hashed now, whatever was sampled before.
  void compare_state(const Member& member);
  void check_leaks(const invariants::Holdings& holdings, const ClusterState& state);
  // Every VM there is was followed on its way.
  void check_handover_traces(const ClusterState& state);

  invariants::Findings& findings();
  const std::vector<invariants::Violation>& violations() const { return findings_.violations(); }
  // Every event of record so far, each once, in order.
  const std::vector<pb::EventRecord>& events() const { return history_; }

 private:
  struct Progress {
    Term led_term = 0;
    Index commit = 0;
    Index hashed = 0;
  };

  void check_log(const Member& member, const Effects& effects);
  void check_rows(const Member& member, const DurableBatch& batch);
  void check_vm(const Member& member, const std::string& name);
  void check_events(const Member& member, const Effects& effects);
  void note_writer(NodeId replica, const pb::EventRecord& event);
  void check_first_seen(const pb::EventRecord& event);

  const EventQueue& queue_;
  invariants::Findings findings_;
  invariants::Elections elections_;
  invariants::Logs logs_;
  invariants::Executions executions_;
  invariants::Ownership ownership_;
  invariants::MigrationEdges migration_edges_;
  invariants::Jobs jobs_;
  invariants::StateHashes state_hashes_;
  invariants::Journals journals_;
  invariants::Events events_;
  invariants::HandoverTrace handover_{findings_};
  HandoverFeed handover_feed_{handover_};
  std::map<NodeId, std::int64_t> clock_ppm_;
  bool clocks_are_bounded_ = true;
  invariants::Findings broken_assumptions_;
  std::map<NodeId, Progress> progress_;
  std::vector<pb::EventRecord> history_;
  std::set<std::pair<NodeId, std::string>> written_by_client_;
};

}  // namespace failsim::sim
