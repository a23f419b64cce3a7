#include "node/api/http_server.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace failsim::node {
namespace {

constexpr const char* kAddress = "127.86.5.1";
constexpr int kPatienceMs = 20'000;

// A client that writes bytes as they are told, and reads what comes.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    EXPECT_EQ(::inet_pton(AF_INET, kAddress, &address.sin_addr), 1);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void write(const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto sent = ::send(socket_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has hung up, which the reader sees
      done += static_cast<std::size_t>(sent);
    }
  }

  // Reads until what came contains `text` `times` times; false at the end of the connection.
  bool read_until(const std::string& text, int times = 1) {
    while (count(text) < times) {
      if (!read_some()) return false;
    }
    return true;
  }
  bool is_closed() {
    while (read_some()) {
    }
    return is_at_end_;
  }
  const std::string& received() const { return received_; }
  std::string status_line() const { return received_.substr(0, received_.find("\r\n")); }

 private:
  int count(const std::string& text) const {
    int found = 0;
    for (auto at = received_.find(text); at != std::string::npos;
         at = received_.find(text, at + 1)) {
      ++found;
    }
    return found;
  }
  bool read_some() {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) != 1) return false;
    char buffer[4096];
    const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    is_at_end_ = size <= 0;
    if (size <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  int socket_;
  bool is_at_end_ = false;
  std::string received_;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    config_.address = kAddress;
    config_.token = "secret";
  }

  ~HttpServerTest() override { served(); }

  // Ends the loop: what reached the handler until now.
  const std::vector<HttpRequest>& served() {
    io_.stop();
    if (loop_.joinable()) loop_.join();
    return requests_;
  }

  // Answers with what was asked, at once.
  void start() {
    auto opened =
        HttpServer::open(io_, config_, [this](const HttpRequest& request, Respond respond) {
          requests_.push_back(request);
          respond({200, "{\"target\":\"" + request.target + "\"}"});
        });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    server_ = opened.take();
    port_ = server_->port();
    loop_ = std::thread([this] { io_.run(); });
  }

  static std::string get(const std::string& target, const std::string& more = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: 127.86.5.1\r\nAuthorization: Bearer secret\r\n" +
           more + "\r\n";
  }
  static std::string post(const std::string& body) {
    return "POST /p HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
           "Content-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  // The status line of the answer to these bytes, sent on a connection of their own.
  std::string status_of(const std::string& bytes) {
    RawClient client(port_);
    client.write(bytes);
    client.read_until("}");
    return client.status_line();
  }

  HttpServerConfig config_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      io_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::vector<HttpRequest> requests_;  // of the loop's thread
  Respond later_;
  std::thread loop_;
};

TEST_F(HttpServerTest, ARequestReachesTheHandlerAndItsAnswerTheClient) {
  start();
  RawClient client(port_);
  client.write(get("/v1/x?y=1", "Request-Id: cli:7\r\n"));
  ASSERT_TRUE(client.read_until("{\"target\":\"/v1/x?y=1\"}"));
  EXPECT_EQ(client.status_line(), "HTTP/1.1 200 OK");
  EXPECT_NE(client.received().find("Content-Type: application/json"), std::string::npos);
  EXPECT_EQ(served().at(0).request_id, "cli:7");
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  RawClient client(port_);
  client.write(get("/1") + post("{\"a\":1}") + get("/3"));
  ASSERT_TRUE(client.read_until("\"target\"", 3));
  EXPECT_LT(client.received().find("/1"), client.received().find("/p"));
  EXPECT_LT(client.received().find("/p"), client.received().find("/3"));
  EXPECT_EQ(served().at(1).body, "{\"a\":1}");
}

TEST_F(HttpServerTest, ARequestMayComeByteByByte) {
  start();
  RawClient client(port_);
  for (const char byte : get("/slowly")) client.write(std::string(1, byte));
  EXPECT_TRUE(client.read_until("/slowly"));
}

TEST_F(HttpServerTest, WhoHasNotTheTokenIsRefused) {
  start();
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n"),
            "HTTP/1.1 401 Unauthorized");
  EXPECT_TRUE(served().empty());
}

TEST_F(HttpServerTest, APageOfAnotherMachineIsRefused) {
  start();
  EXPECT_EQ(
      status_of("GET / HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer secret\r\n\r\n"),
      "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nAuthorization: Bearer secret\r\n\r\n"),
            "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(status_of(get("/", "Origin: http://evil.example\r\n")), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(status_of(get("/", "Origin: http://localhost:7080\r\n")), "HTTP/1.1 200 OK");
  EXPECT_EQ(served().size(), 1u);
}

TEST_F(HttpServerTest, ABodyThatIsTooLargeIsRefusedAndTheClientHearsIt) {
  start();
  EXPECT_EQ(status_of(post(std::string(64 * 1024, 'x'))), "HTTP/1.1 200 OK");
  RawClient client(port_);
  client.write(post(std::string(600 * 1024, 'x')));
  ASSERT_TRUE(client.read_until("}"));
  EXPECT_EQ(client.status_line(), "HTTP/1.1 413 Payload Too Large");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(HttpServerTest, AChunkedBodyIsLimitedToo) {
  start();
  std::string chunk = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  std::string bytes =
      "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) bytes += chunk;
  EXPECT_EQ(status_of(bytes), "HTTP/1.1 413 Payload Too Large");
}

TEST_F(HttpServerTest, AHeaderThatIsTooLargeIsRefused) {
  start();
  EXPECT_EQ(status_of(get("/", "X: " + std::string(9 * 1024, 'x') + "\r\n")),
            "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(HttpServerTest, WhatIsNotHttpIsRefused) {
  start();
  RawClient client(port_);
  client.write("\x16\x03\x01 hello\r\n\r\n");
  ASSERT_TRUE(client.read_until("}"));
  EXPECT_EQ(client.status_line(), "HTTP/1.1 400 Bad Request");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(HttpServerTest, ARequestThatNeverEndsIsGivenUp) {
  config_.limits.request_time = std::chrono::milliseconds(50);
  start();
  RawClient client(port_);
  client.write("GET / HTTP/1.1\r\nHost: local");
  ASSERT_TRUE(client.read_until("}"));
  EXPECT_EQ(client.status_line(), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(HttpServerTest, AConnectionThatSaysNothingIsClosedWithoutAWord) {
  config_.limits.request_time = std::chrono::milliseconds(50);
  start();
  RawClient client(port_);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(client.received(), "");
}

TEST_F(HttpServerTest, OneConnectionTooManyIsTurnedAwayAndTheOthersGoOn) {
  config_.limits.connections = 2;
  start();
  RawClient first(port_);
  first.write(get("/1"));
  ASSERT_TRUE(first.read_until("}"));
  RawClient second(port_);
  second.write(get("/2"));
  ASSERT_TRUE(second.read_until("}"));
  RawClient third(port_);
  ASSERT_TRUE(third.read_until("}"));
  EXPECT_EQ(third.status_line(), "HTTP/1.1 503 Service Unavailable");
  first.write(get("/again"));
  EXPECT_TRUE(first.read_until("/again"));
}

TEST_F(HttpServerTest, AnAnswerMayComeLater) {
  auto opened = HttpServer::open(io_, config_, [this](const HttpRequest&, Respond respond) {
    later_ = std::move(respond);
    boost::asio::post(io_, [this] { later_({200, "{\"late\":true}"}); });
  });
  ASSERT_TRUE(opened.ok());
  server_ = opened.take();
  port_ = server_->port();
  loop_ = std::thread([this] { io_.run(); });
  RawClient client(port_);
  client.write(get("/"));
  EXPECT_TRUE(client.read_until("{\"late\":true}"));
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  start();
  config_.port = port_;
  boost::asio::io_context other;
  const auto second = HttpServer::open(other, config_, [](const HttpRequest&, Respond) {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("127.86.5.1:" + std::to_string(port_)), std::string::npos);
}

}  // namespace
}  // namespace failsim::node
