#include "node/volume/volume_server.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "node/volume/volume_frame.h"

namespace failsim::node {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kConnectionsMax = 1024;
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr std::size_t kUnsentBytesMax = std::size_t{4} << 20;
constexpr std::chrono::milliseconds kAcceptPause{100};

class Connection;

// What the connections hand their requests to.
class Desk {
 public:
  virtual ~Desk() = default;
  virtual void ask(const std::shared_ptr<Connection>& connection, pb::VolumeRequest request) = 0;
  virtual void leave(const std::shared_ptr<Connection>& connection) = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Desk& desk) : socket_(std::move(socket)), desk_(desk) {}

  void read() {
    is_reading_ = true;
    socket_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              self->on_read(error, bytes);
                            });
  }

  // Answers go out with the next write; `go_on` follows the last one of a turn.
  void answer(const pb::VolumeReply& reply) { unsent_ += encode_volume_frame(reply); }

  void go_on() {
    if (is_closed_) return;
    if (sending_.empty() && !unsent_.empty()) write();
    if (!is_reading_ && unsent_.size() <= kUnsentBytesMax) read();
  }

  // The process ends: what fits into the socket's buffer still goes.
  void say_last() {
    if (is_closed_ || !sending_.empty()) return;
    error_code ignored;  // the client sees the connection end and asks again
    socket_.non_blocking(true, ignored);
    socket_.write_some(asio::buffer(unsent_), ignored);
  }

  void close() {
    is_closed_ = true;
    error_code ignored;  // there is nothing left to lose
    socket_.close(ignored);
  }

 private:
  void on_read(error_code error, std::size_t bytes) {
    is_reading_ = false;
    if (error) return leave();
    frames_.feed({input_.data(), bytes});
    bool asked = false;
    while (const auto frame = frames_.next()) {
      pb::VolumeRequest request;
      if (!request.ParseFromArray(frame->data(), static_cast<int>(frame->size()))) {
        return give_up("sent a frame that is no request");
      }
      desk_.ask(shared_from_this(), std::move(request));
      asked = true;
    }
    if (frames_.is_broken()) return give_up("sent a frame that is too long");
    if (!asked) read();
  }

  void write() {
    sending_ = std::exchange(unsent_, {});
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        self->sending_.clear();
                        if (error) return self->leave();
                        self->go_on();
                      });
  }

  void give_up(const char* why) {
    std::fprintf(stderr, "A client of the shared volume %s: its connection is closed.\n", why);
    leave();
  }

  void leave() {
    if (is_closed_) return;
    close();
    desk_.leave(shared_from_this());
  }

  tcp::socket socket_;
  Desk& desk_;
  std::array<char, kReadBytes> input_;
  VolumeFrames frames_;
  bool is_reading_ = false;
  bool is_closed_ = false;
  std::string sending_;  // one write at a time
  std::string unsent_;
};

Error cannot_listen(const std::string& address, std::uint16_t port, const error_code& error) {
  const std::string where = address + ":" + std::to_string(port);
  if (error == asio::error::address_in_use) {
    return {Code::kAlreadyExists,
            "The shared volume cannot listen on " + where + ": another process uses that port.",
            "Stop that process, or choose another address."};
  }
  return {Code::kInvalidParameter,
          "The shared volume cannot listen on " + where + ": " + error.message() + ".",
          "Choose an address of this machine, for example 127.0.0.1."};
}

Error not_loopback(const std::string& address) {
  return {Code::kInvalidParameter,
          "The shared volume does not listen on " + address +
              ": it serves the processes of this machine only.",
          "Choose a loopback address, for example 127.0.0.1."};
}

}  // namespace

class VolumeServer::Service : public Desk {
 public:
  Service(Volume& volume, ObservationLog* observations)
      : volume_(volume), observations_(observations) {}
  ~Service() override { close_all(); }

  std::optional<Error> listen(const std::string& address, std::uint16_t port) {
    error_code error;
    const auto ip = asio::ip::make_address_v4(address, error);
    if (!error && !ip.is_loopback()) return not_loopback(address);
    const tcp::endpoint endpoint(ip, port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return cannot_listen(address, port, error);
    accept();
    return std::nullopt;
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void stop_on_signals() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](error_code error, int) {
      if (!error) context_.stop();
    });
  }

  void run() { context_.run(); }
  void stop() { context_.stop(); }
  const std::optional<Error>& failure() const { return volume_.failure(); }

  void ask(const std::shared_ptr<Connection>& connection, pb::VolumeRequest request) override {
    // Behind the reads that are ready already: their requests join the batch.
    if (requests_.empty()) asio::post(context_, [this] { perform(); });
    requests_.push_back(std::move(request));
    askers_.push_back(connection);
  }

  void leave(const std::shared_ptr<Connection>& connection) override {
    connections_.erase(connection);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return pause(error);
      if (connections_.size() < kConnectionsMax) {
        socket.set_option(tcp::no_delay(true), error);
        const auto connection = std::make_shared<Connection>(std::move(socket), *this);
        connections_.insert(connection);
        connection->read();
      }
      accept();
    });
  }

  // Out of descriptors, mostly: the waiting client would be reported again at once.
  void pause(error_code error) {
    std::fprintf(stderr, "The shared volume cannot accept a connection: %s.\n",
                 error.message().c_str());
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code aborted) {
      if (!aborted) accept();
    });
  }

  void perform() {
    const std::vector<pb::VolumeReply> replies = volume_.handle_batch(requests_);
    if (observations_ != nullptr) {
      for (std::size_t i = 0; i < replies.size(); ++i) observe(requests_[i], replies[i]);
    }
    requests_.clear();
    std::vector<std::shared_ptr<Connection>> askers = std::exchange(askers_, {});
    for (std::size_t i = 0; i < askers.size(); ++i) askers[i]->answer(replies[i]);
    if (volume_.is_failed()) {
      for (const auto& connection : connections_) connection->say_last();
      context_.stop();
      return;
    }
    for (const auto& connection : std::set(askers.begin(), askers.end())) connection->go_on();
  }

  // Before the answer: whoever rests on it comes after.
  void observe(const pb::VolumeRequest& request, const pb::VolumeReply& reply) {
    const bool is_of_journal = request.has_register_() || request.has_append();
    if (!is_of_journal || reply.code() != 0) return;
    pb::Observation observation;
    pb::Observation::VolumeWrote& wrote = *observation.mutable_volume_wrote();
    wrote.set_vm(request.vm());
    *wrote.mutable_epoch() = request.epoch();
    wrote.set_counter(request.append().counter());
    wrote.set_last_counter(reply.last_counter());
    wrote.set_node(request.node());
    wrote.set_writer(request.writer());
    observations_->note(std::move(observation));
  }

  void close_all() {
    for (const auto& connection : connections_) connection->close();
    connections_.clear();
  }

  Volume& volume_;
  ObservationLog* const observations_;
  asio::io_context context_{1};  // outlives everything that has a place in it
  tcp::acceptor acceptor_{context_};
  asio::steady_timer pause_{context_};
  asio::signal_set signals_{context_};
  std::set<std::shared_ptr<Connection>> connections_;
  // Of the batch to come: what is asked, and by whom.
  std::vector<pb::VolumeRequest> requests_;
  std::vector<std::shared_ptr<Connection>> askers_;
};

Result<std::unique_ptr<VolumeServer>> VolumeServer::open(Volume& volume, const std::string& address,
                                                         std::uint16_t port,
                                                         ObservationLog* observations) {
  auto service = std::make_unique<Service>(volume, observations);
  if (auto error = service->listen(address, port)) return *error;
  return std::unique_ptr<VolumeServer>(new VolumeServer(std::move(service)));
}

VolumeServer::VolumeServer(std::unique_ptr<Service> service) : service_(std::move(service)) {}

VolumeServer::~VolumeServer() = default;

std::uint16_t VolumeServer::port() const {
  return service_->port();
}

void VolumeServer::stop_on_signals() {
  service_->stop_on_signals();
}

std::optional<Error> VolumeServer::run() {
  service_->run();
  return service_->failure();
}

void VolumeServer::stop() {
  service_->stop();
}

}  // namespace failsim::node
