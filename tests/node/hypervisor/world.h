// Two hypervisors on loopback addresses in one process, and a shared volume in memory: a test gives
// orders and waits for reports.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "node/hypervisor/fault_seam.h"
#include "node/hypervisor/hypervisor_impl.h"
#include "storage/volume.h"
#include "storage/volume_memory.h"

namespace failsim::node {

inline constexpr std::uint64_t kMiB = 1024 * 1024;
inline constexpr Duration kHour = 3600 * kSecond;  // of a lease that does not end in a test

// The rules of the shared volume, answered by a thread of this process.
class VolumeInMemory {
 public:
  VolumeInMemory();
  ~VolumeInMemory();

  // While held, requests wait unanswered.
  void hold(bool held);
  // Until a request waits unanswered.
  void await_request();
  std::vector<pb::JournalRecord> journal(const std::string& vm);
  // A port for one node; the volume must outlive it.
  std::shared_ptr<VolumePort> port();

 private:
  friend class InMemoryPort;
  struct Asked {
    pb::VolumeRequest request;
    VolumePort::Callback callback;
    const void* port = nullptr;
  };
  void answer_all();

  VolumeMemory disk_;
  std::unique_ptr<Volume> volume_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> asked_;
  const void* answering_ = nullptr;
  bool held_ = false;
  bool ended_ = false;
  std::thread thread_;
};

// One node, and all that it has reported.
class TestNode {
 public:
  TestNode(VolumeInMemory& volume, NodeId id, std::uint64_t memory_bytes,
           std::function<void(GuestMemory&)> image_fault = nullptr,
           HypervisorFaults* faults = nullptr);

  void order(const GuestOrder& order) { hypervisor_->order(order); }
  void order(const TransferOrder& order) { hypervisor_->order(order); }
  void lease(Duration length) { hypervisor_->set_lease(boottime_now() + length); }
  HypervisorImpl& hypervisor() { return *hypervisor_; }
  static std::string address(NodeId id);
  static constexpr std::uint16_t kPort = 6600;

  // Waits for a report after the last one waited for; fails the test after a generous time, or when
  // a failure is reported that was not waited for.
  GuestReport await(pb::GuestCondition condition);
  TransferReport await(pb::TransferStatus status);
  GuestReport await_failure();
  // Waits until `true_now` holds, looking whenever something was reported and often besides.
  void await_that(const std::function<bool()>& true_now);
  bool has_reported(pb::TransferStatus status);
  bool has_reported(pb::GuestCondition condition);
  // Leaves at once, as a killed process does: sockets close, guests are gone.
  void die() { hypervisor_.reset(); }

 private:
  using Reported = std::variant<GuestReport, TransferReport>;
  void note(Reported report);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Reported> reports_;
  std::unique_ptr<HypervisorImpl> hypervisor_;
};

// A VM of 64 MiB that dirties its memory, and the orders for it.
struct TestVm {
  std::string name = "web";
  std::uint64_t boot_id = 11;
  Epoch epoch{1, 1};
  pb::VmConfig config;
  pb::MigrationParameters parameters;
  TaskId job = 5;
  std::uint64_t attempt = 1;

  TestVm();
  GuestOrder want(pb::GuestWant want, pb::GuestOrigin origin = pb::ORIGIN_FRESH) const;
  TransferOrder transfer(TransferRole role, TransferStage stage, NodeId peer) const;
};

// A world in which nothing breaks: for one in which something does.
class SoundWorld : public HypervisorFaults {
 public:
  std::unique_ptr<DataFaults> connection_to(NodeId) override { return nullptr; }
  std::shared_ptr<VolumePort> around(std::shared_ptr<VolumePort> volume) override { return volume; }
  std::optional<std::string> refusal(Step, const std::string&) override { return std::nullopt; }
  bool refuses_memory() override { return false; }
  bool crashes(const std::string&) override { return false; }
  bool forgets_page() override { return false; }
  std::optional<std::uint64_t> dirty_rate(const std::string&) override { return std::nullopt; }
};

// Starts its guest, and waits until it runs.
void start(TestNode& node, const TestVm& vm);
// Orders a migration from the one to the other up to Data Transfer: the target is ready, the source
// has begun.
void begin_stream(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                  const TestVm& vm);
// A committed abort, as both sides see it.
void abort_transfer(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                    const TestVm& vm);

// What a cluster would order for a whole live migration from one node to the other; ends when every
// page has been checked. `converged`, if given, gets what the source said then.
TransferReport migrate(TestNode& source, NodeId source_id, TestNode& target, NodeId target_id,
                       TestVm& vm, TransferReport* converged = nullptr);

}  // namespace failsim::node
