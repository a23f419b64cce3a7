#include "world.h"

#include <chrono>

#include <gtest/gtest.h>
#include <unistd.h>

namespace failsim::node {
namespace {

constexpr auto kDeadline = std::chrono::seconds(120);

}  // namespace

// ---- the volume ---------------------------------------------------------------------------------

class InMemoryPort : public VolumePort {
 public:
  explicit InMemoryPort(VolumeInMemory& volume) : volume_(volume) {}
  ~InMemoryPort() override { stop(); }

  void submit(pb::VolumeRequest request, Callback callback) override {
    const std::lock_guard lock(volume_.mutex_);
    if (stopped_) return;
    volume_.asked_.push_back({std::move(request), std::move(callback), this});
    volume_.changed_.notify_all();
  }

  void stop() override {
    std::unique_lock lock(volume_.mutex_);
    stopped_ = true;
    std::erase_if(volume_.asked_, [this](const auto& asked) { return asked.port == this; });
    volume_.changed_.wait(lock, [this] { return volume_.answering_ != this; });
  }

 private:
  VolumeInMemory& volume_;
  bool stopped_ = false;
};

VolumeInMemory::VolumeInMemory()
    : volume_(Volume::open(disk_).take()), thread_([this] { answer_all(); }) {}

VolumeInMemory::~VolumeInMemory() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void VolumeInMemory::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
  changed_.notify_all();
}

void VolumeInMemory::await_request() {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kDeadline, [this] { return !asked_.empty(); }));
}

std::vector<pb::JournalRecord> VolumeInMemory::journal(const std::string& vm) {
  const std::lock_guard lock(mutex_);
  return volume_->journal(vm).take();
}

std::shared_ptr<VolumePort> VolumeInMemory::port() {
  return std::make_shared<InMemoryPort>(*this);
}

void VolumeInMemory::answer_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || (!held_ && !asked_.empty()); });
    if (ended_) return;
    Asked asked = std::move(asked_.front());
    asked_.pop_front();
    const pb::VolumeReply reply = volume_->handle(asked.request);
    answering_ = asked.port;
    lock.unlock();
    asked.callback(reply);
    asked.callback = nullptr;
    lock.lock();
    answering_ = nullptr;
    changed_.notify_all();
  }
}

// ---- a node -------------------------------------------------------------------------------------

// Every test process has a network of its own within 127.0.0.0/8, so that tests may run together.
std::string TestNode::address(NodeId id) {
  const auto process = static_cast<unsigned>(getpid());
  return "127." + std::to_string(100 + (process >> 8) % 100) + "." + std::to_string(process & 255) +
         "." + std::to_string(id);
}

TestNode::TestNode(VolumeInMemory& volume, NodeId id, std::uint64_t memory_bytes,
                   std::function<void(GuestMemory&)> image_fault, HypervisorFaults* faults) {
  HypervisorConfig config;
  config.self = id;
  config.cluster_id = 77;
  config.address = address(id);
  config.data_port = kPort;
  config.peer_address = [](NodeId peer) { return address(peer); };
  config.memory_bytes = memory_bytes;
  config.faults = faults;
  HypervisorSeams seams;
  seams.volume = volume.port();
  seams.image_fault = std::move(image_fault);
  auto opened = HypervisorImpl::open(config, std::move(seams),
                                     [this](Reported report) { note(std::move(report)); });
  if (!opened.ok()) ADD_FAILURE() << opened.error().message;
  hypervisor_ = opened.take();
}

void TestNode::note(Reported report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
  changed_.notify_all();
}

GuestReport TestNode::await(pb::GuestCondition condition) {
  std::unique_lock lock(mutex_);
  GuestReport found;
  const bool came = changed_.wait_for(lock, kDeadline, [&] {
    for (auto i = reports_.begin(); i != reports_.end(); ++i) {
      const auto* report = std::get_if<GuestReport>(&*i);
      if (report == nullptr) continue;
      if (report->condition == condition) {
        found = *report;
        reports_.erase(reports_.begin(), i + 1);
        return true;
      }
      if (report->condition == pb::CONDITION_FAILED) {
        ADD_FAILURE() << "waited for " << pb::GuestCondition_Name(condition) << ", but "
                      << report->error;
        return true;
      }
    }
    return false;
  });
  EXPECT_TRUE(came) << "no " << pb::GuestCondition_Name(condition);
  return found;
}

GuestReport TestNode::await_failure() {
  return await(pb::CONDITION_FAILED);
}

TransferReport TestNode::await(pb::TransferStatus status) {
  std::unique_lock lock(mutex_);
  TransferReport found;
  const bool came = changed_.wait_for(lock, kDeadline, [&] {
    for (auto i = reports_.begin(); i != reports_.end(); ++i) {
      const auto* report = std::get_if<TransferReport>(&*i);
      if (report == nullptr) continue;
      if (report->status == status) {
        found = *report;
        reports_.erase(i);
        return true;
      }
      if (report->status == pb::TRANSFER_FAILED) {
        ADD_FAILURE() << "waited for " << pb::TransferStatus_Name(status) << ", but "
                      << report->error;
        return true;
      }
    }
    return false;
  });
  EXPECT_TRUE(came) << "no " << pb::TransferStatus_Name(status);
  return found;
}

void TestNode::await_that(const std::function<bool()>& true_now) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (!true_now()) {  // without the lock: it may look at the reports itself
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(1));
  }
}

bool TestNode::has_reported(pb::TransferStatus status) {
  const std::lock_guard lock(mutex_);
  for (const Reported& reported : reports_) {
    const auto* report = std::get_if<TransferReport>(&reported);
    if (report != nullptr && report->status == status) return true;
  }
  return false;
}

bool TestNode::has_reported(pb::GuestCondition condition) {
  const std::lock_guard lock(mutex_);
  for (const Reported& reported : reports_) {
    const auto* report = std::get_if<GuestReport>(&reported);
    if (report != nullptr && report->condition == condition) return true;
  }
  return false;
}

// ---- a VM ---------------------------------------------------------------------------------------

TestVm::TestVm() {
  config.set_memory_bytes(64 * kMiB);
  config.set_dirty_bytes_per_second(20 * kMiB);
  config.set_working_set_bytes(8 * kMiB);
}

GuestOrder TestVm::want(pb::GuestWant want, pb::GuestOrigin origin) const {
  GuestOrder order;
  order.vm = name;
  order.epoch = epoch;
  order.boot_id = boot_id;
  order.want = want;
  order.origin = origin;
  if (origin == pb::ORIGIN_IMAGE) {
    order.image_job = job;
    order.image_attempt = attempt;
  }
  order.config = config;
  return order;
}

TransferOrder TestVm::transfer(TransferRole role, TransferStage stage, NodeId peer) const {
  TransferOrder order;
  order.vm = name;
  order.job = job;
  order.attempt = attempt;
  order.role = role;
  order.stage = stage;
  order.peer = peer;
  order.epoch = epoch;
  order.boot_id = boot_id;
  order.config = config;
  order.parameters = parameters;
  return order;
}

void start(TestNode& node, const TestVm& vm) {
  node.order(vm.want(pb::GUEST_RUNNING));
  node.await(pb::CONDITION_RUNNING);
}

void begin_stream(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                  const TestVm& vm) {
  target.order(vm.transfer(TransferRole::kTarget, TransferStage::kPrepare, source_id));
  target.await(pb::TRANSFER_READY);
  source.order(vm.transfer(TransferRole::kSource, TransferStage::kStream, target_id));
}

void abort_transfer(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                    const TestVm& vm) {
  source.order(vm.transfer(TransferRole::kSource, TransferStage::kDrop, target_id));
  source.order(vm.want(pb::GUEST_RUNNING));
  target.order(vm.transfer(TransferRole::kTarget, TransferStage::kDrop, source_id));
}

TransferReport migrate(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                       TestVm& vm, TransferReport* converged) {
  using enum TransferRole;
  using enum TransferStage;
  begin_stream(source, source_id, target, target_id, vm);
  const TransferReport said = source.await(pb::TRANSFER_CONVERGED);
  if (converged != nullptr) *converged = said;
  source.order(vm.transfer(kSource, kFinish, target_id));
  source.await(pb::TRANSFER_RELEASED);
  target.await(pb::TRANSFER_HOLDS_ALL);
  const TransferOrder drop_source = vm.transfer(kSource, kDrop, target_id);
  const TransferOrder drop_target = vm.transfer(kTarget, kDrop, source_id);
  ++vm.epoch.counter;  // Complete
  target.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_IMAGE));
  source.order(drop_source);
  source.order(vm.want(pb::GUEST_ABSENT));
  const TransferReport resumed = target.await(pb::TRANSFER_RESUMED);
  EXPECT_GT(resumed.statistics.downtime_ns(), 0);
  source.await(pb::CONDITION_ABSENT);
  target.order(drop_target);
  const TransferReport checked = target.await(pb::TRANSFER_VERIFIED);
  ++vm.job;
  ++vm.attempt;
  return checked;
}

}  // namespace failsim::node
