// The target of a post-copy after it holds the state: receives the pages that the guest misses, and
// asks for the one it waits for.
//
// A connection that ends, or brings what is not as it was sent, is given up; the source comes with
// another and is told what is still missing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/presence_map.h"

namespace failsim::node {

class PageFollower {
 public:
  using Faults = std::function<std::unique_ptr<DataFaults>()>;  // of a new connection

  // `modelled_bytes` of a VM that has no pages.
  PageFollower(std::shared_ptr<GuestMemory> memory, std::shared_ptr<PresenceMap> map,
               std::uint64_t modelled_bytes, Signal& signal, Faults faults);

  ~PageFollower();

  // From any thread: the newest connection counts.
  void accept(Fd socket);

  // Until everything is here, or the signal aborts.
  void follow();

 private:
  bool is_complete() const;
  Fd take_socket();
  bool has_socket();
  void receive_from(Channel& channel);
  Io say_what_is_missing(Channel& channel);
  Io ask_for_wanted(Channel& channel);
  Io receive_frame(Channel& channel);
  Io receive_pages(Channel& channel, const FrameHeader& header);

  const std::shared_ptr<GuestMemory> memory_;
  const std::shared_ptr<PresenceMap> map_;
  Signal& signal_;
  const Faults faults_;
  std::mutex mutex_;
  Fd socket_;

  // ---- of its thread ----
  std::uint64_t modelled_bytes_left_;
  std::uint64_t asked_for_;  // over this connection
  std::vector<std::byte> numbers_;
  std::vector<std::byte> pages_;
};

}  // namespace failsim::node
