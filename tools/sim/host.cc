#include "tools/sim/host.h"

#include <utility>

#include "tools/sim/guest_runner.h"
#include "tools/sim/transfer.h"

namespace failsim::sim {

Host::Host(HostWorld world, Machine& machine, NodeId self, Incarnation incarnation,
           std::uint64_t memory_bytes, std::uint64_t random_seed, Report report)
    : world_(std::move(world)),
      machine_(machine),
      self_(self),
      incarnation_(incarnation),
      memory_bytes_(memory_bytes),
      random_(random_seed),
      report_(std::move(report)) {}

Host::~Host() {
  senders_.clear();
  receivers_.clear();
}

// ---- Orders -------------------------------------------------------------------------------------

void Host::order(const GuestOrder& order) {
  std::unique_ptr<GuestRunner>& runner = runners_[order.vm];
  if (runner == nullptr) runner = std::make_unique<GuestRunner>(*this, order.vm);
  runner->order(order);
}

void Host::order(const TransferOrder& order) {
  if (order.role == TransferRole::kSource) {
    std::unique_ptr<Sender>& kept = senders_[order.vm];
    if (kept != nullptr && !kept->is(order.job, order.attempt)) {
      if (order.stage == TransferStage::kDrop) return;
      kept.reset();
    }
    if (order.stage == TransferStage::kDrop) {
      senders_.erase(order.vm);
      return;
    }
    if (kept == nullptr) kept = std::make_unique<Sender>(*this, order);
    kept->order(order);
    return;
  }
  std::unique_ptr<Receiver>& kept = receivers_[order.vm];
  if (kept != nullptr && !kept->is(order.job, order.attempt)) {
    if (order.stage == TransferStage::kDrop) return;
    kept.reset();
  }
  if (order.stage == TransferStage::kDrop) {
    receivers_.erase(order.vm);
    GuestRunner* guest = runner(order.vm);
    if (order.post_copy && guest != nullptr) guest->lose_pages(order.boot_id);
    return;
  }
  if (kept == nullptr) kept = std::make_unique<Receiver>(*this, order);
  if (order.stage == TransferStage::kPrepare) kept->prepare();
}

void Host::settle() {
  for (const auto& [vm, runner] : runners_) runner->settle();
}

void Host::stop_guests() {
  senders_.clear();
  receivers_.clear();
  for (const auto& [vm, runner] : runners_) runner->stop();
  world_.observer.memory_used(self_, used_bytes_, memory_bytes_);
}

bool Host::crash_guest(const std::string& vm) {
  GuestRunner* hit = runner(vm);
  return hit != nullptr && hit->crash();
}

void Host::dirty_rate_changed(const std::string& vm) {
  if (GuestRunner* hit = runner(vm)) hit->dirty_rate_changed();
}

// ---- A stopped process --------------------------------------------------------------------------

void Host::suspend() {
  is_suspended_ = true;
  settle();
}

void Host::resume() {
  is_suspended_ = false;
  settle();
  while (!postponed_.empty() && !is_suspended_) {
    std::function<void()> action = std::move(postponed_.front());
    postponed_.pop_front();
    action();
  }
}

void Host::run(std::function<void()> action) {
  if (is_suspended_) {
    postponed_.push_back(std::move(action));
  } else {
    action();
  }
}

// ---- For guests and transfers -------------------------------------------------------------------

void Host::later(Duration delay, std::function<void()> action) {
  world_.queue.after(delay, [weak = weak_from_this(), action = std::move(action)]() mutable {
    if (const std::shared_ptr<Host> host = weak.lock()) host->run(std::move(action));
  });
}

void Host::ask_volume(pb::VolumeRequest request,
                      std::function<void(const pb::VolumeReply*)> answered) {
  world_.volume.ask(
      self_, incarnation_, std::move(request),
      [weak = weak_from_this(), answered = std::move(answered)](const pb::VolumeReply* reply) {
        const std::shared_ptr<Host> host = weak.lock();
        if (host == nullptr) return;
        if (!host->is_suspended_) return answered(reply);
        auto kept = reply == nullptr ? nullptr : std::make_shared<pb::VolumeReply>(*reply);
        host->postponed_.push_back([answered, kept] { answered(kept.get()); });
      });
}

std::uint64_t Host::connection_to(NodeId peer) const {
  return world_.network.breaks(self_, peer, Traffic::kData);
}

void Host::send_data(NodeId peer, std::uint64_t bytes, std::function<void(Host&)> arrive,
                     std::function<void()> lost) {
  auto broken = [weak = weak_from_this(), lost = std::move(lost)] {
    if (const std::shared_ptr<Host> host = weak.lock()) host->run(lost);
  };
  const std::shared_ptr<Host> connected = world_.host_of(peer);
  world_.network.send_stream(
      self_, peer,
      Parcel{Traffic::kData,
             [weak = std::weak_ptr<Host>(connected), arrive = std::move(arrive), broken] {
               const std::shared_ptr<Host> target = weak.lock();
               if (target == nullptr) return broken();
               target->run([arrive, host = target.get()] { arrive(*host); });
             },
             broken, bytes});
}

bool Host::reserve(std::uint64_t bytes) {
  const std::uint64_t taken = used_bytes_ + machine_.faults.taken_bytes();
  if (taken > memory_bytes_ || bytes > memory_bytes_ - taken) return false;
  used_bytes_ += bytes;
  world_.observer.memory_used(self_, used_bytes_, memory_bytes_);
  return true;
}

void Host::release(std::uint64_t bytes) {
  used_bytes_ -= bytes;
}

GuestRunner* Host::runner(const std::string& vm) {
  const auto found = runners_.find(vm);
  return found == runners_.end() ? nullptr : found->second.get();
}

Sender* Host::sender(const std::string& vm, TaskId job, std::uint64_t attempt) {
  const auto found = senders_.find(vm);
  if (found == senders_.end() || !found->second || !found->second->is(job, attempt)) return nullptr;
  return found->second.get();
}

Receiver* Host::receiver(const std::string& vm, TaskId job, std::uint64_t attempt) {
  const auto found = receivers_.find(vm);
  if (found == receivers_.end() || !found->second || !found->second->is(job, attempt))
    return nullptr;
  return found->second.get();
}

bool Host::keeps_pages(const std::string& vm, TaskId held_by, std::uint64_t bytes) {
  if (held_by == 0 || !has_sender(vm, held_by)) return false;
  PageServer* server = senders_.at(vm)->server();
  if (server == nullptr) return false;
  server->keep_memory(bytes);
  return true;
}

bool Host::has_sender(const std::string& vm, TaskId job) const {
  const auto found = senders_.find(vm);
  return found != senders_.end() && found->second != nullptr && found->second->job() == job;
}

// ---- For checkers -------------------------------------------------------------------------------

invariants::Holdings Host::holdings() const {
  invariants::Holdings holdings;
  holdings.node = self_;
  holdings.memory_bytes = used_bytes_;
  for (const auto& [vm, runner] : runners_) {
    if (runner->guest() == nullptr) continue;
    holdings.guests.push_back({vm, runner->boot_id(), runner->is_held()});
  }
  for (const auto& [vm, sender] : senders_) {
    if (sender != nullptr) holdings.transfers.push_back({vm, sender->job()});
  }
  for (const auto& [vm, receiver] : receivers_) {
    if (receiver != nullptr) holdings.transfers.push_back({vm, receiver->job()});
  }
  return holdings;
}

bool Host::has_guest(const std::string& vm) const {
  const auto found = runners_.find(vm);
  return found != runners_.end() && found->second->guest() != nullptr;
}

std::uint64_t Host::counter(const std::string& vm) const {
  const auto found = runners_.find(vm);
  if (found == runners_.end() || found->second->guest() == nullptr) return 0;
  return found->second->guest()->counter();
}

bool Host::is_executing(const std::string& vm) const {
  const auto found = runners_.find(vm);
  return found != runners_.end() && found->second->is_executing();
}

}  // namespace failsim::sim
