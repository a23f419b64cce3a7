#include "node/runtime/runtime.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <signal.h>
#include <unistd.h>

#include "node/api/api.h"
#include "node/api/http_server.h"
#include "node/api/service.h"
#include "node/faults/node_faults.h"
#include "node/hypervisor/hypervisor.h"
#include "node/runtime/live_queries.h"
#include "node/runtime/log.h"
#include "node/runtime/member_loop.h"
#include "node/runtime/node_files.h"
#include "node/runtime/node_start.h"
#include "node/transport/heartbeat_socket.h"
#include "node/transport/peer_links.h"

namespace failsim::node {
namespace {

using boost::system::error_code;

constexpr Duration kFarewellLimit = kSecond;
constexpr Duration kFarewellCheck = 5 * kMillisecond;

const pb::Bootstrap::Node& node_of(const pb::Bootstrap& bootstrap, NodeId id) {
  return *std::find_if(bootstrap.nodes().begin(), bootstrap.nodes().end(),
                       [id](const auto& node) { return node.id() == id; });
}

void mask_leaving(int how) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(how, &signals, nullptr);
}

class Runtime final : public NodeService {
 public:
  Runtime(const RuntimeConfig& config, Store& store, const Recovered& recovered);

  std::optional<Error> open();
  int run();

  // NodeService.
  NodeId self() const override { return self_; }
  Incarnation incarnation() const override { return config_.incarnation; }
  std::uint64_t process_id() const override { return static_cast<std::uint64_t>(::getpid()); }
  NodeId leader() const override { return member().leader(); }
  bool has_quorum() const override { return member().has_quorum(boottime_now()); }
  const TransportCounters& transport_counters() const override { return admission_.counters(); }
  const ClusterState& state() const override { return member().state(); }
  void ask(pb::Request request, std::function<void(pb::Reply)> answer) override {
    loop_.ask(std::move(request), std::move(answer));
  }
  void read(std::function<void(Code)> answer) override { loop_.read(std::move(answer)); }
  void live(const std::string& vm, NodeId target,
            std::function<void(std::optional<pb::PeerMessage::LiveReply>)> answer) override {
    live_queries_.ask(vm, target, boottime_now(), std::move(answer));
  }
  void process_died(NodeId node, std::uint32_t instance) override {
    loop_.post(ProcessDied{node, instance});
  }
  void call_after(Duration delay, std::function<void()> call) override;
  FaultDesk* fault_desk() override { return faults_ == nullptr ? nullptr : &faults_->desk(); }

 private:
  const Member& member() const { return loop_.member(); }
  std::unique_ptr<NodeFaults> node_faults();
  MemberLoop::Outside outside();
  LiveQueries::Config live_config();
  std::optional<Error> open_transport();
  std::optional<Error> open_hypervisor();
  std::optional<Error> open_api();
  void send(const pb::PeerMessage& message);
  void receive(pb::PeerMessage message);
  void await_signal();
  void leave();
  void await_farewell(Time until);
  void drop_pages_of_the_gone();
  void member_failed(const std::string& reason);
  void await_lease_end();
  void end(int exit_code);

  const RuntimeConfig config_;
  const StoreIdentity identity_;
  const NodeId self_;
  boost::asio::io_context io_{1};
  Admission admission_;
  NodeStart start_;
  const std::unique_ptr<NodeFaults> faults_;  // null: none can be injected
  std::unique_ptr<Hypervisor> hypervisor_;
  std::unique_ptr<PeerLinks> links_;
  std::unique_ptr<HeartbeatSocket> heartbeats_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> http_;
  MemberLoop loop_;
  LiveQueries live_queries_;
  boost::asio::signal_set signals_;
  bool is_leaving_ = false;
  int exit_code_ = kExitDone;
};

Runtime::Runtime(const RuntimeConfig& config, Store& store, const Recovered& recovered)
    : config_(config),
      identity_(store.identity()),
      self_(identity_.node),
      admission_(self_, identity_.bootstrap,
                 [this] { return member().state().cluster().recovery_epoch(); }),
      start_(identity_, config_.incarnation, recovered, config_.directory,
             config_.record_limit_bytes),
      faults_(node_faults()),
      loop_(io_, start_.member(), recovered, start_.at(), store, start_.recorder(), outside()),
      live_queries_(member(), live_config()),
      signals_(io_, SIGTERM, SIGINT) {}

std::unique_ptr<NodeFaults> Runtime::node_faults() {
  if (config_.faults == nullptr) return nullptr;
  NodeFaults::Config config;
  config.self = self_;
  config.incarnation = config_.incarnation;
  config.bootstrap = identity_.bootstrap;
  config.observations = start_.observations();
  config.ask = [this](pb::Request request, std::function<void(pb::Reply)> answer) {
    ask(std::move(request), std::move(answer));
  };
  config.call_after = [this](Duration delay, std::function<void()> call) {
    call_after(delay, std::move(call));
  };
  config.set_memory_pressure = [this](std::uint64_t bytes) {
    hypervisor_->set_memory_pressure(bytes);
  };
  return std::make_unique<NodeFaults>(io_, *config_.faults, *config_.failpoints, std::move(config));
}

MemberLoop::Outside Runtime::outside() {
  MemberLoop::Outside outside;
  outside.send = [this](const pb::PeerMessage& message) { send(message); };
  outside.set_lease = [this](Time until) { hypervisor_->set_lease(until); };
  outside.transfer = [this](const TransferOrder& order) { hypervisor_->order(order); };
  outside.guest = [this](const GuestOrder& order) { hypervisor_->order(order); };
  outside.state_changed = [this] {
    api_->state_changed();
    drop_pages_of_the_gone();
  };
  outside.member_failed = [this](const std::string& reason) { member_failed(reason); };
  outside.call_after = [this](Duration delay, std::function<void()> call) {
    call_after(delay, std::move(call));
  };
  if (faults_ != nullptr) faults_->enter(outside);
  return outside;
}

// Where a VM that has left this node was deleted or started anew is for others to know: no order
// tells.
void Runtime::drop_pages_of_the_gone() {
  hypervisor_->keep_pages_if([this](const std::string& name, std::uint64_t boot_id) {
    const pb::Vm* vm = member().state().vm(name);
    return vm != nullptr && vm->boot_id() == boot_id;
  });
}

LiveQueries::Config Runtime::live_config() {
  LiveQueries::Config config;
  config.cluster_id = identity_.bootstrap.cluster_id();
  config.own_guest = [this](const std::string& vm, NodeId target) {
    return hypervisor_->live(vm, target);
  };
  config.send = [this](const pb::PeerMessage& message) { send(message); };
  config.call_after = [this](Duration delay, std::function<void()> call) {
    call_after(delay, std::move(call));
  };
  return config;
}

// Everything that can be refused, before the member says a word.
std::optional<Error> Runtime::open() {
  if (auto error = open_transport()) return error;
  if (auto error = open_hypervisor()) return error;
  return open_api();
}

std::optional<Error> Runtime::open_transport() {
  PeerLinksConfig config;
  config.self = self_;
  config.incarnation = config_.incarnation;
  config.bootstrap = identity_.bootstrap;
  config.port = kPeerPort;
  config.recovery_epoch = [this] { return member().state().cluster().recovery_epoch(); };
  config.receive = [this](pb::PeerMessage message) { receive(std::move(message)); };
  config.link_changed = [](NodeId peer, bool is_up) {
    log(Level::kInfo, "link: to " + node_name(peer) + (is_up ? " is up" : " is down"));
  };
  if (faults_ != nullptr) faults_->enter(config);
  auto links = PeerLinks::open(io_, config, admission_);
  if (!links) return links.error();
  links_ = links.take();
  auto heartbeats =
      HeartbeatSocket::open(io_, self_, identity_.bootstrap, kPeerPort, admission_, config.receive);
  if (!heartbeats) return heartbeats.error();
  heartbeats_ = heartbeats.take();
  if (faults_ != nullptr) faults_->put_around(links_, heartbeats_);
  return std::nullopt;
}

std::optional<Error> Runtime::open_hypervisor() {
  const pb::Bootstrap::Node& own = node_of(identity_.bootstrap, self_);
  HypervisorConfig config;
  config.self = self_;
  config.cluster_id = identity_.bootstrap.cluster_id();
  config.address = own.address();
  config.data_port = kDataPort;
  config.peer_address = [bootstrap = identity_.bootstrap](NodeId peer) {
    return node_of(bootstrap, peer).address();
  };
  config.volume_address = config_.volume_address;
  config.volume_port = config_.volume_port;
  config.memory_bytes = own.memory_bytes();
  config.incarnation = config_.incarnation;
  config.observations = start_.observations();
  if (faults_ != nullptr) faults_->enter(config);
  auto hypervisor =
      Hypervisor::open(config, [this](std::variant<GuestReport, TransferReport> report) {
        boost::asio::post(io_, [this, report = std::move(report)] {
          std::visit([this](const auto& kind) { loop_.post(kind); }, report);
        });
      });
  if (!hypervisor) return hypervisor.error();
  hypervisor_ = hypervisor.take();
  return std::nullopt;
}

std::optional<Error> Runtime::open_api() {
  api_ = std::make_unique<Api>(*this);
  HttpServerConfig config;
  config.address = node_of(identity_.bootstrap, self_).address();
  config.port = kApiPort;
  config.listener = config_.api_socket;
  config.token = config_.token;
  auto server = HttpServer::open(io_, config, [this](const HttpRequest& request, Respond respond) {
    api_->handle(request, std::move(respond));
  });
  if (!server) return server.error();
  http_ = server.take();
  return std::nullopt;
}

int Runtime::run() {
  if (auto error = write_run_file(config_.directory, process_id(), config_.incarnation)) {
    log(Level::kError, error->message + " " + error->next);
    return kExitRefused;
  }
  log(Level::kInfo, "start: " + node_name(self_) + " of cluster '" +
                        identity_.bootstrap.cluster_name() + "' serves on " +
                        node_of(identity_.bootstrap, self_).address() + ":" +
                        std::to_string(kApiPort) + ", start " + std::to_string(identity_.starts) +
                        " of its store");
  await_signal();
  mask_leaving(SIG_UNBLOCK);
  io_.run();
  return exit_code_;
}

void Runtime::call_after(Duration delay, std::function<void()> call) {
  const auto timer = std::make_shared<boost::asio::steady_timer>(io_);
  timer->expires_after(std::chrono::nanoseconds(delay));
  timer->async_wait([timer, call = std::move(call)](const error_code& canceled) {
    if (!canceled) call();
  });
}

void Runtime::send(const pb::PeerMessage& message) {
  if (message.has_heartbeat()) {
    heartbeats_->send(message);
  } else {
    links_->send(message);
  }
}

void Runtime::receive(pb::PeerMessage message) {
  if (!live_queries_.handle(message)) loop_.post(MessageReceived{std::move(message)});
}

void Runtime::await_signal() {
  signals_.async_wait([this](const error_code& canceled, int) {
    if (canceled) return;
    leave();
    await_signal();
  });
}

// The guests first: what the farewell says must be true before it is said.
void Runtime::leave() {
  if (is_leaving_) return;
  is_leaving_ = true;
  log(Level::kInfo, "leave: " + node_name(self_) + " was asked to stop");
  hypervisor_->stop_guests();
  if (member().is_failed()) return end(kExitStorageFailed);
  // Behind the last reports of the stopped guests, which are posted already.
  boost::asio::post(io_, [this] {
    loop_.post(Leaving{});
    await_farewell(boottime_now() + kFarewellLimit);
  });
}

void Runtime::await_farewell(Time until) {
  const bool is_said = loop_.is_idle() && links_->is_flushed();
  if (is_said || boottime_now() >= until) {
    const Duration longer = faults_ == nullptr ? 0 : faults_->stop_delay();
    return longer == 0 ? end(kExitDone) : call_after(longer, [this] { end(kExitDone); });
  }
  call_after(kFarewellCheck, [this, until] { await_farewell(until); });
}

void Runtime::member_failed(const std::string& reason) {
  log(Level::kError,
      node_name(self_) + " takes no part any more and ends when its lease is over: " + reason);
  await_lease_end();
}

void Runtime::await_lease_end() {
  const Duration rest = member().lease_until() - boottime_now();
  if (rest > 0) return call_after(rest, [this] { await_lease_end(); });
  hypervisor_->stop_guests();
  end(kExitStorageFailed);
}

void Runtime::end(int exit_code) {
  exit_code_ = exit_code;
  if (faults_ != nullptr) faults_->close();
  log(Level::kInfo,
      "end: " + node_name(self_) + " ends with exit code " + std::to_string(exit_code));
  http_->close();
  links_->close();
  heartbeats_->close();
  io_.stop();
}

}  // namespace

void defer_leaving() {
  mask_leaving(SIG_BLOCK);
}

Result<int> run_node(const RuntimeConfig& config, Store& store, const Recovered& recovered) {
  Runtime runtime(config, store, recovered);
  if (auto error = runtime.open()) return *error;
  return runtime.run();
}

}  // namespace failsim::node
