// HTTP/1.1 on one loopback address: connections, limits and who may ask. What is asked is a matter
// of the handler.
//
// One connection answers its requests one after another, in order, also when they are pipelined.
// Requests that break a limit or may not ask never reach the handler; they are answered with the
// JSON error of the interface, and the connection is closed when its place in the stream is lost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cluster/error.h"

namespace boost::asio {
class io_context;
}

namespace failsim::node {

struct HttpRequest {
  std::string method;      // as sent, for example "GET"
  std::string target;      // path and query, as sent
  std::string request_id;  // the header Request-Id; empty if missing
  std::string body;
};

struct HttpResponse {
  unsigned status = 200;
  std::string body;
  std::string content_type = "application/json";
};

// To be called exactly once, on the thread of the loop, at once or later.
using Respond = std::function<void(HttpResponse)>;
using HttpHandler = std::function<void(const HttpRequest&, Respond)>;

struct HttpLimits {
  std::size_t body_bytes = 64 * 1024;
  std::uint32_t header_bytes = 8 * 1024;
  std::size_t connections = 256;
  std::chrono::milliseconds request_time{10'000};   // to send a whole request
  std::chrono::milliseconds response_time{30'000};  // to take a whole response
};

struct HttpServerConfig {
  std::string address;
  std::uint16_t port = 0;  // 0 = any free one
  int listener = -1;       // a socket that listens there already and is taken over, if not -1
  std::string token;
  HttpLimits limits;
};

class HttpServer {
 public:
  // An error names the address and port that cannot be used. The handler outlives the server.
  static Result<std::unique_ptr<HttpServer>> open(boost::asio::io_context& io,
                                                  const HttpServerConfig& config,
                                                  HttpHandler handler);
  virtual ~HttpServer() = default;

  virtual std::uint16_t port() const = 0;
  virtual void close() = 0;  // accepts no more connections
};

}  // namespace failsim::node
