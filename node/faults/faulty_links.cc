#include "node/faults/faulty_links.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cluster/wire/frame.h"
#include "node/faults/frame_queue.h"

namespace failsim::node {
namespace {

std::string as_spoken(const pb::PeerMessage& message, const Switchboard& switchboard) {
  if (!switchboard.speaks_another_version()) return message.SerializeAsString();
  pb::PeerMessage other = message;
  other.set_version(message.version() + 1);
  return other.SerializeAsString();
}

class Links final : public FaultyLinks {
 public:
  Links(std::unique_ptr<PeerLinks> links, NodeId self, const pb::Bootstrap& bootstrap,
        boost::asio::io_context& io, Switchboard& switchboard)
      : links_(std::move(links)), self_(self), switchboard_(switchboard) {
    for (const auto& node : bootstrap.nodes()) {
      if (node.id() == self) continue;
      FrameQueue::Config config;
      config.from = self;
      config.to = node.id();
      config.send = [this, peer = node.id()](std::string frame) {
        links_->send_frame(peer, std::move(frame));
      };
      queues_.try_emplace(node.id(), io, switchboard, std::move(config));
    }
  }

  void send(const pb::PeerMessage& message) override {
    std::string payload = as_spoken(message, switchboard_);
    if (payload.size() > kMaximumPayloadBytes) return links_->send(message);  // refused there
    send_frame(message.to(), encode_frame(payload));
  }
  void send_frame(NodeId peer, std::string frame) override {
    queues_.at(peer).push(std::move(frame));
  }
  void reset(NodeId from, NodeId to) override { links_->reset(from, to); }
  void try_now(NodeId peer) override { links_->try_now(peer); }
  bool is_flushed() const override {
    return links_->is_flushed() &&
           std::all_of(queues_.begin(), queues_.end(),
                       [](const auto& queue) { return queue.second.is_empty(); });
  }
  void close() override {
    for (auto& [peer, queue] : queues_) queue.clear();
    links_->close();
  }

  void faults_changed() override {
    for (auto& [peer, queue] : queues_) {
      break_if_hit(self_, peer);
      break_if_hit(peer, self_);
      connect_if_healed(peer);
      queue.pump();
    }
  }

 private:
  void break_if_hit(NodeId from, NodeId to) {
    std::uint64_t& seen = resets_seen_[{from, to}];
    const std::uint64_t resets = switchboard_.resets(from, to, Traffic::kControl);
    const bool is_cut = switchboard_.is_cut(from, to, Traffic::kControl);
    if (!is_cut && resets == seen) return;
    seen = resets;
    if (from == self_ && is_cut) queues_.at(to).clear();
    links_->reset(from, to);
  }

  // The back-off of the link has grown while it was cut; a cut is to last as long as it says.
  void connect_if_healed(NodeId peer) {
    if (switchboard_.is_cut(self_, peer, Traffic::kControl)) {
      cut_.insert(peer);
    } else if (cut_.erase(peer) > 0) {
      links_->try_now(peer);
    }
  }

  const std::unique_ptr<PeerLinks> links_;
  const NodeId self_;
  Switchboard& switchboard_;
  std::map<NodeId, FrameQueue> queues_;
  std::map<std::pair<NodeId, NodeId>, std::uint64_t> resets_seen_;
  std::set<NodeId> cut_;  // the links to these
};

class Heartbeats final : public FaultyHeartbeats {
 public:
  Heartbeats(std::unique_ptr<HeartbeatSocket> socket, NodeId self, boost::asio::io_context& io,
             Switchboard& switchboard)
      : socket_(std::move(socket)), self_(self), io_(io), switchboard_(switchboard) {}

  void send(const pb::PeerMessage& heartbeat) override {
    send_frame(heartbeat.to(), encode_frame(as_spoken(heartbeat, switchboard_)));
  }
  void send_frame(NodeId peer, const std::string& frame) override { queue_to(peer).push(frame); }
  void close() override {
    for (auto& [peer, queue] : queues_) queue.clear();
    socket_->close();
  }
  void faults_changed() override {
    for (auto& [peer, queue] : queues_) {
      if (switchboard_.is_cut(self_, peer, Traffic::kHeartbeat)) queue.clear();
      queue.pump();
    }
  }

 private:
  FrameQueue& queue_to(NodeId peer) {
    const auto found = queues_.find(peer);
    if (found != queues_.end()) return found->second;
    FrameQueue::Config config;
    config.from = self_;
    config.to = peer;
    config.traffic = Traffic::kHeartbeat;
    config.send = [this, peer](std::string frame) { socket_->send_frame(peer, frame); };
    return queues_.try_emplace(peer, io_, switchboard_, std::move(config)).first->second;
  }

  const std::unique_ptr<HeartbeatSocket> socket_;
  const NodeId self_;
  boost::asio::io_context& io_;
  Switchboard& switchboard_;
  std::map<NodeId, FrameQueue> queues_;
};

}  // namespace

std::unique_ptr<FaultyLinks> FaultyLinks::around(std::unique_ptr<PeerLinks> links, NodeId self,
                                                 const pb::Bootstrap& bootstrap,
                                                 boost::asio::io_context& io,
                                                 Switchboard& switchboard) {
  return std::make_unique<Links>(std::move(links), self, bootstrap, io, switchboard);
}

std::unique_ptr<FaultyHeartbeats> FaultyHeartbeats::around(std::unique_ptr<HeartbeatSocket> socket,
                                                           NodeId self, boost::asio::io_context& io,
                                                           Switchboard& switchboard) {
  return std::make_unique<Heartbeats>(std::move(socket), self, io, switchboard);
}

}  // namespace failsim::node
