#include "node/hypervisor/guest_scheduler.h"

#include <algorithm>
#include <cassert>

#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/threads.h"

namespace failsim::node {
namespace {

// All guests of a node together count at most this often: a thousand of them count ten times a
// second each, so that neither this thread nor the shared volume is kept busy by counting alone.
constexpr Duration kCountSpacing = 100 * kMicrosecond;
// A look at how a guest dirties its memory takes a hundredth of this.
constexpr Duration kWatchSpacing = 2 * kMillisecond;

}  // namespace

GuestScheduler::GuestScheduler(std::string node, MemoryBudget& budget, Workers& workers,
                               KeptPages& kept, VolumePort& volume,
                               std::function<void(const GuestReport&)> report_guest,
                               std::function<void(const TransferReport&)> report_transfer,
                               TakeImage take_image, HypervisorFaults* faults,
                               ObservationLog* observations)
    : node_(std::move(node)),
      budget_(budget),
      workers_(workers),
      kept_(kept),
      volume_(volume),
      report_guest_(std::move(report_guest)),
      report_transfer_(std::move(report_transfer)),
      take_image_(std::move(take_image)),
      faults_(faults),
      observations_(observations),
      thread_([this] { run(); }) {
  assert(signal_.valid());
}

GuestScheduler::~GuestScheduler() {
  stop();
}

// ---- from any thread ----------------------------------------------------------------------------

void GuestScheduler::order(const GuestOrder& order) {
  post([this, order] { perform(order); });
}

void GuestScheduler::set_lease(Time until) {
  lease_until_.store(until, std::memory_order_release);
  post([this] { after_lease_change(); });
}

void GuestScheduler::stop() {
  stopping_.store(true, std::memory_order_release);
  signal_.wake();
  const std::lock_guard lock(stop_mutex_);
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const GuestView> GuestScheduler::view(const std::string& vm) const {
  const std::lock_guard lock(views_mutex_);
  const auto found = views_.find(vm);
  return found == views_.end() ? nullptr : found->second;
}

bool GuestScheduler::leased() const {
  return boottime_now() < lease_until_.load(std::memory_order_acquire);
}

void GuestScheduler::with_guest(const std::string& vm, std::uint64_t boot_id,
                                std::function<void(Guest*)> task) {
  post([this, vm, boot_id, task = std::move(task)] {
    const auto found = guests_.find(vm);
    const bool same = found != guests_.end() && found->second->boot_id() == boot_id;
    task(same ? found->second.get() : nullptr);
  });
}

void GuestScheduler::post(std::function<void()> task) {
  if (stopping_.load(std::memory_order_acquire)) return;
  bool wake = false;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    wake = sleeping_;
    sleeping_ = false;
  }
  if (wake) signal_.wake();
}

bool GuestScheduler::may_execute() const {
  return !stopping_.load(std::memory_order_acquire) && leased();
}

// ---- the guest thread ---------------------------------------------------------------------------

void GuestScheduler::run() {
  make_thread_modest();
  while (!stopping_.load(std::memory_order_acquire)) {
    perform_tasks();
    run_due_guests();
    if (check_pages()) continue;
    {
      const std::lock_guard lock(tasks_mutex_);
      if (!tasks_.empty()) continue;
      sleeping_ = true;
    }
    const Time next = due_.empty() ? kNever : due_.begin()->first;
    if (next > boottime_now() && !stopping_.load(std::memory_order_acquire)) signal_.wait(next);
    const std::lock_guard lock(tasks_mutex_);
    sleeping_ = false;
  }
  while (!guests_.empty()) destroy(guests_.begin()->first, node_ + " stops");
}

void GuestScheduler::perform_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

void GuestScheduler::run_due_guests() {
  const Time now = boottime_now();
  std::vector<Guest*> turn;
  for (const auto& [at, guest] : due_) {
    if (at > now) break;
    turn.push_back(guest);
  }
  for (Guest* guest : turn) {
    if (stopping_.load(std::memory_order_acquire)) return;
    guest->run(boottime_now());
    if (guest->checks_pages()) checking_.insert(guest);
  }
}

void GuestScheduler::after_lease_change() {
  if (!may_execute()) return;
  const Time now = boottime_now();
  for (const auto& [vm, guest] : guests_) {
    if (guest->is_waiting_for_lease()) guest->lease_extended(now);
  }
}

bool GuestScheduler::check_pages() {
  std::erase_if(checking_, [](Guest* guest) { return !guest->check_pages(); });
  return !checking_.empty();
}

void GuestScheduler::wake_at(Guest& guest, Time at) {
  const auto known = due_at_.find(&guest);
  if (known != due_at_.end()) {
    due_.erase({known->second, &guest});
    due_at_.erase(known);
  }
  if (at == kNever) return;
  due_.emplace(at, &guest);
  due_at_.emplace(&guest, at);
}

Duration GuestScheduler::count_interval() const {
  return std::max(kGuestCountInterval, static_cast<Duration>(guests_.size()) * kCountSpacing);
}

Duration GuestScheduler::watch_interval() const {
  return std::max(kWatchInterval, static_cast<Duration>(guests_.size()) * kWatchSpacing);
}

std::optional<Image> GuestScheduler::take_image(const std::string& vm, TaskId job,
                                                std::uint64_t attempt, std::string& why) {
  return take_image_(vm, job, attempt, why);
}

// A level: what the guest of this VM should be from now on.
void GuestScheduler::perform(const GuestOrder& order) {
  const auto found = guests_.find(order.vm);
  const bool same = found != guests_.end() && found->second->boot_id() == order.boot_id;
  if (order.want != pb::GUEST_ABSENT && same) {
    found->second->order(order);
    return;
  }
  destroy(order.vm, "VM '" + order.vm + "' was stopped on " + node_);
  if (order.want == pb::GUEST_ABSENT) {
    GuestReport report;
    report.vm = order.vm;
    report.epoch = order.epoch;
    report.boot_id = order.boot_id;
    report.condition = pb::CONDITION_ABSENT;
    report_guest_(report);
    return;
  }
  const auto guest = std::make_shared<Guest>(*this, order, view_of(order.vm));
  guests_.emplace(order.vm, guest);
  guest->begin();
}

void GuestScheduler::destroy(const std::string& vm, const std::string& why) {
  const auto found = guests_.find(vm);
  if (found == guests_.end()) return;
  const std::shared_ptr<Guest> guest = found->second;
  guests_.erase(found);
  checking_.erase(guest.get());
  guest->destroy(why);
}

std::shared_ptr<GuestView> GuestScheduler::view_of(const std::string& vm) {
  const std::lock_guard lock(views_mutex_);
  std::shared_ptr<GuestView>& view = views_[vm];
  if (view == nullptr) view = std::make_shared<GuestView>();
  return view;
}

}  // namespace failsim::node
