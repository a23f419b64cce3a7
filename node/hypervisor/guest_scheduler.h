// The guest thread: one thread that executes all guests of a node in turns.
//
// A turn is at most about a millisecond of work, and the lease is compared with the clock at the
// start of each. Orders, answers of the volume and ends of background work come as tasks and are
// performed between two turns, so that a guest needs no lock. With nothing due the thread sleeps
// until exactly the next turn.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "node/hypervisor/channel.h"
#include "node/hypervisor/guest.h"
#include "node/hypervisor/guest_host.h"

namespace failsim::node {

class GuestScheduler : public GuestHost {
 public:
  using TakeImage = std::function<std::optional<Image>(const std::string& vm, TaskId job,
                                                       std::uint64_t attempt, std::string& why)>;

  // Everything referred to must outlive the scheduler.
  GuestScheduler(std::string node, MemoryBudget& budget, Workers& workers, KeptPages& kept,
                 VolumePort& volume, std::function<void(const GuestReport&)> report_guest,
                 std::function<void(const TransferReport&)> report_transfer, TakeImage take_image,
                 HypervisorFaults* faults, ObservationLog* observations);
  ~GuestScheduler() override;

  // ---- from any thread ----
  void order(const GuestOrder& order);
  void set_lease(Time until);
  // Stops every guest; when it returns none executes, and none ever will. Idempotent.
  void stop();
  // Null if there was never a guest of this VM here.
  std::shared_ptr<const GuestView> view(const std::string& vm) const;
  bool leased() const;

  // Performs `task` on the guest thread with the guest of this boot, or null.
  void with_guest(const std::string& vm, std::uint64_t boot_id,
                  std::function<void(Guest* guest)> task);

  // ---- GuestHost ----
  const std::string& node() const override { return node_; }
  MemoryBudget& budget() override { return budget_; }
  Workers& workers() override { return workers_; }
  KeptPages& kept_pages() override { return kept_; }
  VolumePort& volume() override { return volume_; }
  HypervisorFaults* faults() override { return faults_; }
  ObservationLog* observations() override { return observations_; }
  void report(const GuestReport& report) override { report_guest_(report); }
  void report(const TransferReport& report) override { report_transfer_(report); }
  void post(std::function<void()> task) override;
  void wake_at(Guest& guest, Time at) override;
  bool may_execute() const override;
  Duration count_interval() const override;
  Duration watch_interval() const override;
  std::optional<Image> take_image(const std::string& vm, TaskId job, std::uint64_t attempt,
                                  std::string& why) override;

 private:
  void run();
  void perform_tasks();
  void run_due_guests();
  void after_lease_change();
  bool check_pages();
  void perform(const GuestOrder& order);
  void destroy(const std::string& vm, const std::string& why);
  std::shared_ptr<GuestView> view_of(const std::string& vm);

  const std::string node_;
  MemoryBudget& budget_;
  Workers& workers_;
  KeptPages& kept_;
  VolumePort& volume_;
  const std::function<void(const GuestReport&)> report_guest_;
  const std::function<void(const TransferReport&)> report_transfer_;
  const TakeImage take_image_;
  HypervisorFaults* const faults_;
  ObservationLog* const observations_;

  std::atomic<Time> lease_until_ = 0;
  std::atomic<bool> stopping_ = false;
  Signal signal_;

  std::mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_;
  bool sleeping_ = false;  // a post has to wake the thread

  mutable std::mutex views_mutex_;
  std::map<std::string, std::shared_ptr<GuestView>> views_;

  // ---- of the guest thread ----
  std::map<std::string, std::shared_ptr<Guest>> guests_;
  std::set<std::pair<Time, Guest*>> due_;
  std::map<Guest*, Time> due_at_;
  std::set<Guest*> checking_;  // have pages to check

  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace failsim::node
