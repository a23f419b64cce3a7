// Pages that follow a guest: the two ends of a post-copy in the virtual world.
//
// The source keeps the pages that the target misses, as they were at the pause, and sends them:
// those that the guest waits for first, the others in the background. When the connection breaks it
// asks over the next one what is still missing, until it is dropped. Of a modelled VM only sizes
// travel, and its guest waits for nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/time.h"
#include "tools/sim/host.h"

namespace failsim::sim {

// Pages and the counts they had when they were sent.
using PageCounts = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

// What the target lacks.
struct Missing {
  std::set<std::uint64_t> pages;
  std::uint64_t bytes = 0;              // of a modelled VM
  std::optional<std::uint64_t> wanted;  // the guest waits for this one

  bool empty() const { return pages.empty() && bytes == 0; }
};

class PageServer {
 public:
  using Rate = std::function<std::uint64_t()>;
  using Fail = std::function<void(const std::string&)>;

  // `rate` in bytes a second, as the link is now; `fail` when the target knows nothing of it.
  PageServer(Host& host, const TransferOrder& order, const PageCounts& kept,
             std::uint64_t modelled_bytes, Rate rate, Fail fail);
  ~PageServer();

  void begin();
  // The guest waits for this page.
  void want(std::uint64_t page);
  // The memory of the guest that was here is kept for its pages.
  void keep_memory(std::uint64_t bytes) { memory_bytes_ += bytes; }
  void connection_broke();

  Missing missing() const { return missing_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  void send_next();
  PageCounts next_pages();
  void ask_what_is_missing();
  void answered(std::uint64_t question, const std::optional<Missing>& missing);
  // Later, or at the answer: if this transfer still serves.
  std::function<void()> later(void (PageServer::*step)()) const;

  Host& host_;
  const TransferOrder order_;
  const std::map<std::uint64_t, std::uint32_t> kept_;
  const Rate rate_;
  const Fail fail_;
  std::uint64_t memory_bytes_ = 0;
  Missing missing_;  // not sent over this connection
  std::deque<std::uint64_t> wanted_;
  bool is_connected_ = true;
  bool is_sending_ = false;
  std::uint64_t connection_ = 0;
  std::uint64_t question_ = 0;  // the newest
  std::uint64_t bytes_sent_ = 0;
};

class FollowingPages {
 public:
  FollowingPages(Host& host, const TransferOrder& order, Missing missing)
      : host_(host), order_(order), missing_(std::move(missing)) {}

  bool has(std::uint64_t page) const { return !missing_.pages.contains(page); }
  const Missing& missing() const { return missing_; }
  // The guest stands still until this page is here.
  void wait_for(std::uint64_t page);
  bool is_stalled() const { return missing_.wanted.has_value(); }
  // Whether the page was missing until now.
  bool take(std::uint64_t page);
  void take_modelled(std::uint64_t bytes);

  std::uint64_t followed() const { return followed_; }
  std::uint64_t requested() const { return requested_; }
  Duration stalled() const;

 private:
  Host& host_;
  const TransferOrder order_;
  Missing missing_;
  Time stalled_since_ = 0;
  Duration stalled_ = 0;
  std::uint64_t followed_ = 0;
  std::uint64_t requested_ = 0;
};

}  // namespace failsim::sim
