// One incoming connection: a hello first, then messages of the peer that said it. Part of
// peer_links.cc; not for others.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "node/transport/admission.h"
#include "cluster/wire/frame.h"

namespace failsim::node {

class IncomingLink : public std::enable_shared_from_this<IncomingLink> {
 public:
  struct Config {
    std::function<void(const std::shared_ptr<IncomingLink>&)> greeted;  // peer() is known now
    std::function<void(pb::PeerMessage)> receive;
    std::function<void(const std::shared_ptr<IncomingLink>&)> closed;
    std::function<bool(NodeId peer)> is_passable;  // asked at the hello; empty: it always is
  };

  IncomingLink(boost::asio::ip::tcp::socket socket, Config config, Admission& admission);

  void start();
  void close();  // calls `closed`, once
  NodeId peer() const { return peer_; }

 private:
  void read();
  bool take_frames();
  bool take(std::string_view payload);

  const Config config_;
  Admission& admission_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer greeting_limit_;
  std::array<char, 64 * 1024> buffer_;
  FrameDecoder decoder_;
  NodeId peer_ = kNoNode;
  bool is_closed_ = false;
};

}  // namespace failsim::node
