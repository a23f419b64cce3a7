#include "node/api/http_session.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "node/api/error_json.h"
#include "node/api/http_checks.h"

namespace failsim::node {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kDrainBytes = 1024 * 1024;
constexpr std::chrono::milliseconds kDrainTime{1000};

HttpResponse refused(unsigned status, Code code, std::string message, std::string next) {
  return {status, error_body({code, std::move(message), std::move(next)})};
}

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

HttpSession::HttpSession(tcp::socket socket, const HttpServerConfig& config,
                         const HttpHandler& handler, std::function<void()> ended)
    : socket_(std::move(socket)),
      config_(config),
      handler_(handler),
      ended_(std::move(ended)),
      timer_(socket_.get_executor()),
      buffer_(config.limits.header_bytes + config.limits.body_bytes + 4096) {
  error_code ignored;  // a connection that is gone already shows itself when it is read
  socket_.set_option(tcp::no_delay(true), ignored);
}

HttpSession::~HttpSession() {
  ended_();
}

void HttpSession::turn_away() {
  respond(refused(503, Code::kClusterBusy,
                  "This node serves " + std::to_string(config_.limits.connections) +
                      " connections, and no more at once.",
                  "Close some, or ask another node."),
          false);
}

void HttpSession::read() {
  parser_.emplace();
  parser_->header_limit(config_.limits.header_bytes);
  parser_->body_limit(config_.limits.body_bytes);
  is_too_late_ = false;
  limit(config_.limits.request_time);
  http::async_read(socket_, buffer_, *parser_,
                   [self = shared_from_this()](const error_code& error, std::size_t) {
                     self->timer_.cancel();
                     self->request_read(error);
                   });
}

void HttpSession::request_read(error_code error) {
  if (error) return request_failed(error);
  if (auto answer = refusal()) return respond(std::move(*answer), parser_->get().keep_alive());
  serve();
}

// A request that never became whole. Its rest may be on the way: the connection cannot go on.
void HttpSession::request_failed(error_code error) {
  if (is_too_late_ && parser_->got_some()) {
    return respond(refused(408, Code::kTimeout, "The request was not sent in time.",
                           "Send the whole request at once."),
                   false);
  }
  if (error == http::error::body_limit) {
    return respond(refused(413, Code::kInvalidParameter,
                           "The body of the request is longer than " +
                               std::to_string(config_.limits.body_bytes) + " bytes.",
                           "Send a shorter one."),
                   false);
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return respond(refused(431, Code::kInvalidParameter,
                           "The header of the request is longer than " +
                               std::to_string(config_.limits.header_bytes) + " bytes.",
                           "Send a shorter one."),
                   false);
  }
  const bool is_malformed =
      error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message;
  if (!is_malformed) return close();
  respond(refused(400, Code::kInvalidParameter,
                  "The request is not HTTP as it should be: " + error.message() + ".",
                  "Send a request of HTTP/1.1."),
          false);
}

std::optional<HttpResponse> HttpSession::refusal() const {
  const auto& request = parser_->get();
  if (!is_loopback_host(view(request[http::field::host]))) {
    return refused(403, Code::kAccessDenied,
                   "The header Host names no loopback address, so the request was refused.",
                   "Ask by the address in endpoints.json, or by localhost.");
  }
  const auto origin = request.find(http::field::origin);
  if (origin != request.end() && !is_loopback_origin(view(origin->value()))) {
    return refused(403, Code::kAccessDenied,
                   "The header Origin names a page of another machine, so the request was refused.",
                   "Ask from a page of this machine, or without a browser.");
  }
  if (!is_bearer_of(config_.token, view(request[http::field::authorization]))) {
    return refused(401, Code::kAccessDenied, "The request does not carry the cluster's token.",
                   "Send 'Authorization: Bearer' with the text of the file token in the "
                   "cluster's directory.");
  }
  return std::nullopt;
}

void HttpSession::serve() {
  auto message = parser_->release();
  // What answers HEAD has no body, and ours has one.
  const bool keep_alive = message.keep_alive() && message.method() != http::verb::head;
  HttpRequest request;
  request.method = std::string(view(message.method_string()));
  request.target = std::string(view(message.target()));
  request.request_id = std::string(view(message["Request-Id"]));
  request.body = std::move(message.body());
  handler_(request, [self = shared_from_this(), keep_alive](HttpResponse answer) {
    self->respond(std::move(answer), keep_alive);
  });
}

void HttpSession::respond(HttpResponse answer, bool keep_alive) {
  response_.emplace(static_cast<http::status>(answer.status), 11, std::move(answer.body));
  response_->set(http::field::content_type, answer.content_type);
  response_->set(http::field::cache_control, "no-store");
  if (answer.status == 401) response_->set(http::field::www_authenticate, "Bearer");
  response_->keep_alive(keep_alive);
  response_->prepare_payload();
  limit(config_.limits.response_time);
  http::async_write(socket_, *response_,
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      self->timer_.cancel();
                      self->written(error);
                    });
}

void HttpSession::written(error_code error) {
  const bool keep_alive = response_->keep_alive();
  response_.reset();
  if (error) return close();
  keep_alive ? read() : hang_up();
}

// What takes longer is given up; the operation under way then ends with an error.
void HttpSession::limit(std::chrono::milliseconds time) {
  timer_.expires_after(time);
  timer_.async_wait([weak = weak_from_this()](const error_code& canceled) {
    const auto self = weak.lock();
    if (canceled || !self) return;
    // It was set anew while this call was already on its way.
    if (self->timer_.expiry() > std::chrono::steady_clock::now()) return;
    self->is_too_late_ = true;
    error_code ignored;  // nothing under way any more is just as well
    self->socket_.cancel(ignored);
  });
}

// Closing while the client still sends would destroy the answer on its way: first the end of ours
// is announced, then what comes is read and thrown away, within limits.
void HttpSession::hang_up() {
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error) return close();
  limit(kDrainTime);
  drain();
}

void HttpSession::drain() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(4096),
                          [self = shared_from_this()](const error_code& error, std::size_t size) {
                            self->drained_ += size;
                            if (error || self->drained_ > kDrainBytes) return self->close();
                            self->drain();
                          });
}

void HttpSession::close() {
  timer_.cancel();
  error_code ignored;  // the connection is over, whatever closing it says
  socket_.close(ignored);
}

}  // namespace failsim::node
