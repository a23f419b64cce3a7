#include "tools/sim/post_copy.h"

#include <algorithm>

#include "cluster/migration/precopy.h"
#include "tools/sim/transfer.h"
#include "tools/sim/wire.h"

namespace failsim::sim {
namespace {

constexpr std::uint64_t kChunkPages = 16;  // a page that is wanted waits for one chunk at most
constexpr std::uint64_t kModelledSlicesPerSecond = 4;
constexpr std::uint64_t kQuestionBytes = 64;
constexpr Duration kReconnectEvery = 100 * kMillisecond;

std::map<std::uint64_t, std::uint32_t> by_page(const PageCounts& pages) {
  return {pages.begin(), pages.end()};
}

}  // namespace

// ---- The source ---------------------------------------------------------------------------------

PageServer::PageServer(Host& host, const TransferOrder& order, const PageCounts& kept,
                       std::uint64_t modelled_bytes, Rate rate, Fail fail)
    : host_(host),
      order_(order),
      kept_(by_page(kept)),
      rate_(std::move(rate)),
      fail_(std::move(fail)),
      connection_(host.connection_to(order.peer)) {
  for (const auto& [page, count] : kept_) missing_.pages.insert(page);
  missing_.bytes = modelled_bytes;
}

PageServer::~PageServer() {
  host_.release(memory_bytes_);
}

void PageServer::begin() {
  if (!is_sending_) send_next();
}

void PageServer::want(std::uint64_t page) {
  if (!kept_.contains(page)) return;
  wanted_.push_back(page);
  if (is_connected_) begin();
}

std::function<void()> PageServer::later(void (PageServer::*step)()) const {
  return [weak = host_.weak_from_this(), vm = order_.vm, job = order_.job, attempt = order_.attempt,
          step] {
    const std::shared_ptr<Host> host = weak.lock();
    Sender* sender = host == nullptr ? nullptr : host->sender(vm, job, attempt);
    PageServer* server = sender == nullptr ? nullptr : sender->server();
    if (server != nullptr) (server->*step)();
  };
}

// Those that are wanted alone, so that they are there soonest.
PageCounts PageServer::next_pages() {
  PageCounts pages;
  const auto take = [&](std::uint64_t page) {
    pages.emplace_back(page, kept_.at(page));
    missing_.pages.erase(page);
  };
  if (!wanted_.empty()) {
    take(wanted_.front());
    wanted_.pop_front();
    return pages;
  }
  while (!missing_.pages.empty() && pages.size() < kChunkPages) take(*missing_.pages.begin());
  return pages;
}

// A piece, then the next at the pace of the link.
void PageServer::send_next() {
  is_sending_ = false;
  if (!is_connected_) return;
  if (host_.connection_to(order_.peer) != connection_) return connection_broke();
  if (wanted_.empty() && missing_.empty()) return;
  const PageCounts pages = next_pages();
  std::uint64_t modelled = 0;
  if (pages.empty()) modelled = std::min(missing_.bytes, rate_() / kModelledSlicesPerSecond + 1);
  missing_.bytes -= modelled;
  const std::uint64_t bytes = pages.size() * kPageBytes + modelled;
  bytes_sent_ += bytes;
  is_sending_ = true;
  host_.send_data(
      order_.peer, bytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt, pages, modelled](Host& target) {
        Receiver* receiver = target.receiver(vm, job, attempt);
        if (receiver != nullptr) receiver->take_following(pages, modelled);
      },
      later(&PageServer::connection_broke));
  host_.later(duration_at(bytes, rate_()), later(&PageServer::send_next));
}

void PageServer::connection_broke() {
  if (!std::exchange(is_connected_, false)) return;
  host_.later(kReconnectEvery, later(&PageServer::ask_what_is_missing));
}

// Over the next connection, once it stands.
void PageServer::ask_what_is_missing() {
  connection_ = host_.connection_to(order_.peer);
  const std::uint64_t question = ++question_;
  auto again = [host = &host_, step = later(&PageServer::ask_what_is_missing)] {
    host->later(kReconnectEvery, step);
  };
  auto answer = [weak = host_.weak_from_this(), vm = order_.vm, job = order_.job,
                 attempt = order_.attempt, question](const std::optional<Missing>& missing) {
    const std::shared_ptr<Host> host = weak.lock();
    Sender* sender = host == nullptr ? nullptr : host->sender(vm, job, attempt);
    PageServer* server = sender == nullptr ? nullptr : sender->server();
    if (server != nullptr) server->answered(question, missing);
  };
  host_.send_data(
      order_.peer, kQuestionBytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt, source = host_.self(), answer,
       again](Host& target) {
        const Receiver* receiver = target.receiver(vm, job, attempt);
        const FollowingPages* following = receiver == nullptr ? nullptr : receiver->following();
        std::optional<Missing> missing;
        if (following != nullptr) missing = following->missing();
        target.send_data(
            source, kQuestionBytes, [answer, missing](Host&) { answer(missing); }, again);
      },
      again);
}

void PageServer::answered(std::uint64_t question, const std::optional<Missing>& missing) {
  if (question != question_ || is_connected_) return;
  if (!missing) return fail_("the target does not have the state that the pages belong to");
  missing_ = *missing;
  wanted_.clear();
  if (missing_.wanted) wanted_.push_back(*missing_.wanted);
  is_connected_ = true;
  begin();
}

// ---- The target ---------------------------------------------------------------------------------

void FollowingPages::wait_for(std::uint64_t page) {
  missing_.wanted = page;
  stalled_since_ = host_.now();
  ++requested_;
  // Lost with the connection it is asked again: what is missing says what is wanted.
  host_.send_data(
      order_.peer, kQuestionBytes,
      [vm = order_.vm, job = order_.job, attempt = order_.attempt, page](Host& source) {
        Sender* sender = source.sender(vm, job, attempt);
        PageServer* server = sender == nullptr ? nullptr : sender->server();
        if (server != nullptr) server->want(page);
      },
      [] {});
}

bool FollowingPages::take(std::uint64_t page) {
  if (missing_.pages.erase(page) == 0) return false;
  ++followed_;
  if (missing_.wanted == page) {
    stalled_ += host_.now() - stalled_since_;
    missing_.wanted.reset();
  }
  return true;
}

void FollowingPages::take_modelled(std::uint64_t bytes) {
  const std::uint64_t taken = std::min(bytes, missing_.bytes);
  missing_.bytes -= taken;
  followed_ += taken / kPageBytes;
}

Duration FollowingPages::stalled() const {
  return stalled_ + (is_stalled() ? host_.now() - stalled_since_ : 0);
}

}  // namespace failsim::sim
