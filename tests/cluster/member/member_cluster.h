// A few members that talk to each other at once and whose disks are immediate: enough to tell the
// story of a command from a client to the guests, without a world around it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/member.h"
#include "cluster/vm/lifecycle.h"

namespace failsim {

class MemberCluster {
 public:
  explicit MemberCluster(std::uint32_t nodes);

  // ---- time ----
  void run_for(Duration duration);
  // Until `done` holds; at most ten virtual seconds. Returns whether it held.
  template <typename Done>
  bool run_until(Done&& done);
  Time now() const { return now_; }

  // ---- nodes ----
  void kill(NodeId id);      // kill -9: silent from now on
  void evidence(NodeId of);  // the launcher tells the survivors
  void restart(NodeId id);   // a new process on the same disk
  // A new process on another disk, which has counted so many starts. Of a dead node.
  void restart_on(NodeId id, Recovered disk, std::uint64_t starts);
  std::uint64_t starts(NodeId id) const { return nodes_.at(id).starts; }
  Recovered& disk(NodeId id) { return nodes_.at(id).disk; }
  bool is_retired(NodeId id) const { return nodes_.at(id).is_retired; }
  bool is_alive(NodeId id) const { return nodes_.at(id).alive; }
  void cut(NodeId a, NodeId b) { cut_.insert({a, b}), cut_.insert({b, a}); }
  void cut_one_way(NodeId from, NodeId to) { cut_.insert({from, to}); }
  void heal() { cut_.clear(); }
  Member& member(NodeId id) { return *nodes_.at(id).member; }
  NodeId leader();
  // As the leader sees it, or any living node while there is none.
  const ClusterState& state();

  // ---- clients ----
  // The answer of a request made at a node; nothing if none came in time.
  std::optional<pb::Reply> ask(NodeId at, pb::Request request);
  std::optional<pb::Reply> create_vm(const std::string& name, NodeId owner, bool start = true);
  std::optional<pb::Reply> method(const std::string& vm, VmMethod method);
  std::optional<pb::Reply> migrate(const std::string& vm, NodeId to);
  std::optional<pb::Reply> cancel(const std::string& vm);
  std::optional<pb::Reply> set(const std::string& kind, const std::string& object,
                               const std::string& name, const Value& value);

  // ---- guests and transfers, played by the test ----
  struct Guest {
    GuestOrder order;
    bool exists = false;
  };
  std::map<std::string, Guest>& guests(NodeId id) { return nodes_.at(id).guests; }
  std::map<TransferRole, TransferOrder>& transfers(NodeId id, const std::string& vm) {
    return nodes_.at(id).transfers[vm];
  }
  // A guest executes: ordered to run, by the owner's order, under a lease.
  bool executes(NodeId id, const std::string& vm);
  void report(NodeId id, const GuestReport& report) { step(id, report); }
  void report(NodeId id, const TransferReport& report) { step(id, report); }
  void report(NodeId id, const std::string& vm, pb::TransferStatus status);
  // Whether guests do at once what is wanted of them (they do unless told otherwise).
  bool obedient_guests = true;

  std::vector<std::string> events(const std::string& kind);
  VmState vm_state(const std::string& vm);

 private:
  struct Node {
    std::unique_ptr<Member> member;
    Recovered disk;
    std::map<std::string, Guest> guests;
    std::map<std::string, std::map<TransferRole, TransferOrder>> transfers;
    std::uint64_t starts = 0;
    bool alive = false;
    bool is_retired = false;  // its disk: it has been told that it is superseded
  };

  void start(NodeId id);
  void step(NodeId id, const Event& event);
  void perform(NodeId id, Effects& effects);
  void write(Node& node, const DurableBatch& batch);
  void obey(NodeId id, const GuestOrder& order);
  void deliver_all();

  pb::Bootstrap bootstrap_;
  Time now_ = kSecond;
  std::map<NodeId, Node> nodes_;
  std::uint64_t processes_ = 0;
  std::deque<pb::PeerMessage> network_;
  std::deque<std::pair<NodeId, Event>> events_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::uint64_t, pb::Reply> replies_;
  std::uint64_t token_ = 0;
};

template <typename Done>
bool MemberCluster::run_until(Done&& done) {
  const Time end = now_ + 10 * kSecond;
  while (now_ < end) {
    if (done()) return true;
    run_for(10 * kMillisecond);
  }
  return done();
}

}  // namespace failsim
