#include <condition_variable>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "node/hypervisor/hypervisor_impl.h"
#include "tools/benchmark/mover.h"
#include "tools/benchmark/process_pair.h"

namespace failsim::bench {
namespace {

using node::HypervisorConfig;
using node::HypervisorImpl;
using node::HypervisorSeams;

constexpr double kBytesPerGib = 1024.0 * 1024.0 * 1024.0;
constexpr NodeId kSource = 1;
// As fast as a guest writes whole pages on one core, nearly.
constexpr std::uint64_t kDirtyBytesPerSecond = std::uint64_t{1} << 30;
constexpr NodeId kTarget = 2;

// A shared volume that acknowledges everything: disks are not what is measured.
class WillingVolume : public node::VolumePort {
 public:
  void submit(pb::VolumeRequest request, Callback callback) override {
    pb::VolumeReply reply;
    reply.set_last_counter(request.append().counter());
    callback(reply);
  }
  void stop() override {}
};

// The last thing the hypervisor reported, to wait for.
class Reports {
 public:
  void note(const std::variant<GuestReport, TransferReport>& report) {
    const std::lock_guard lock(mutex_);
    if (const auto* guest = std::get_if<GuestReport>(&report)) condition_ = guest->condition;
    if (const auto* transfer = std::get_if<TransferReport>(&report)) {
      status_ = transfer->status;
      bytes_sent_ = transfer->statistics.bytes_sent();
      error_ = transfer->error;
    }
    changed_.notify_all();
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    status_ = pb::TRANSFER_IDLE;
  }
  void await(pb::GuestCondition condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return condition_ == condition; });
  }
  bool await(pb::TransferStatus status) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return status_ == status || status_ == pb::TRANSFER_FAILED; });
    return status_ == status;
  }
  std::uint64_t bytes_sent() {
    const std::lock_guard lock(mutex_);
    return bytes_sent_;
  }
  std::string error() {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  pb::GuestCondition condition_ = pb::CONDITION_ABSENT;
  pb::TransferStatus status_ = pb::TRANSFER_IDLE;
  std::string error_;
  std::uint64_t bytes_sent_ = 0;
};

struct Side {
  Side(const BulkOptions& options, NodeId self) {
    HypervisorConfig config;
    config.self = self;
    config.cluster_id = 1;
    config.address = self == kSource ? options.source_address : options.target_address;
    config.data_port = options.port;
    config.peer_address = [options](NodeId peer) {
      return peer == kSource ? options.source_address : options.target_address;
    };
    config.memory_bytes = options.bytes;
    HypervisorSeams seams;
    seams.volume = std::make_shared<WillingVolume>();
    opened = HypervisorImpl::open(config, std::move(seams),
                                  [this](const auto& report) { reports.note(report); });
    if (opened.ok()) hypervisor = opened.take();
  }

  Reports reports;
  Result<std::unique_ptr<HypervisorImpl>> opened = Error{};
  std::unique_ptr<HypervisorImpl> hypervisor;
};

pb::VmConfig config_of(const BulkOptions& options) {
  pb::VmConfig config;
  config.set_memory_bytes(options.bytes);
  if (options.content == Content::kZero) config.set_fill(pb::FILL_ZERO);
  if (options.content == Content::kDirtying) {
    config.set_dirty_bytes_per_second(kDirtyBytesPerSecond);
    config.set_working_set_bytes(options.working_set_bytes);
    config.set_pattern(pb::PATTERN_SEQUENTIAL);
  }
  return config;
}

TransferOrder transfer_of(const BulkOptions& options, TransferRole role, TransferStage stage,
                          unsigned attempt) {
  TransferOrder order;
  order.vm = "bench";
  order.job = 1;
  order.attempt = attempt;
  order.role = role;
  order.stage = stage;
  order.peer = role == TransferRole::kSource ? kTarget : kSource;
  order.boot_id = 1;
  order.config = config_of(options);
  order.parameters.set_streams(options.streams);
  return order;
}

struct Held {
  double at = 0;
  double cpu_seconds = 0;
};

bool target_side(const BulkOptions& options, PairLink& link) {
  Side side(options, kTarget);
  if (side.hypervisor == nullptr) return false;
  for (unsigned attempt = 1; attempt <= options.repeats; ++attempt) {
    bool go = false;
    if (!link.receive(go)) return false;
    side.reports.forget();
    double cpu_before = cpu_seconds();
    side.hypervisor->order(
        transfer_of(options, TransferRole::kTarget, TransferStage::kPrepare, attempt));
    const bool ready = side.reports.await(pb::TRANSFER_READY);
    if (!options.is_cold) cpu_before = cpu_seconds();
    if (!link.send(ready) || !ready) return false;
    const bool held = side.reports.await(pb::TRANSFER_HOLDS_ALL);
    if (!held || !link.send(Held{now_seconds(), cpu_seconds() - cpu_before})) return false;
    side.hypervisor->order(
        transfer_of(options, TransferRole::kTarget, TransferStage::kDrop, attempt));
  }
  return true;
}

Result<BulkFigure> source_side(const BulkOptions& options, PairLink& link) {
  Side side(options, kSource);
  if (side.hypervisor == nullptr) return side.opened.error();
  side.hypervisor->set_lease(kNever);
  GuestOrder run;
  run.vm = "bench";
  run.boot_id = 1;
  run.want = pb::GUEST_RUNNING;
  run.config = config_of(options);
  side.hypervisor->order(run);
  side.reports.await(pb::CONDITION_RUNNING);

  std::vector<BulkFigure> figures;
  const double gib = static_cast<double>(options.bytes) / kBytesPerGib;
  for (unsigned attempt = 1; attempt <= options.repeats; ++attempt) {
    const auto order = [&](TransferStage stage) {
      side.hypervisor->order(transfer_of(options, TransferRole::kSource, stage, attempt));
    };
    const auto failed = [&] {
      return Error{Code::kOperationAborted,
                   "the migration that was to be measured failed: " + side.reports.error(),
                   "see that port " + std::to_string(options.port) + " is free"};
    };
    bool ready = false;
    double started = now_seconds();
    if (!link.send(true) || !link.receive(ready) || !ready) return failed();
    side.reports.forget();
    const double cpu_before = cpu_seconds();
    if (!options.is_cold) started = now_seconds();
    order(TransferStage::kStream);
    if (!side.reports.await(pb::TRANSFER_CONVERGED)) return failed();
    const double stopped = now_seconds();
    order(TransferStage::kFinish);
    Held held;
    if (!side.reports.await(pb::TRANSFER_RELEASED) || !link.receive(held)) return failed();
    const double cpu = cpu_seconds() - cpu_before;
    const double seconds = held.at - started;
    figures.push_back({gib / seconds, cpu / gib, held.cpu_seconds / gib, seconds, held.at - stopped,
                       side.reports.bytes_sent()});
    order(TransferStage::kDrop);
    side.hypervisor->order(run);
  }
  return median(std::move(figures));
}

}  // namespace

Result<BulkFigure> measure_migration(const BulkOptions& options) {
  return run_pair([&](PairLink& link) { return target_side(options, link); },
                  [&](PairLink& link) { return source_side(options, link); });
}

}  // namespace failsim::bench
