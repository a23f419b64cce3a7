#include "node/hypervisor/transfer_target.h"

#include <array>
#include <utility>

#include "node/hypervisor/checksum.h"
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
      report_(std::move(report)) {}

TransferTarget::~TransferTarget() {
  if (image_) give_back(std::move(image_->memory));
}

// ---- from any thread ----------------------------------------------------------------------------

void TransferTarget::drop() {
  signal_.abort();
  const std::lock_guard lock(mutex_);
  if (image_) give_back(std::move(image_->memory));
  image_.reset();
}

void TransferTarget::repeat_report() {
  const std::lock_guard lock(mutex_);
  if (last_report_ && !signal_.aborted()) report_(*last_report_);
}

bool TransferTarget::accept(const pb::TransferHello& hello, Fd& socket) {
  const bool expected = hello.version() == 1 && hello.cluster_id() == site_.cluster_id &&
                        hello.vm() == order_.vm && hello.job() == order_.job &&
                        hello.attempt() == order_.attempt && hello.boot_id() == order_.boot_id &&
                        hello.memory_bytes() == order_.config.memory_bytes() &&
                        hello.modelled() == order_.config.modelled();
  const std::lock_guard lock(mutex_);
  if (!expected || !ready_ || connected_ || signal_.aborted()) return false;
  connected_ = true;
  socket_ = std::move(socket);
  signal_.wake();
  return true;
}

std::optional<Image> TransferTarget::take_image(std::string& why) {
  const std::lock_guard lock(mutex_);
  if (!image_ || signal_.aborted()) {
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
  if (prepare() && wait_for_connection() && receive()) hold();
  channel_.reset();
  state_.reset();
  give_back(std::move(memory_));
}

bool TransferTarget::prepare() {
  if (site_.faults != nullptr) {
    const auto why = site_.faults->refusal(HypervisorFaults::Step::kPrepare, order_.vm);
    if (why) return fail(VMTaskResult::kUnexpectedError, *why);
  }
  const std::uint64_t bytes = order_.config.memory_bytes();
  if (site_.faults != nullptr && site_.faults->refuses_memory()) {
    return fail(VMTaskResult::kOutOfMemoryError, budget_.refusal(site_.node, order_.vm, bytes));
  }
  MemoryBudget::Answer answer = budget_.reserve(bytes);
  while (answer == MemoryBudget::Answer::kSoon) {
    signal_.wait(boottime_now() + kMemoryRetryInterval);
    if (signal_.aborted()) return false;
    answer = budget_.reserve(bytes);
  }
  if (answer == MemoryBudget::Answer::kRefused) {
    return fail(VMTaskResult::kOutOfMemoryError, budget_.refusal(site_.node, order_.vm, bytes));
  }
  memory_ = std::make_shared<GuestMemory>(budget_, bytes);
  if (!order_.config.modelled()) {
    // A guest that was never filled leaves most pages untouched: making them present would only
    // cost memory.
    const bool prefault = order_.config.fill() != pb::FILL_ZERO;
    if (!memory_->map() || (prefault && !memory_->prefault(signal_.abort_flag()))) {
      return fail(
          VMTaskResult::kOutOfMemoryError,
          "the host of " + site_.node + " refused to map the memory of VM '" + order_.vm + "'");
    }
  }
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
  }
  report(report_of(order_, pb::TRANSFER_READY));
  return true;
}

// The phase of the migration has a deadline of its own, so this waits for as long as it takes.
bool TransferTarget::wait_for_connection() {
  for (;;) {
    if (signal_.aborted()) return false;
    {
      const std::lock_guard lock(mutex_);
      if (socket_.valid()) {
        std::unique_ptr<DataFaults> faults;
        if (site_.faults != nullptr) faults = site_.faults->connection_to(site_.peer_id);
        channel_.emplace(std::move(socket_), signal_, std::move(faults));
        return true;
      }
    }
    signal_.wait(kNever);
  }
}

bool TransferTarget::receive() {
  if (!welcome()) return false;
  while (!released_) {
    std::array<std::byte, kFrameHeaderBytes> bytes;
    if (!check(channel_->receive(bytes.data(), bytes.size(), kNoSilenceLimit))) return false;
    const std::optional<FrameHeader> header = decode_header(bytes);
    if (!header) return fail_corrupted();
    bool good = false;
    switch (header->type) {
      case FrameType::kPages:
        good = receive_pages(*header);
        break;
      case FrameType::kModelled:
        received_bytes_ += header->bytes;
        good = true;
        break;
      case FrameType::kRoundEnd:
        good = true;
        break;
      case FrameType::kDeviceState:
        good = receive_device_state(*header);
        break;
      case FrameType::kRelease:
        good = receive_release(*header);
        break;
      case FrameType::kHello:
      case FrameType::kWelcome:
      case FrameType::kRefusal:
        return fail_stream("a greeting in the middle of the stream");
    }
    if (!good) return false;
  }
  return true;
}

bool TransferTarget::welcome() {
  std::vector<std::byte> frame;
  append_header({FrameType::kWelcome, 0, 0}, frame);
  iovec piece{frame.data(), frame.size()};
  return check(channel_->send(&piece, 1, kSetupSilenceLimit));
}

bool TransferTarget::receive_pages(const FrameHeader& header) {
  if (!memory_->is_mapped()) return fail_stream("pages for a VM that has none");
  if (header.runs == 0 || header.runs > kFrameRunsMax || header.bytes > kFramePageBytesMax) {
    return fail_stream("a frame that is too large");
  }
  bytes_.resize(header.runs * kRunBytes);
  if (!receive_body(header, bytes_)) return false;
  runs_.clear();
  if (!decode_runs(bytes_, memory_->pages(), header.bytes, runs_)) {
    return fail_stream("pages outside of the VM's memory");
  }
  pieces_.clear();
  for (const PageRun& run : runs_) {
    pieces_.push_back({memory_->page(run.first), run.count * kPageBytes});
  }
  if (!check(channel_->receive(pieces_.data(), pieces_.size(), kStreamSilenceLimit))) return false;
  received_bytes_ += header.bytes;
  return receive_seals(header.bytes);
}

// The pages just came through the cache: reading them again costs little.
bool TransferTarget::receive_seals(std::uint64_t page_bytes) {
  bytes_.resize((page_bytes / kPageBytes + 1) * kSealBytes);
  if (!check(channel_->receive(bytes_.data(), bytes_.size(), kStreamSilenceLimit))) return false;
  seals_.clear();
  if (!decode_seals(bytes_, seals_)) return fail_corrupted();
  auto seal = seals_.begin();
  for (const PageRun& run : runs_) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page, ++seal) {
      if (*seal == kUnsettledSeal) continue;  // it comes again
      if (*seal != fast_crc32c(0, {memory_->page(page), kPageBytes})) {
        return fail_corrupted();
      }
    }
  }
  return true;
}

bool TransferTarget::receive_body(const FrameHeader& header, std::span<std::byte> body) {
  if (!check(channel_->receive(body.data(), body.size(), kStreamSilenceLimit))) return false;
  return fast_crc32c(0, body) == header.body_checksum || fail_corrupted();
}

bool TransferTarget::receive_message(const FrameHeader& header, std::string& payload) {
  payload.resize(header.bytes);
  return receive_body(header, std::as_writable_bytes(std::span(payload)));
}

bool TransferTarget::receive_device_state(const FrameHeader& header) {
  const std::uint64_t most = pages_of(order_.config) * kCountBytesMax + kStateBytesMax;
  if (header.bytes > most) return fail_stream("a device state that is too large");
  std::string payload;
  if (!receive_message(header, payload)) return false;
  state_ = decode_device_state(payload, order_.config);
  if (!state_ || state_->write_counts.empty() == memory_->is_mapped()) {
    return fail_stream("a device state that does not fit the VM");
  }
  return true;
}

bool TransferTarget::receive_release(const FrameHeader& header) {
  if (header.bytes > kReleaseBytesMax) return fail_stream("a release that is too large");
  std::string payload;
  if (!receive_message(header, payload)) return false;
  if (!release_.ParseFromString(payload) || release_.job() != order_.job ||
      release_.attempt() != order_.attempt || !state_) {
    return fail_stream("a release of something else");
  }
  released_ = true;
  return true;
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
  if (order_.parameters.verify() == pb::VERIFY_BEFORE_RESUME) {
    PageCheck result;
    for (std::uint64_t page = 0; memory_->is_mapped() && page < memory_->pages(); ++page) {
      if (signal_.aborted()) return false;
      ++result.pages;
      const bool match =
          page_matches(memory_->page(page), state_->boot_id, page, state_->write_counts[page]);
      if (!match && result.match()) result.first_mismatch = page;
    }
    image.check = result;
  }
  image.held_at = boottime_now();
  image.memory = std::move(memory_);
  image.state = std::move(*state_);
  TransferReport report_all = report_of(order_, pb::TRANSFER_HOLDS_ALL);
  report_all.statistics = image.statistics;
  {
    const std::lock_guard lock(mutex_);
    image_ = std::move(image);
    if (signal_.aborted()) {  // the drop came too early to find it
      give_back(std::move(image_->memory));
      image_.reset();
      return false;
    }
  }
  report(report_all);
  return true;
}

// ---- helpers ------------------------------------------------------------------------------------

bool TransferTarget::check(Io outcome) {
  const std::string what = "receiving VM '" + order_.vm + "' from " + site_.peer + " on " +
                           site_.node + " failed after " + std::to_string(received_bytes_ >> 20) +
                           " MiB: ";
  switch (outcome) {
    case Io::kDone:
      return true;
    case Io::kAborted:
      return false;
    case Io::kClosed:
      return fail(VMTaskResult::kUnexpectedError, what + channel_->reason());
    case Io::kTimedOut:
      return fail(VMTaskResult::kTimeOutError, what + site_.peer + " sends nothing any more");
  }
  return false;
}

bool TransferTarget::fail_stream(const std::string& what) {
  return fail_stream(VMTaskResult::kIllegalValueError, "contains " + what);
}

bool TransferTarget::fail_corrupted() {
  return fail_stream(VMTaskResult::kUnexpectedError,
                     "was corrupted on the way, as the checksum of a frame shows; see that the "
                     "network between them is sound");
}

bool TransferTarget::fail_stream(VMTaskResult result, const std::string& what) {
  const std::string message =
      "the stream of VM '" + order_.vm + "' from " + site_.peer + " to " + site_.node + " " + what;
  std::vector<std::byte> frame = message_frame(FrameType::kRefusal, message);
  iovec piece{frame.data(), frame.size()};
  // It fits into the socket; a source that cannot be told sees the connection end.
  channel_->send(&piece, 1, 0);
  return fail(result, message);
}

bool TransferTarget::fail(VMTaskResult result, const std::string& message) {
  channel_.reset();
  give_back(std::move(memory_));  // whoever hears of the failure finds nothing left
  report(failure_report(order_, {result, message}));
  return false;
}

void TransferTarget::report(const TransferReport& report) {
  const std::lock_guard lock(mutex_);
  if (signal_.aborted()) return;
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
