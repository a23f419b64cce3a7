// One guest on this node: one boot of one VM. Lives on the guest thread.
//
// It is driven by levels. Whatever arrives (an order, an answer of the volume, the end of some
// work) changes a fact, and advance() then begins whatever is the next thing to do:
//
//   register the epoch -> build the memory (stamp it | read the saved state | take the image)
//                      -> execute | stand frozen | save
//
// A guest executes only when it is registered under the epoch of its latest order, is wanted
// running, is not held by a transfer, and the lease of the node is not over. Stopping is the
// absence of quanta: it waits for nothing.
//
// The hold of a transfer: from freeze_for() on, only drop_hold() and *after it* an order that wants
// the guest running let it execute again (safety.md C1: a released guest runs again only when the
// node has applied a committed abort). A lease never does, nor the failure of the transfer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/dirty_watch.h"
#include "cluster/vm/guest_model.h"
#include "cluster/vm/task_result.h"
#include "node/hypervisor/guest_host.h"
#include "node/hypervisor/missing_pages.h"
#include "node/hypervisor/page_checker.h"

namespace failsim::node {

// What a transfer takes from its guest: percent of its time, below 100. Any thread may set it; it
// takes effect with the next quantum.
using Throttle = std::atomic<std::uint32_t>;

class Guest : public std::enable_shared_from_this<Guest> {
 public:
  Guest(GuestHost& host, GuestOrder order, std::shared_ptr<GuestView> view);
  ~Guest();

  // To be called once, when shared ownership exists.
  void begin();
  // Another order for the same boot.
  void order(const GuestOrder& order);
  // Stops and gives the memory back, at once. Nothing is reported.
  void destroy(const std::string& why);

  // The time it asked for has come.
  void run(Time now);
  // The lease allows executing again.
  void lease_extended(Time now);
  // Checks some pages of the resumed image; false when there is nothing to check.
  bool check_pages();
  // The pages that it misses will not come: it is lost.
  void lose_pages();

  // ---- for a transfer that has this guest as its source ----
  // The memory to send, if the guest is ready to execute; else `why`.
  std::shared_ptr<GuestMemory> memory_to_send(std::string& why) const;
  // The write count of each page; from now on the dirty bits are of later writes only. Only while
  // memory_to_send() gives the memory.
  std::vector<std::uint32_t> count_writes_from_now();
  void freeze_for(const std::shared_ptr<FreezeObserver>& observer, TaskId job,
                  std::uint64_t attempt);
  void drop_hold(TaskId job, std::uint64_t attempt);
  // From now on `throttle` says how much of its time is taken from the guest. Whoever gave it lets
  // it go, or sets 0, when the transfer has ended.
  void throttle_by(std::weak_ptr<const Throttle> throttle);
  // How it was seen to dirty its memory until now; nothing if it was hardly watched yet.
  std::optional<DirtyHabit> watched_habit() const;

  const std::string& vm() const { return order_.vm; }
  std::uint64_t boot_id() const { return order_.boot_id; }
  bool is_waiting_for_lease() const { return waiting_for_lease_; }
  bool checks_pages() const { return checker_.has_value() && !missing_; }

 private:
  enum class Phase {
    kNew,       // nothing there yet
    kBuilding,  // its memory or its state is on the way
    kReady,     // memory and state are complete
    kSaving,    // its state is on the way to the shared volume
    kGone       // saved or failed: no memory
  };
  enum class Hold { kNone, kHeld, kDropped };

  void advance();
  void register_epoch();
  void on_registered(const Epoch& epoch, const pb::VolumeReply& reply);

  void build();
  bool reserve();
  void build_fresh();
  void read_saved_state();
  void on_saved_state(const pb::VolumeReply& reply);
  void build_image();
  void stamp_pages(DeviceState state);
  void on_built(DeviceState state, bool mapped);
  void become_ready(DeviceState state);

  bool should_execute() const;
  void start_executing();
  // For those who watch; each change once.
  void note_executes();
  void note_stops();
  void note_held(bool held);
  void stop_executing();
  void quantum(Time now);
  void on_first_quantum(Time now);
  void execute_with_pages_missing(Duration elapsed);
  void write_page(std::uint64_t page, std::uint32_t count);
  void schedule(Time now);
  void watch();
  std::uint32_t throttle_percent() const;

  void append_counter();
  void on_appended(std::uint64_t counter, const pb::VolumeReply& reply);

  void save_piece();
  void on_piece_saved(std::uint64_t end, const pb::VolumeReply& reply);

  void await_pages();
  void pages_came();
  void report_pages_here();
  void report_resumed(Time now);
  void report_check(const PageCheck& check);
  void abandon_check();
  std::string downtime_cause(Time now, Duration limit) const;

  void set_condition(pb::GuestCondition condition);
  // A fault makes the step fail; then it has failed.
  bool is_refused(HypervisorFaults::Step step);
  void suffer_faults();
  void fail(VMTaskResult result, const std::string& error,
            pb::GuestCondition condition = pb::CONDITION_FAILED);
  void report_condition();
  void leave_pages();
  void drop_memory();
  void stop_observer(const std::string& why);

  // Sends a request under the current epoch; `answer` runs on the guest thread unless the guest is
  // destroyed before.
  void submit(pb::VolumeRequest request, std::function<void(const pb::VolumeReply&)> answer);
  // Performs `action` again soon, because the volume could not do it now.
  void retry(void (Guest::*action)());

  GuestHost& host_;
  GuestOrder order_;
  std::shared_ptr<GuestView> view_;

  Phase phase_ = Phase::kNew;
  Hold hold_ = Hold::kNone;
  TaskId hold_job_ = 0;
  std::uint64_t hold_attempt_ = 0;
  std::shared_ptr<FreezeObserver> observer_;
  bool destroyed_ = false;

  std::optional<Epoch> registered_;
  bool registering_ = false;
  std::uint64_t last_counter_ = 0;  // of the journal, as Register has told

  std::shared_ptr<GuestMemory> memory_;
  std::shared_ptr<std::atomic<bool>> building_aborted_;
  std::optional<GuestModel> model_;
  std::string state_bytes_;        // a saved state on its way
  std::uint64_t saved_bytes_ = 0;  // of state_bytes_, acknowledged by the volume

  bool executing_ = false;
  bool executed_ = false;  // since it started executing
  bool noted_executing_ = false;
  bool noted_held_ = false;
  bool has_begun_ = false;  // has ever executed here
  bool waiting_for_lease_ = false;
  std::weak_ptr<const Throttle> throttle_;
  Time rests_until_ = 0;      // throttled: no quantum before
  Time last_ran_ = 0;         // what guest time is counted from
  Time last_quantum_at_ = 0;  // it did run then
  Duration guest_time_ = 0;
  Duration next_count_at_ = 0;  // in guest time
  bool append_outstanding_ = false;
  std::optional<DirtyWatch> watch_;
  Duration next_look_at_ = 0;     // in guest time
  Duration next_showing_at_ = 0;  // in guest time

  void (Guest::*retry_action_)() = nullptr;
  Time retry_at_ = kNever;

  pb::GuestCondition condition_ = pb::CONDITION_STARTING;
  VMTaskResult task_result_ = VMTaskResult::kSuccess;
  std::string error_;

  std::optional<Image> resumed_;  // without memory and state: what is left to report
  Time ordered_at_ = 0;
  Time registered_at_ = 0;
  std::optional<PageChecker> checker_;
  std::optional<MissingPages> missing_;  // post-copy, until all are here
};

}  // namespace failsim::node
