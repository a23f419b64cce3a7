#include "tools/sim/world.h"

#include <cassert>

#include "cluster/property/clusprop.h"
#include "tools/report/answer.h"

namespace failsim::sim {
namespace {

// The launcher waits for its children: it knows of a death at once, and tells it over HTTP.
constexpr Duration kLauncherMin = 1 * kMillisecond;
constexpr Duration kLauncherMax = 50 * kMillisecond;
// The first of January 2026: where the wall clocks stand at time 0.
constexpr std::int64_t kWallTimeOrigin = std::int64_t{1'767'225'600} * kSecond;

// The purposes that draw from streams of their own; those of the nodes follow behind.
enum Purpose : std::uint64_t {
  kBootstrap = 1,
  kNetwork,
  kVolume,
  kWorld,
  kFailpoints,
  kDisks = 100,
  kMembers = 200
};

std::uint64_t stream(std::uint64_t seed, std::uint64_t purpose) {
  return Random(seed * 0x2545f4914f6cdd1du + purpose).next();
}

}  // namespace

pb::Bootstrap World::bootstrap_of(const WorldConfig& config) {
  Random random(stream(config.seed, kBootstrap));
  pb::Bootstrap bootstrap;
  bootstrap.set_format(1);
  bootstrap.set_cluster_id(random.next());
  bootstrap.set_cluster_name("virtual");
  for (NodeId id = 1; id <= config.nodes; ++id) {
    pb::Bootstrap::Node& node = *bootstrap.add_nodes();
    node.set_id(id);
    node.set_store_id(random.next());
    node.set_address("virtual-" + std::to_string(id));
    node.set_memory_bytes(config.node_memory_bytes);
  }
  for (const auto& [name, value] : config.properties) {
    pb::Bootstrap::Property& property = *bootstrap.add_properties();
    property.set_name(name);
    property.set_value(encode_value(Value::dword(value)).take());
  }
  return bootstrap;
}

World::World(const WorldConfig& config)
    : config_(config),
      bootstrap_(bootstrap_of(config)),
      trace_(config.trace_lines),
      network_(queue_, stream(config.seed, kNetwork)),
      volume_(queue_, network_, stream(config.seed, kVolume), config.mistakes),
      checker_([this] { return queue_.now(); }, config.sink),
      failpoints_(stream(config.seed, kFailpoints)),
      random_(stream(config.seed, kWorld)) {
  history::ClusterFormed formed;
  for (const pb::Bootstrap::Node& node : bootstrap_.nodes()) {
    formed.nodes.push_back(node.id());
    formed.memory.push_back(node.memory_bytes());
  }
  checker_.tell(formed);
  network_.set_quality(config.link);
  network_.set_changed([this](NodeId from, NodeId to, bool open) {
    checker_.tell(history::LinkChanged{from, to, open});
  });
  network_.set_damaged([this](NodeId from, NodeId to, bool is_accepted) {
    checker_.tell(history::DamagedFrame{from, to, is_accepted});
  });
  volume_.set_recorded([this](const pb::VolumeRequest& request, NodeId node, Incarnation writer) {
    trace_.note(now(), node, "volume", {request.epoch().counter(), request.append().counter()},
                request.vm());
    const Epoch epoch{request.epoch().recovery(), request.epoch().counter()};
    checker_.tell(
        history::VolumeRecord{request.vm(), epoch, request.append().counter(), node, writer});
  });
  volume_.set_refused([this](Code code) {
    if (code == Code::kAccessDenied) checker_.coverage().happened("volume refused a stale epoch");
  });
  for (const pb::Bootstrap::Node& node : bootstrap_.nodes()) {
    nodes_.push_back(node.id());
    seats_[node.id()].disk = std::make_unique<Disk>(queue_, stream(config.seed, kDisks + node.id()),
                                                    node.id(), node.store_id(), bootstrap_);
    seats_[node.id()].disk->set_quality(config.disk);
  }
}

World::~World() {
  checker_.end_recording();
  for (auto& [node, seat] : seats_) seat.process.reset();
}

// ---- Time ---------------------------------------------------------------------------------------

void World::run_until(Time end) {
  while (queue_.run_next(end)) {
  }
}

bool World::run_until(const std::function<bool()>& condition, Duration at_most) {
  const Time end = now() + at_most;
  if (condition()) return true;
  while (queue_.run_next(end)) {
    if (condition()) return true;
  }
  return condition();
}

// ---- Processes ----------------------------------------------------------------------------------

HostWorld World::host_world() {
  const auto host_of = [this](NodeId node) {
    Process* running = process(node);
    return running == nullptr ? nullptr : running->shared_host();
  };
  return HostWorld{queue_,       network_,     volume_, checker_,
                   config_.host, dirty_rates_, host_of, config_.mistakes};
}

void World::start(NodeId node) {
  Seat& seat = seats_.at(node);
  if (seat.process != nullptr) return;
  if (const auto refused = seat.disk->refused()) {
    trace_.note(now(), node, "store-refused", {}, refused->message);
    checker_.coverage().happened("store refused at its start");
    return;
  }
  MemberConfig config;
  config.self = node;
  config.store_id = seat.disk->store_id();
  config.mistakes = config_.mistakes;
  config.bootstrap = bootstrap_;
  config.compact_every = config_.compact_every;
  config.check_state_every = config_.check_state_every;
  config.wall_time_origin_ns = kWallTimeOrigin + seat.machine.clock.wall_offset();
  const auto instance = static_cast<std::uint32_t>(random_.next());
  config.random_seed = stream(config_.seed, kMembers + node) ^ instance;
  trace_.note(now(), node, "start", {instance});
  checker_.process_started(node);
  const ProcessWorld given{
      queue_, trace_, checker_, host_world(), seat.machine, failpoints_,
      [this](pb::PeerMessage message) { send(std::move(message)); },
      [this](NodeId from, NodeId to) { network_.reset(from, to, Traffic::kControl); },
      // The launcher reaps what ends by itself.
      [this](NodeId gone) { ended(gone, Evidence::kReported); }};
  seat.process = Process::start(given, config, *seat.disk, config_.node_memory_bytes, instance);
  seat.process->begin();
}

void World::start_all() {
  for (const NodeId node : nodes_) start(node);
}

void World::ended(NodeId node, Evidence evidence) {
  Seat& seat = seats_.at(node);
  if (seat.process == nullptr) return;
  trace_.note(now(), node, "end", {static_cast<std::uint64_t>(evidence)});
  const std::shared_ptr<Process> gone = std::move(seat.process);
  seat.process = nullptr;
  gone->end();
  seat.disk->kill();
  checker_.process_ended(node, gone->incarnation());
  if (evidence == Evidence::kReported) report_death(node, gone->incarnation());
}

void World::kill(NodeId node, Evidence evidence) {
  ended(node, evidence);
}

void World::power_off(NodeId node, Evidence evidence) {
  if (!is_running(node)) return;
  const bool has_lied = seats_.at(node).disk->lose_power();
  ended(node, evidence);
  if (has_lied) checker_.tell(history::DiskReplaced{node});
}

void World::report_death(NodeId node, Incarnation incarnation) {
  for (const NodeId told : nodes_) {
    if (told == node) continue;
    const Duration delay =
        kLauncherMin + static_cast<Duration>(random_.below(kLauncherMax - kLauncherMin));
    queue_.after(delay, [this, told, node, incarnation] {
      if (Process* running = process(told)) {
        running->deliver(ProcessDied{node, static_cast<std::uint32_t>(incarnation)});
      }
    });
  }
}

void World::stop(NodeId node) {
  if (!is_running(node)) return;
  trace_.note(now(), node, "stop", {});
  checker_.tell(history::ProcessStopped{node});
  process(node)->stop();
}

void World::cont(NodeId node) {
  if (!is_running(node)) return;
  trace_.note(now(), node, "cont", {});
  checker_.tell(history::ProcessContinued{node});
  process(node)->cont();
}

void World::leave(NodeId node) {
  if (!is_running(node)) return;
  trace_.note(now(), node, "leave", {});
  process(node)->leave();
}

bool World::is_stopped(NodeId node) const {
  return is_running(node) && process(node)->is_stopped();
}

Process* World::process(NodeId node) const {
  const auto found = seats_.find(node);
  return found == seats_.end() ? nullptr : found->second.process.get();
}

const Member& World::member(NodeId node) const {
  assert(is_running(node));
  return process(node)->member();
}

const Member* World::furthest() const {
  const Member* furthest = nullptr;
  for (const NodeId node : nodes_) {
    if (!is_running(node)) continue;
    const Member& one = member(node);
    if (furthest == nullptr || one.log().commit_index() > furthest->log().commit_index()) {
      furthest = &one;
    }
  }
  return furthest;
}

NodeId World::leader(Leads leads) const {
  NodeId leading = kNoNode;
  Term term = 0;
  for (const NodeId node : nodes_) {
    if (!is_running(node) || is_stopped(node)) continue;
    const raft::Raft& log = member(node).log();
    const bool counts = log.leads() && (leads == Leads::kAtAll || log.leader_ready());
    if (!counts || log.term() < term) continue;
    leading = node;
    term = log.term();
  }
  return leading;
}

void World::clock_changed(NodeId node) {
  checker_.clock_rate(node, seats_.at(node).machine.clock.ppm());
  if (Process* running = process(node)) running->clock_changed();
}

// ---- Clients ------------------------------------------------------------------------------------

bool World::ask(NodeId node, const pb::Request& request, Process::Replied replied) {
  Process* running = process(node);
  if (running == nullptr || !is_reachable(node)) return false;
  // Whoever asked: a cancel that was accepted has to end as one.
  replied = [this, request, tell = std::move(replied)](const pb::Reply& reply) {
    if (history::is_accepted_cancel(request, reply)) checker_.cancel_accepted(reply.task());
    tell(reply);
  };
  running->ask(request, std::move(replied));
  return true;
}

bool World::read(NodeId node, Process::ReadAnswered answered) {
  Process* running = process(node);
  if (running == nullptr || !is_reachable(node)) return false;
  running->read(std::move(answered));
  return true;
}

// ---- Messages -----------------------------------------------------------------------------------

void World::send(pb::PeerMessage message) {
  const NodeId from = message.from();
  const NodeId to = message.to();
  if (speaks_another_version(from) != speaks_another_version(to)) {
    message.set_version(message.version() + 1);
  }
  auto shared = std::make_shared<pb::PeerMessage>();
  if (config_.encode_messages) {
    const std::string bytes = message.SerializeAsString();
    const bool parsed = shared->ParseFromString(bytes);
    assert(parsed);
    static_cast<void>(parsed);
  } else {
    *shared = std::move(message);
  }
  const std::uint64_t id = checker_.is_recorded() ? checker_.message_sent(*shared) : 0;
  if (shared->has_heartbeat()) {
    network_.send_datagram(from, to,
                           Parcel{Traffic::kHeartbeat,
                                  [this, to, shared, id, sent = now()] {
                                    if (is_running(to) && member(to).listens_to(*shared)) {
                                      checker_.heartbeat_heard(to, shared->from(), sent);
                                    }
                                    hand_over(to, shared, id);
                                  },
                                  {},
                                  0,
                                  shared});
    return;
  }
  // A connection ends with either process: nothing of it reaches the next one.
  const auto seat = seats_.find(to);
  if (seat == seats_.end()) return;
  network_.send_stream(
      from, to,
      Parcel{Traffic::kControl,
             [this, to, shared, id, listener = std::weak_ptr<Process>(seat->second.process)] {
               if (!listener.expired()) hand_over(to, shared, id);
             },
             {},
             0,
             shared});
}

void World::hand_over(NodeId to, const std::shared_ptr<const pb::PeerMessage>& message,
                      std::uint64_t id) {
  Process* running = process(to);
  if (running == nullptr) return;
  if (checker_.is_recorded()) checker_.message_received(id);
  running->deliver(MessageReceived{*message});
}

void World::partition(const std::vector<NodeId>& one, const std::vector<NodeId>& other) {
  for (const NodeId left : one) {
    for (const NodeId right : other) {
      network_.cut(left, right);
      network_.cut(right, left);
    }
  }
}

}  // namespace failsim::sim
