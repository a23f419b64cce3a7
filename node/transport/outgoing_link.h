// One outgoing connection: connects, says hello, writes what is queued, and starts again when it
// breaks. Part of peer_links.cc; not for others.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "node/transport/admission.h"

namespace failsim::node {

class OutgoingLink : public std::enable_shared_from_this<OutgoingLink> {
 public:
  struct Config {
    boost::asio::ip::tcp::endpoint from;  // the port is 0
    boost::asio::ip::tcp::endpoint to;
    std::function<std::string()> hello;  // its frame
    std::function<void(bool is_up)> changed;
    std::chrono::milliseconds first_back_off;  // doubled by each failure
    std::function<bool()> is_passable;  // asked before each connection; empty: it always is
  };

  OutgoingLink(boost::asio::io_context& io, Config config, TransportCounters& counters);

  void start() { connect(); }
  void send(std::string frame);
  // The peer was heard: a link that waits to be tried again is tried now.
  void peer_heard();
  // A link that waits to be tried again is tried at once, as if it had never failed.
  void try_now();
  bool is_flushed() const { return !is_up_ || (queue_.empty() && writing_.empty()); }
  // The connection breaks, as far as there is one; the link makes a new one.
  void reset();
  void close();

 private:
  struct Queued {
    std::string frame;
    std::chrono::steady_clock::time_point since;
  };

  void connect();
  void connected();
  void write();
  void watch();
  void fail();
  void connect_after(std::chrono::milliseconds delay);
  void drop_oldest();
  void drop_stale();

  const Config config_;
  TransportCounters& counters_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds back_off_;
  std::deque<Queued> queue_;
  std::size_t queued_bytes_ = 0;
  std::vector<std::string> writing_;  // not empty: a write is in flight
  std::chrono::steady_clock::time_point up_since_;
  char unexpected_ = 0;
  unsigned attempt_ = 0;  // names the connection: a handler of a former one does nothing
  bool is_up_ = false;
  bool is_waiting_ = false;  // to be tried again
  bool is_closed_ = false;
};

}  // namespace failsim::node
