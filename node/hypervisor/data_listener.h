// The data port of a node: accepts connections, reads who they are for, and hands them on.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "cluster/error.h"
#include "cluster/time.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/transfer.pb.h"

namespace failsim::node {

class DataListener {
 public:
  // Takes the socket if the connection is expected; otherwise leaves it, and its peer is told that
  // nobody expects it. Called on the listener's thread.
  using Accept = std::function<bool(const pb::TransferHello& hello, Fd& socket)>;

  static Result<std::unique_ptr<DataListener>> open(const std::string& address, std::uint16_t port,
                                                    Accept accept);
  ~DataListener();
  void stop();  // idempotent

 private:
  // A connection that has not said yet what it is for.
  struct Visitor {
    Fd socket;
    Time until = 0;
    std::vector<std::byte> bytes;
  };

  DataListener(Fd socket, Accept accept);
  void run();
  void accept_all();
  // True when the visitor has left: handed on, or closed.
  bool listen_to(Visitor& visitor);
  // Of whom the whole hello was read.
  void hand_on(Visitor& visitor, std::uint32_t checksum);

  Fd socket_;
  const Accept accept_;
  Signal signal_;
  std::list<Visitor> visitors_;
  std::thread thread_;
};

}  // namespace failsim::node
