// What this node itself has to run and to move: the desired state of its guests and transfers,
// computed from the applied state and the lease, and what they report back.
//
// Orders are levels: handed over only when they change, never as an edge. Reports are levels too:
// kept, and repeated to the leader until the state has moved on.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/membership/lease.h"
#include "cluster/mistakes.h"
#include "cluster/proto/message.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

class LocalWork {
 public:
  LocalWork(NodeId self, Incarnation incarnation, Mistakes mistakes);

  // Brings the orders for one VM in line with the state.
  void reconcile(const ClusterState& state, const std::string& vm, const LeaseHolder& lease,
                 Time now, Effects& out);
  // The lease changed: sources that wait for one granted after their Move entry may finish.
  void lease_changed(const ClusterState& state, const LeaseHolder& lease, Time now, Effects& out);
  // The state was replaced by a snapshot: every VM anew.
  void reconcile_all(const ClusterState& state, const LeaseHolder& lease, Time now, Effects& out);
  // Sources of these jobs, and of no others, send nothing while they are in Data Transfer, whatever
  // is agreed: somebody has canceled them and nobody can order it.
  void hold(std::set<TaskId> jobs, const ClusterState& state, const LeaseHolder& lease, Time now,
            Effects& out);

  // What the world says.
  void take(const GuestReport& report);
  void take(const TransferReport& report);
  // What was said of the VM is said anew: of an older row it means nothing.
  void row_changed(const std::string& vm);
  // Something has changed since the last report of either kind, and the leader should hear of it
  // now.
  bool has_news() const { return !guest_news_.empty() || !transfer_news_.empty(); }
  // What the leader should know: all of it, or only what has changed. Empty if nothing is open.
  pb::PeerMessage::Report report(const ClusterState& state);
  pb::PeerMessage::Report report_news(const ClusterState& state);
  // A source waits here for a lease granted after its Move entry.
  bool wants_lease() const { return !waiting_for_lease_.empty(); }

 private:
  using TransferKey = std::pair<TaskId, TransferRole>;

  bool owns(const pb::Vm& vm) const;
  void order_guest(const ClusterState& state, const std::string& name, Effects& out);
  void order_transfers(const ClusterState& state, const std::string& name, const LeaseHolder& lease,
                       Time now, Effects& out);
  void drop_others(const std::string& vm, TaskId job, TaskId image, Effects& out);
  void order(TransferKey key, TransferOrder order, Effects& out);
  void share_bandwidth(const ClusterState& state, Effects& out);

  NodeId self_;
  Incarnation incarnation_;
  [[no_unique_address]] Mistakes mistakes_;
  std::map<std::string, GuestOrder> guests_;  // the last order of each guest here
  std::set<std::string> reissue_;             // guests to be ordered again, unchanged
  std::map<std::string, GuestReport> guest_reports_;
  std::map<TransferKey, TransferOrder> transfers_;  // the last order; dropped ones are gone
  std::map<TransferKey, TransferReport> transfer_reports_;
  // Whose report has changed since the leader was told; one of them may be gone.
  std::set<std::string> guest_news_;
  std::set<TransferKey> transfer_news_;
  std::set<TaskId> held_;
  std::set<std::string> waiting_for_lease_;  // VMs whose source waits to finish
};

}  // namespace failsim
