// What a leader does about migrations in flight: it compares the job with what its two sides say
// and proposes the one thing that comes next.
//
//   Setup          target ready                      -> Data Transfer
//   Data Transfer  source will not converge          :  told once, kept with the job
//   Data Transfer  source converged, the check of the image the guest came from is over -> Move
//   Move           target holds all, and knows of Move -> the owner changes (CompleteMigration)
//   Move, post-copy target holds the state, and knows of Move -> the owner changes, pages follow
//   Move, pages follow   target holds them all       -> PagesComplete
//                        source dead, a side failed, over its deadline -> they are given up
//   0              target executes                   -> the task has ended (FinishMigration)
//   1, 2           somebody asked for another state      (job_steps.h)
//   any but 0      target dead, a side failed, phase over its deadline -> aborted
//
// A source that died is for the failover to deal with (failover.h). After the end the verdict of
// the target's page check is recorded.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "cluster/failover/decision.h"
#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

class MigrationConductor {
 public:
  void elected();  // what was said to former leaders is said again
  // A side that has applied everything up to `applied` says how far it is.
  void report(NodeId from, const pb::PeerMessage::Report::Transfer& transfer, Index applied);
  // Drops what was said of jobs that have nothing left to decide.
  void forget_ended(const ClusterState& state);

  void decide(Decision& decision, const pb::Vm& vm);
  // Whether its target has told this leader how far it is.
  bool has_heard_target(const pb::Task& task) const {
    return said(task, task.job().target()) != nullptr;
  }
  // Adds to a command about to be proposed how far the migrations are that it may end.
  void observe(const ClusterState& state, pb::Command& command) const;

 private:
  using Transfer = pb::PeerMessage::Report::Transfer;

  // A job under way, and what its sides say of this attempt; null if nothing.
  struct Sides {
    const pb::Task& task;
    const pb::MigrationJob& job;
    const Transfer* source;
    const Transfer* target;
  };
  struct Said {
    Transfer transfer;
    Index applied = 0;
  };

  void decide_job(Decision& decision, const pb::Vm& vm, const pb::Task& task);
  void keep_rounds(Decision& decision, const Sides& sides) const;
  void decide_finish(Decision& decision, const Sides& sides) const;
  bool complete(Decision& decision, const Sides& sides) const;
  void decide_pages(Decision& decision, const Sides& sides) const;
  bool follow_request(Decision& decision, const Sides& sides) const;
  bool abort(Decision& decision, const Sides& sides);
  void advance(Decision& decision, const pb::Vm& vm, const Sides& sides) const;
  void decide_digest(Decision& decision, const pb::Vm& vm) const;

  const Transfer* said(const pb::Task& task, NodeId side) const;
  bool target_knows_of_move(const pb::Task& task) const;
  const Transfer* broken_side(const Decision& decision, const Sides& sides);
  bool verification_open(const ClusterState& state, const pb::Vm& vm) const;
  void observe_job(const ClusterState& state, TaskId id, pb::Command& command) const;

  std::map<std::pair<TaskId, NodeId>, Said> said_;
  std::map<TaskId, Time> target_failed_;  // since when only the target says so
};

// The key of a job's proposals.
std::string migration_key(const std::string& vm);
// For a migration of a VM whose owner died when no other node has room for it.
pb::Command abort_without_owner(const pb::Vm& vm, const pb::Task& task);

}  // namespace failsim
