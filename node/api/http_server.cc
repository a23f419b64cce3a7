#include "node/api/http_server.h"

#include <cerrno>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>

#include "node/api/http_session.h"

namespace failsim::node {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{50};  // when the process has no descriptor left
constexpr std::size_t kTurnedAwayAtOnce = 64;

Error not_inherited(const error_code& failure) {
  return {Code::kInvalidParameter,
          "The inherited socket of the HTTP interface cannot be used: " + failure.message() + ".",
          "Give the descriptor of a socket that listens, or leave --api-socket out."};
}

class Server final : public HttpServer {
 public:
  Server(boost::asio::io_context& io, const HttpServerConfig& config, HttpHandler handler)
      : shared_(std::make_shared<Shared>(Shared{config, std::move(handler)})),
        acceptor_(io),
        accept_pause_(io) {}
  ~Server() override { close(); }

  std::optional<Error> listen() {
    const HttpServerConfig& config = shared_->config;
    error_code failure;
    if (config.listener >= 0) {
      // Ours from now on: no program that we start is to keep it open.
      if (::fcntl(config.listener, F_SETFD, FD_CLOEXEC) != 0) {
        failure.assign(errno, boost::system::system_category());
      }
      if (!failure) acceptor_.assign(tcp::v4(), config.listener, failure);
      if (!failure) accept();
      return failure ? std::optional(not_inherited(failure)) : std::nullopt;
    }
    const auto address = boost::asio::ip::make_address(config.address, failure);
    const tcp::endpoint endpoint(address, config.port);
    if (!failure) acceptor_.open(endpoint.protocol(), failure);
    if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure) acceptor_.bind(endpoint, failure);
    if (!failure) acceptor_.listen(boost::asio::socket_base::max_listen_connections, failure);
    if (failure) {
      return Error{Code::kInvalidParameter,
                   "The address " + config.address + ":" + std::to_string(config.port) +
                       " of the HTTP interface cannot be used: " + failure.message() + ".",
                   "Stop the process that uses it, or choose another subnet for the cluster."};
    }
    accept();
    return std::nullopt;
  }

  std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }

  void close() override {
    error_code ignored;  // closing twice is no error
    acceptor_.close(ignored);
    accept_pause_.cancel();
  }

 private:
  // Of all connections; lives as long as the last of them.
  struct Shared {
    HttpServerConfig config;
    HttpHandler handler;
    std::size_t connections = 0;
  };

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error == boost::asio::error::operation_aborted) return;
      if (error) return accept_later();
      begin(std::move(socket));
      accept();
    });
  }

  void accept_later() {
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](const error_code& canceled) {
      if (!canceled) accept();
    });
  }

  void begin(tcp::socket socket) {
    const std::size_t most = shared_->config.limits.connections;
    if (shared_->connections >= most + kTurnedAwayAtOnce) return;  // closed without a word
    ++shared_->connections;
    const auto session =
        std::make_shared<HttpSession>(std::move(socket), shared_->config, shared_->handler,
                                      [shared = shared_] { --shared->connections; });
    shared_->connections > most ? session->turn_away() : session->start();
  }

  const std::shared_ptr<Shared> shared_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(boost::asio::io_context& io,
                                                     const HttpServerConfig& config,
                                                     HttpHandler handler) {
  auto server = std::make_unique<Server>(io, config, std::move(handler));
  if (auto error = server->listen()) return *error;
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace failsim::node
