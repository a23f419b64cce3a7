// One HTTP connection. Part of the HTTP server; not for others.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "node/api/http_server.h"

namespace failsim::node {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // `config` and `handler` outlive the session; `ended` is called when it is destroyed.
  HttpSession(boost::asio::ip::tcp::socket socket, const HttpServerConfig& config,
              const HttpHandler& handler, std::function<void()> ended);
  ~HttpSession();

  void start() { read(); }
  // Answers that there are too many connections.
  void turn_away();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void read();
  void request_read(boost::system::error_code error);
  void request_failed(boost::system::error_code error);
  void serve();
  std::optional<HttpResponse> refusal() const;
  void respond(HttpResponse answer, bool keep_alive);
  void written(boost::system::error_code error);
  void limit(std::chrono::milliseconds time);
  void hang_up();
  void drain();
  void close();

  boost::asio::ip::tcp::socket socket_;
  const HttpServerConfig& config_;
  const HttpHandler& handler_;
  const std::function<void()> ended_;
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::optional<Response> response_;  // set while it is being written
  bool is_too_late_ = false;
  std::size_t drained_ = 0;
};

}  // namespace failsim::node
