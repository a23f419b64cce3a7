#include "node/transport/incoming_link.h"

#include <chrono>
#include <utility>

#include <boost/asio/buffer.hpp>

namespace failsim::node {
namespace {

using boost::system::error_code;

constexpr std::chrono::seconds kGreetingLimit{5};

}  // namespace

IncomingLink::IncomingLink(boost::asio::ip::tcp::socket socket, Config config, Admission& admission)
    : config_(std::move(config)),
      admission_(admission),
      socket_(std::move(socket)),
      greeting_limit_(socket_.get_executor()) {}

void IncomingLink::start() {
  greeting_limit_.expires_after(kGreetingLimit);
  greeting_limit_.async_wait([self = shared_from_this()](const error_code& canceled) {
    if (!canceled && self->peer_ == kNoNode) self->close();
  });
  read();
}

void IncomingLink::close() {
  if (is_closed_) return;
  is_closed_ = true;
  error_code ignored;  // the connection is of no use any more, whatever closing it says
  socket_.close(ignored);
  greeting_limit_.cancel();
  config_.closed(shared_from_this());
}

void IncomingLink::read() {
  socket_.async_read_some(boost::asio::buffer(buffer_),
                          [self = shared_from_this()](const error_code& error, std::size_t size) {
                            if (self->is_closed_) return;
                            if (error) return self->close();
                            self->decoder_.feed({self->buffer_.data(), size});
                            self->take_frames() ? self->read() : self->close();
                          });
}

// False when the stream has lost its place or its sender may not speak here.
bool IncomingLink::take_frames() {
  while (const auto payload = decoder_.next()) {
    if (!take(*payload) || is_closed_) return false;
  }
  admission_.counters().count(decoder_.fault());
  return decoder_.fault() == FrameFault::kNone;
}

bool IncomingLink::take(std::string_view payload) {
  auto message = admission_.admit(payload, Channel::kLink);
  if (!message) return peer_ != kNoNode;  // one stale message of a known peer is no reason to part
  if (peer_ == kNoNode) {
    if (message->body_case() != pb::PeerMessage::BODY_NOT_SET) return false;
    if (config_.is_passable && !config_.is_passable(message->from())) return false;
    peer_ = message->from();
    greeting_limit_.cancel();
    config_.greeted(shared_from_this());
    return true;
  }
  if (message->from() != peer_) {
    ++admission_.counters().dropped_misaddressed;
    return false;
  }
  if (message->body_case() != pb::PeerMessage::BODY_NOT_SET) config_.receive(std::move(*message));
  return true;
}

}  // namespace failsim::node
