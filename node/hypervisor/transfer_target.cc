#include "node/hypervisor/transfer_target.h"

#include <algorithm>
#include <utility>

#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_checker.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kChecksPerSlice = 256;  // between two looks whether it was dropped

// Of a modelled VM one page stands for all.
std::shared_ptr<PresenceMap> presence_of(const GuestMemory& memory,
                                         const std::vector<std::uint64_t>& missing,
                                         std::uint64_t modelled_bytes) {
  if (memory.is_mapped()) return std::make_shared<PresenceMap>(memory.pages(), missing);
  const std::vector<std::uint64_t> all = {modelled_bytes > 0 ? 1u : 0u};
  return std::make_shared<PresenceMap>(1, all);
}

}  // namespace

TransferTarget::TransferTarget(TransferOrder order, Site site, MemoryBudget& budget,
                               Workers& workers, ReportTransfer report)
    : order_(std::move(order)),
      site_(std::move(site)),
      report_(std::move(report)),
      signals_(streams_of(order_)),
      signal_(signals_.of(0)),
      sockets_(signals_.streams()),
      connected_(signals_.streams(), false),
      memory_(order_, site_.node, site_.kept, budget, workers) {}

TransferTarget::~TransferTarget() {
  if (image_) memory_.give_back(std::move(image_->memory));
}

// ---- from any thread ----------------------------------------------------------------------------

void TransferTarget::drop() {
  dropped_.store(true, std::memory_order_release);
  signals_.abort_all();
  const std::lock_guard lock(mutex_);
  if (image_) memory_.give_back(std::move(image_->memory));
  image_.reset();
}

void TransferTarget::repeat_report() {
  const std::lock_guard lock(mutex_);
  if (last_report_ && !dropped()) report_(*last_report_);
}

bool TransferTarget::accept(const pb::TransferHello& hello, Fd& socket) {
  const bool expected =
      hello.version() == kDataPathVersion && hello.cluster_id() == site_.cluster_id &&
      hello.vm() == order_.vm && hello.job() == order_.job && hello.attempt() == order_.attempt &&
      hello.boot_id() == order_.boot_id && hello.memory_bytes() == order_.config.memory_bytes() &&
      hello.modelled() == order_.config.modelled() && hello.streams() == signals_.streams() &&
      hello.stream() < signals_.streams();
  const std::lock_guard lock(mutex_);
  if (expected && hello.pages_follow() && follower_ != nullptr && !dropped()) {
    follower_->accept(std::move(socket));
    return true;
  }
  if (!expected || hello.pages_follow() || !ready_ || connected_[hello.stream()] || dropped()) {
    return false;
  }
  connected_[hello.stream()] = true;
  sockets_[hello.stream()] = std::move(socket);
  signal_.wake();
  return true;
}

std::optional<Image> TransferTarget::take_image(std::string& why) {
  const std::lock_guard lock(mutex_);
  if (!image_ || dropped()) {
    why = "the image of VM '" + order_.vm + "' from job " + std::to_string(order_.job) +
          " is not complete on " + site_.node;
    if (taken_) why = "the image of VM '" + order_.vm + "' was used on " + site_.node + " already";
    return std::nullopt;
  }
  taken_ = true;
  return std::exchange(image_, std::nullopt);
}

// ---- its thread ---------------------------------------------------------------------------------

void TransferTarget::run() {
  if (prepare() && wait_for_connections() && receive() && hold()) follow();
  streams_.reset();
  memory_.let_go();
}

bool TransferTarget::prepare() {
  if (!signals_.valid()) {
    return fail({VMTaskResult::kUnexpectedError, no_descriptors_message(order_, site_.node)});
  }
  if (site_.faults != nullptr) {
    const auto why = site_.faults->refusal(HypervisorFaults::Step::kPrepare, order_.vm);
    if (why) return fail({VMTaskResult::kUnexpectedError, *why});
    if (site_.faults->refuses_memory()) return fail(memory_.refusal());
  }
  Failure failure;
  if (!memory_.find(signal_, dropped_, failure)) return fail(failure);
  streams_.emplace(order_, TargetStreams::Nodes{.source = site_.peer, .target = site_.node},
                   signals_, memory_.get(), memory_.is_kept());
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
  }
  report(report_of(order_, pb::TRANSFER_READY));
  return true;
}

// The phase of the migration has a deadline of its own, so this waits for as long as it takes; but
// when one stream has come, the others follow at once.
bool TransferTarget::wait_for_connections() {
  Time until = kNever;
  for (;;) {
    if (dropped()) return false;
    {
      const std::lock_guard lock(mutex_);
      const auto came = std::count(connected_.begin(), connected_.end(), true);
      if (came == static_cast<std::ptrdiff_t>(connected_.size())) break;
      if (came > 0 && until == kNever) until = boottime_now() + kSetupSilenceLimit;
    }
    if (boottime_now() >= until) {
      return fail({VMTaskResult::kTimeOutError, "receiving VM '" + order_.vm + "' from " +
                                                    site_.peer + " on " + site_.node +
                                                    " failed: only some of its streams came"});
    }
    signal_.wait(until);
  }
  const std::lock_guard lock(mutex_);
  for (Fd& socket : sockets_) streams_->add(std::move(socket), connection_faults());
  return true;
}

bool TransferTarget::receive() {
  Failure failure;
  return streams_->receive(memory_.take_kept_counts(), failure) || fail(failure);
}

bool TransferTarget::hold() {
  TargetStreams::Received& received = streams_->received();
  Image image = image_of(received.release);
  if (site_.image_fault && memory_.get().is_mapped()) site_.image_fault(memory_.get());
  if (order_.parameters.verify() == pb::VERIFY_BEFORE_RESUME && !received.missing) {
    image.check = check_all(*received.state);
    if (dropped()) return false;
  }
  image.held_at = boottime_now();
  image.memory = memory_.pass_on();
  image.state = std::move(*received.state);
  std::shared_ptr<PageFollower> follower;
  if (received.missing) follower = follow_image(image, *received.missing);
  TransferReport held =
      report_of(order_, received.missing ? pb::TRANSFER_HOLDS_STATE : pb::TRANSFER_HOLDS_ALL);
  held.statistics = image.statistics;
  {
    const std::lock_guard lock(mutex_);
    image_ = std::move(image);
    follower_ = std::move(follower);
    if (dropped()) {  // the drop came too early to find it
      memory_.give_back(std::move(image_->memory));
      image_.reset();
      return false;
    }
  }
  report(held);
  return true;
}

Image TransferTarget::image_of(const pb::TransferRelease& release) const {
  Image image;
  image.vm = order_.vm;
  image.job = order_.job;
  image.attempt = order_.attempt;
  image.boot_id = order_.boot_id;
  image.parameters = order_.parameters;
  image.statistics = release.statistics();
  image.frozen_at = release.frozen_at_ns();
  image.released_at = release.released_at_ns();
  image.received_at = boottime_now();
  return image;
}

// Of all pages, unless the transfer is dropped meanwhile.
PageCheck TransferTarget::check_all(const DeviceState& state) const {
  const GuestMemory& memory = memory_.get();
  PageChecker checker(memory.is_mapped() ? memory.pages() : 0);
  while (!dropped() && !checker.slice(memory, state, kChecksPerSlice)) {
  }
  return checker.result();
}

std::shared_ptr<PageFollower> TransferTarget::follow_image(
    Image& image, const std::vector<std::uint64_t>& missing) {
  const std::uint64_t modelled_bytes =
      image.memory->is_mapped() ? 0 : image.statistics.remaining_bytes();
  image.presence = presence_of(*image.memory, missing, modelled_bytes);
  return std::make_shared<PageFollower>(image.memory, image.presence, modelled_bytes, signal_,
                                        [this] { return connection_faults(); });
}

void TransferTarget::follow() {
  std::shared_ptr<PageFollower> follower;
  {
    const std::lock_guard lock(mutex_);
    follower = follower_;
  }
  streams_.reset();
  if (follower != nullptr) follower->follow();
}

// ---- helpers ------------------------------------------------------------------------------------

std::unique_ptr<DataFaults> TransferTarget::connection_faults() const {
  return site_.faults == nullptr ? nullptr : site_.faults->connection_to(site_.peer_id);
}

// Of one that was dropped nothing is reported.
bool TransferTarget::fail(const Failure& failure) {
  streams_.reset();
  memory_.let_go();  // whoever hears of the failure finds nothing left
  report(failure_report(order_, failure));
  return false;
}

void TransferTarget::report(const TransferReport& report) {
  const std::lock_guard lock(mutex_);
  if (dropped()) return;
  last_report_ = report;
  report_(report);
}

}  // namespace failsim::node
