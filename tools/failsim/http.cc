#include "tools/failsim/http.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace failsim::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint64_t kMaximumAnswer = std::uint64_t{256} << 20;

// Connects, writes and reads, one after the other. Beast gives time limits to asynchronous
// operations only, hence an io_context of its own.
class Exchange {
 public:
  explicit Exchange(const HttpRequest& request) : stream_(context_) {
    message_.method(http::string_to_verb(request.method));
    message_.target(request.target);
    message_.version(11);
    message_.set(http::field::host, request.address + ":" + std::to_string(request.port));
    message_.set(http::field::authorization, "Bearer " + request.token);
    message_.set(http::field::user_agent, "failsim/" FAILSIM_VERSION);
    message_.keep_alive(false);
    if (!request.request_id.empty()) message_.set("Request-Id", request.request_id);
    if (!request.body.empty()) message_.set(http::field::content_type, "application/json");
    message_.body() = request.body;
    message_.prepare_payload();
    parser_.body_limit(kMaximumAnswer);
    endpoint_ = {asio::ip::make_address(request.address), request.port};
    stream_.expires_after(request.timeout);
  }

  HttpAnswer run() {
    stream_.async_connect(endpoint_, [this](beast::error_code error) { connected(error); });
    context_.run();
    return std::move(answer_);
  }

 private:
  void connected(beast::error_code error) {
    if (error) return ended(error, Transport::kRefused);
    http::async_write(stream_, message_, [this](beast::error_code e, std::size_t) { written(e); });
  }

  void written(beast::error_code error) {
    if (error) return ended(error, Transport::kBroken);
    http::async_read(stream_, buffer_, parser_,
                     [this](beast::error_code e, std::size_t) { read(e); });
  }

  void read(beast::error_code error) {
    if (error) return ended(error, Transport::kBroken);
    answer_.transport = Transport::kAnswered;
    answer_.status = parser_.get().result_int();
    answer_.body = std::move(parser_.get().body());
  }

  void ended(beast::error_code error, Transport otherwise) {
    answer_.transport = error == beast::error::timeout ? Transport::kTimeout : otherwise;
    answer_.detail = error.message();
  }

  asio::io_context context_;
  beast::tcp_stream stream_;
  asio::ip::tcp::endpoint endpoint_;
  http::request<http::string_body> message_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  HttpAnswer answer_;
};

}  // namespace

HttpAnswer exchange(const HttpRequest& request) {
  return Exchange(request).run();
}

std::string percent_encoded(const std::string& text) {
  static const char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

}  // namespace failsim::cli
