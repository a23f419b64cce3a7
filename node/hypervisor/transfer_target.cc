#include "node/hypervisor/transfer_target.h"

#include <algorithm>
#include <array>
#include <utility>

#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"

namespace failsim::node {
namespace {

constexpr Duration kMemoryRetryInterval = 2 * kMillisecond;
constexpr std::uint64_t kReleaseBytesMax = 4096;
// A write count takes at most five bytes; the rest of a device state is small.
constexpr std::uint64_t kCountBytesMax = 5;
constexpr std::uint64_t kStateBytesMax = 4096;

}  // namespace

TransferTarget::TransferTarget(TransferOrder order, Site site, MemoryBudget& budget,
                               Workers& workers, ReportTransfer report)
    : order_(std::move(order)),
      site_(std::move(site)),
      budget_(budget),
      workers_(workers),
      report_(std::move(report)),
      signals_(streams_of(order_)),
      signal_(signals_.of(0)),
      sockets_(signals_.streams()),
      connected_(signals_.streams(), false) {}

TransferTarget::~TransferTarget() {
  if (image_) give_back(std::move(image_->memory));
}

// ---- from any thread ----------------------------------------------------------------------------

void TransferTarget::drop() {
  dropped_.store(true, std::memory_order_release);
  signals_.abort_all();
  const std::lock_guard lock(mutex_);
  if (image_) give_back(std::move(image_->memory));
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
  streams_.clear();
  state_.reset();
  let_memory_go();
}

bool TransferTarget::prepare() {
  if (!signals_.valid()) {
    return fail(VMTaskResult::kUnexpectedError, no_descriptors_message(order_, site_.node));
  }
  if (site_.faults != nullptr) {
    const auto why = site_.faults->refusal(HypervisorFaults::Step::kPrepare, order_.vm);
    if (why) return fail(VMTaskResult::kUnexpectedError, *why);
  }
  if (site_.faults != nullptr && site_.faults->refuses_memory()) {
    return fail(VMTaskResult::kOutOfMemoryError,
                budget_.refusal(site_.node, order_.vm, order_.config.memory_bytes()));
  }
  if (!find_memory()) return false;
  touched_.emplace(memory_->pages(), !kept_counts_.empty());
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
  }
  report(report_of(order_, pb::TRANSFER_READY));
  return true;
}

// What is kept of the VM, or a reservation.
bool TransferTarget::find_memory() {
  const std::uint64_t bytes = order_.config.memory_bytes();
  if (site_.kept != nullptr) {
    auto kept = site_.kept->take(order_.vm, order_.boot_id, bytes);
    if (kept) {
      memory_ = std::move(kept->memory);
      kept_counts_ = std::move(kept->write_counts);
      return true;
    }
  }
  MemoryBudget::Answer answer = budget_.reserve(bytes);
  while (answer == MemoryBudget::Answer::kSoon) {
    signal_.wait(boottime_now() + kMemoryRetryInterval);
    if (dropped()) return false;
    answer = budget_.reserve(bytes);
  }
  if (answer == MemoryBudget::Answer::kRefused) {
    return fail(VMTaskResult::kOutOfMemoryError, budget_.refusal(site_.node, order_.vm, bytes));
  }
  memory_ = std::make_shared<GuestMemory>(budget_, bytes);
  if (order_.config.modelled()) return true;
  // A guest that was never filled leaves most pages untouched: making them present would only cost
  // memory.
  const bool prefault = order_.config.fill() != pb::FILL_ZERO;
  if (memory_->map() && (!prefault || memory_->prefault(dropped_))) return true;
  return fail(VMTaskResult::kOutOfMemoryError,
              "the host of " + site_.node + " refused to map the memory of VM '" + order_.vm + "'");
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
      return fail(VMTaskResult::kTimeOutError, "receiving VM '" + order_.vm + "' from " +
                                                   site_.peer + " on " + site_.node +
                                                   " failed: only some of its streams came");
    }
    signal_.wait(until);
  }
  const std::lock_guard lock(mutex_);
  for (std::uint32_t stream = 0; stream < signals_.streams(); ++stream) {
    std::unique_ptr<DataFaults> faults;
    if (site_.faults != nullptr) faults = site_.faults->connection_to(site_.peer_id);
    streams_.push_back(std::make_unique<Stream>(std::move(sockets_[stream]), signals_.of(stream),
                                                std::move(faults), *memory_, *touched_, stream,
                                                signals_.streams()));
  }
  return true;
}

// Complete only when every stream has come to its end.
bool TransferTarget::receive() {
  StreamGroup group(signals_);
  const StreamGroup::Outcome outcome =
      group.perform([this](std::uint32_t stream) { return receive_stream(stream); }, [] {});
  if (outcome.io == Io::kDone) return true;
  const Stream& failed = *streams_[outcome.stream];
  const StreamFault& fault = failed.receiver.fault();
  if (!fault.what.empty()) return fail_stream(fault);
  return fail_connection(outcome.io, failed.channel.reason());
}

Io TransferTarget::welcome(std::uint32_t stream) {
  std::vector<std::byte> frame =
      welcome_frame(stream == 0 ? std::exchange(kept_counts_, {}) : std::vector<std::uint32_t>());
  iovec piece{frame.data(), frame.size()};
  return streams_[stream]->channel.send(&piece, 1, kSetupSilenceLimit);
}

// On the thread of the stream. Anything but kDone: the receiver knows what was wrong, or it was the
// connection.
Io TransferTarget::receive_stream(std::uint32_t stream) {
  const Io welcomed = welcome(stream);
  if (welcomed != Io::kDone) return welcomed;
  Stream& from = *streams_[stream];
  bool is_last = false;
  while (!is_last) {
    std::array<std::byte, kFrameHeaderBytes> bytes;
    const Io received = from.channel.receive(bytes.data(), bytes.size(), kNoSilenceLimit);
    if (received != Io::kDone) return received;
    const std::optional<FrameHeader> header = decode_header(bytes);
    bool good = false;
    if (!header) {
      good = from.receiver.refuse_corrupted();
    } else if (PageReceiver::is_page_frame(header->type)) {
      good = from.receiver.take(*header);
    } else {
      good = take(from, stream, *header, is_last);
    }
    if (!good) return from.receiver.fault().io;
  }
  return Io::kDone;
}

bool TransferTarget::take(Stream& from, std::uint32_t stream, const FrameHeader& header,
                          bool& is_last) {
  if (stream != 0) {
    is_last = header.type == FrameType::kStreamEnd;
    return is_last || from.receiver.refuse("contains what belongs to its first connection");
  }
  switch (header.type) {
    case FrameType::kRoundEnd:
      return true;
    case FrameType::kDeviceState:
      return receive_device_state(from, header);
    case FrameType::kMissingPages:
      return receive_missing(from, header);
    case FrameType::kRelease:
      is_last = true;
      return receive_release(from, header);
    default:
      return from.receiver.refuse("contains a greeting in the middle of the stream");
  }
}

bool TransferTarget::receive_message(Stream& from, const FrameHeader& header,
                                     std::string& payload) {
  payload.resize(header.bytes);
  return from.receiver.receive_body(header, std::as_writable_bytes(std::span(payload)));
}

bool TransferTarget::receive_device_state(Stream& from, const FrameHeader& header) {
  const std::uint64_t most = pages_of(order_.config) * kCountBytesMax + kStateBytesMax;
  if (header.bytes > most) {
    return from.receiver.refuse("contains a device state that is too large");
  }
  std::string payload;
  if (!receive_message(from, header, payload)) return false;
  state_ = decode_device_state(payload, order_.config);
  if (!state_ || state_->write_counts.empty() == memory_->is_mapped()) {
    return from.receiver.refuse("contains a device state that does not fit the VM");
  }
  return true;
}

bool TransferTarget::receive_release(Stream& from, const FrameHeader& header) {
  if (header.bytes > kReleaseBytesMax) {
    return from.receiver.refuse("contains a release that is too large");
  }
  std::string payload;
  if (!receive_message(from, header, payload)) return false;
  if (!release_.ParseFromString(payload) || release_.job() != order_.job ||
      release_.attempt() != order_.attempt || !state_ ||
      release_.pages_follow() != missing_.has_value()) {
    return from.receiver.refuse("contains a release of something else");
  }
  return true;
}

bool TransferTarget::receive_missing(Stream& from, const FrameHeader& header) {
  const std::uint64_t pages = memory_->is_mapped() ? memory_->pages() : 0;
  if (header.bytes != PresenceMap::word_count(pages) * sizeof(std::uint64_t)) {
    return from.receiver.refuse("names pages that will follow, and not those of the VM");
  }
  std::vector<std::byte> body(header.bytes);
  if (!from.receiver.receive_body(header, body)) return false;
  missing_ = decode_words(body);
  return PresenceMap::is_well_formed(pages, *missing_) ||
         from.receiver.refuse("names pages outside of the VM's memory");
}

// Until the last page is here, or the drop.
void TransferTarget::follow() {
  std::shared_ptr<PageFollower> follower;
  {
    const std::lock_guard lock(mutex_);
    follower = follower_;
  }
  streams_.clear();
  if (follower != nullptr) follower->follow();
}

bool TransferTarget::hold() {
  Image image;
  image.vm = order_.vm;
  image.job = order_.job;
  image.attempt = order_.attempt;
  image.boot_id = order_.boot_id;
  image.parameters = order_.parameters;
  image.statistics = release_.statistics();
  image.frozen_at = release_.frozen_at_ns();
  image.released_at = release_.released_at_ns();
  image.received_at = boottime_now();
  if (site_.image_fault && memory_->is_mapped()) site_.image_fault(*memory_);
  if (order_.parameters.verify() == pb::VERIFY_BEFORE_RESUME && !missing_) {
    PageCheck result;
    for (std::uint64_t page = 0; memory_->is_mapped() && page < memory_->pages(); ++page) {
      if (dropped()) return false;
      ++result.pages;
      const bool match =
          page_matches(memory_->page(page), state_->boot_id, page, state_->write_counts[page]);
      if (!match && result.match()) result.first_mismatch = page;
    }
    image.check = result;
  }
  image.held_at = boottime_now();
  std::shared_ptr<PageFollower> follower;
  if (missing_) {
    const bool is_mapped = memory_->is_mapped();
    const std::uint64_t modelled_bytes = is_mapped ? 0 : image.statistics.remaining_bytes();
    // Of a modelled VM one page stands for all.
    image.presence = is_mapped ? std::make_shared<PresenceMap>(memory_->pages(), *missing_)
                               : std::make_shared<PresenceMap>(
                                     1, std::vector<std::uint64_t>{modelled_bytes > 0 ? 1u : 0u});
    follower = std::make_shared<PageFollower>(
        memory_, image.presence, modelled_bytes, signal_, [this]() -> std::unique_ptr<DataFaults> {
          return site_.faults == nullptr ? nullptr : site_.faults->connection_to(site_.peer_id);
        });
  }
  image.memory = std::move(memory_);
  image.state = std::move(*state_);
  TransferReport report_all =
      report_of(order_, missing_ ? pb::TRANSFER_HOLDS_STATE : pb::TRANSFER_HOLDS_ALL);
  report_all.statistics = image.statistics;
  {
    const std::lock_guard lock(mutex_);
    image_ = std::move(image);
    follower_ = std::move(follower);
    if (dropped()) {  // the drop came too early to find it
      give_back(std::move(image_->memory));
      image_.reset();
      return false;
    }
  }
  report(report_all);
  return true;
}

// ---- helpers ------------------------------------------------------------------------------------

std::uint64_t TransferTarget::received_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& stream : streams_) bytes += stream->receiver.received_bytes();
  return bytes;
}

bool TransferTarget::fail_connection(Io outcome, const std::string& reason) {
  const std::string what = "receiving VM '" + order_.vm + "' from " + site_.peer + " on " +
                           site_.node + " failed after " + std::to_string(received_bytes() >> 20) +
                           " MiB: ";
  switch (outcome) {
    case Io::kDone:
    case Io::kAborted:
      return false;
    case Io::kClosed:
      return fail(VMTaskResult::kUnexpectedError, what + reason);
    case Io::kTimedOut:
      return fail(VMTaskResult::kTimeOutError, what + site_.peer + " sends nothing any more");
  }
  return false;
}

// What a stream brought was wrong. The source is told, whichever stream it was, on the first.
bool TransferTarget::fail_stream(const StreamFault& fault) {
  const std::string message = "the stream of VM '" + order_.vm + "' from " + site_.peer + " to " +
                              site_.node + " " + fault.what;
  std::vector<std::byte> frame = message_frame(FrameType::kRefusal, message);
  iovec piece{frame.data(), frame.size()};
  // It fits into the socket; a source that cannot be told sees the connection end.
  streams_[0]->channel.send(&piece, 1, 0);
  return fail(
      fault.is_corrupted ? VMTaskResult::kUnexpectedError : VMTaskResult::kIllegalValueError,
      message);
}

bool TransferTarget::fail(VMTaskResult result, const std::string& message) {
  streams_.clear();
  let_memory_go();  // whoever hears of the failure finds nothing left
  report(failure_report(order_, {result, message}));
  return false;
}

// What was kept and nobody has written to stays kept.
void TransferTarget::let_memory_go() {
  if (memory_ != nullptr && !kept_counts_.empty()) {
    site_.kept->keep(order_.vm, order_.boot_id, {std::move(memory_), std::move(kept_counts_)});
  } else {
    give_back(std::move(memory_));
  }
  memory_.reset();
  kept_counts_.clear();
}

void TransferTarget::report(const TransferReport& report) {
  const std::lock_guard lock(mutex_);
  if (dropped()) return;
  last_report_ = report;
  report_(report);
}

// Unmapping takes long: not on the caller's time, but counted as on its way back at once.
void TransferTarget::give_back(std::shared_ptr<GuestMemory> memory) {
  if (memory == nullptr) return;
  memory->retire();
  workers_.run([memory = std::move(memory)]() mutable { memory.reset(); });
}

}  // namespace failsim::node
