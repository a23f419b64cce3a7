// The source of a post-copy after its release: it keeps the pages that the target misses, as they
// were at the pause, and sends them. Those that the guest waits for go first.
//
// Its guest is gone and never runs here again. A connection that ends is replaced by another, over
// which the target says what is still missing, for as long as the transfer is not dropped. A target
// gives up a connection that is silent for five seconds, so what is sent at once is what the
// bandwidth or the link takes in about one, and no share of either is spent on what does not
// arrive. The bandwidth may change meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/guest_memory.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {

class PageServer {
 public:
  // A connection whose hello says that pages follow; null if there is none now.
  using Connect = std::function<std::unique_ptr<Channel>()>;
  // So many bytes of pages more were sent.
  using NoteSent = std::function<void(std::uint64_t bytes)>;

  // `modelled_bytes` of a VM that has no pages. Whoever changes the rate of `bandwidth` wakes
  // `signal`; both must outlive it.
  PageServer(std::shared_ptr<const GuestMemory> memory, std::vector<std::uint64_t> missing,
             std::uint64_t modelled_bytes, SharedBucket& bandwidth, Signal& signal);

  // Until the signal aborts.
  void serve(const Connect& connect, const NoteSent& note_sent);

 private:
  // Until the connection ends.
  void serve_one(Channel& channel, const NoteSent& note_sent);
  Io hear_what_is_missing(Channel& channel);
  Io take_wishes(Channel& channel, Time until);
  Io send_next(Channel& channel, const NoteSent& note_sent);
  Io await_share(Channel& channel);
  void fit_to_link(Duration took);
  std::uint64_t pages_at_once() const;
  bool has_more() const { return !wanted_.empty() || next_ < limit_ || modelled_bytes_left_ > 0; }
  std::vector<std::uint64_t> next_pages();
  bool take(std::uint64_t page);

  const std::shared_ptr<const GuestMemory> memory_;
  const std::vector<std::uint64_t> kept_;  // a bit for each page the target missed at the pause
  const std::uint64_t modelled_bytes_;
  SharedBucket& bandwidth_;
  Signal& signal_;
  std::uint64_t link_pages_;  // that the link takes in time

  // ---- of one connection ----
  std::vector<std::uint64_t> left_;  // not sent over it
  std::uint64_t next_ = 0;           // in the background, page order
  std::uint64_t limit_ = 0;
  std::deque<std::uint64_t> wanted_;
  std::uint64_t modelled_bytes_left_ = 0;
};

}  // namespace failsim::node
