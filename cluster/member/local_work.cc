#include "cluster/member/local_work.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "cluster/migration/bandwidth.h"
#include "cluster/migration/migration_state.h"
#include "cluster/migration/progress.h"
#include "cluster/state/change.h"
#include "cluster/state/job_row.h"

namespace failsim {
namespace {

bool same(const GuestOrder& a, const GuestOrder& b) {
  return a.epoch == b.epoch && a.boot_id == b.boot_id && a.want == b.want && a.origin == b.origin &&
         a.image_job == b.image_job && a.image_attempt == b.image_attempt;
}

std::uint32_t percent_sent(const TransferReport& said) {
  return failsim::percent_sent(said.statistics.bytes_sent(), said.statistics.remaining_bytes());
}

// What a host says of a failure begins and ends as it likes ("the link broke"); people read it
// between other sentences. The name of a node keeps its small letter.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  const std::string_view first_word = std::string_view(text).substr(0, text.find(' '));
  const bool is_name = first_word.find_first_of("0123456789") != std::string_view::npos;
  char& first = text.front();
  if (!is_name && first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
  const char last = text.back();
  if (last != '.' && last != '!' && last != '?') text += '.';
  return text;
}

void add(const TransferReport& said, pb::PeerMessage::Report& out) {
  pb::PeerMessage::Report::Transfer& transfer = *out.add_transfers();
  transfer.set_vm(said.vm);
  transfer.set_job(said.job);
  transfer.set_attempt(said.attempt);
  transfer.set_status(said.status);
  transfer.set_task_result(said.task_result);
  transfer.set_error(sentence(said.error));
  *transfer.mutable_statistics() = said.statistics;
  transfer.mutable_rounds()->Add(said.rounds.begin(), said.rounds.end());
  transfer.set_post_copy(said.post_copy);
}

void add(const GuestReport& said, const ClusterState& state, pb::PeerMessage::Report& out) {
  const pb::Vm* vm = state.vm(said.vm);
  const bool failed =
      said.condition == pb::CONDITION_FAILED || said.condition == pb::CONDITION_IMAGE_LOST;
  if (vm == nullptr || (!vm->has_operation() && !failed)) return;
  pb::PeerMessage::Report::Guest& guest = *out.add_guests();
  guest.set_vm(said.vm);
  set_epoch(guest.mutable_epoch(), said.epoch);
  guest.set_boot_id(said.boot_id);
  guest.set_condition(said.condition);
  guest.set_task_result(said.task_result);
  guest.set_error(sentence(said.error));
}

// A target keeps its transfer after Complete until its image has become the guest and is verified.
bool image_in_use(const pb::Vm& vm, const pb::Task& task) {
  return vm.origin() == pb::ORIGIN_IMAGE && vm.want() != pb::GUEST_ABSENT &&
         task.job().statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
}

}  // namespace

LocalWork::LocalWork(NodeId self, Incarnation incarnation, Mistakes mistakes)
    : self_(self), incarnation_(incarnation), mistakes_(mistakes) {}

bool LocalWork::owns(const pb::Vm& vm) const {
  if (mistakes_.has(Mistake::kInheritOwnership)) return vm.owner() == self_;
  if (mistakes_.has(Mistake::kCompleteWithoutIncarnation) && vm.origin() == pb::ORIGIN_IMAGE) {
    return vm.owner() == self_;
  }
  return vm.owner() == self_ && vm.owner_incarnation() == incarnation_;
}

void LocalWork::reconcile(const ClusterState& state, const std::string& vm,
                          const LeaseHolder& lease, Time now, Effects& out) {
  order_transfers(state, vm, lease, now, out);
  share_bandwidth(state, out);
  order_guest(state, vm, out);
}

// Each transfer that sends may use the same share of what the node may send in all, and never more
// than its own limit.
void LocalWork::share_bandwidth(const ClusterState& state, Effects& out) {
  const auto sends = [](const auto& transfer) {
    return transfer.first.second == TransferRole::kSource && !transfer.second.is_suspended;
  };
  const auto senders = std::count_if(transfers_.begin(), transfers_.end(), sends);
  if (senders == 0) return;
  const std::uint64_t limit =
      state.property(ObjectKind::kNode, state.node(self_)->name(), "MigrationBandwidthLimit")
          .number();
  const std::uint64_t share = bandwidth_share(limit, static_cast<std::uint64_t>(senders));
  for (auto& transfer : transfers_) {
    const pb::Task* task = state.task(transfer.first.first);
    if (!sends(transfer) || task == nullptr) continue;
    const std::uint64_t wanted =
        smaller_bandwidth(task->job().parameters().bandwidth_bytes_per_second(), share);
    TransferOrder& last = transfer.second;
    if (last.parameters.bandwidth_bytes_per_second() == wanted) continue;
    last.parameters.set_bandwidth_bytes_per_second(wanted);
    out.transfers.push_back(last);
  }
}

void LocalWork::lease_changed(const ClusterState& state, const LeaseHolder& lease, Time now,
                              Effects& out) {
  const std::set<std::string> waiting = waiting_for_lease_;
  for (const std::string& vm : waiting) reconcile(state, vm, lease, now, out);
}

void LocalWork::reconcile_all(const ClusterState& state, const LeaseHolder& lease, Time now,
                              Effects& out) {
  std::set<std::string> names;
  for (const auto& [name, vm] : state.vms()) names.insert(name);
  for (const auto& [name, order] : guests_) names.insert(name);
  for (const auto& [key, order] : transfers_) names.insert(order.vm);
  for (const std::string& name : names) reconcile(state, name, lease, now, out);
}

void LocalWork::hold(std::set<TaskId> jobs, const ClusterState& state, const LeaseHolder& lease,
                     Time now, Effects& out) {
  if (jobs == held_) return;
  held_.swap(jobs);
  std::set<TaskId> changed;
  std::set_symmetric_difference(held_.begin(), held_.end(), jobs.begin(), jobs.end(),
                                std::inserter(changed, changed.end()));
  for (const TaskId job : changed) {
    const pb::Task* task = state.task(job);
    if (task != nullptr) reconcile(state, task->job().vm(), lease, now, out);
  }
}

void LocalWork::order_guest(const ClusterState& state, const std::string& name, Effects& out) {
  const pb::Vm* vm = state.vm(name);
  const auto last = guests_.find(name);
  GuestOrder order;
  order.vm = name;
  if (vm != nullptr && owns(*vm)) {
    order.epoch = epoch_of(vm->epoch());
    order.boot_id = vm->boot_id();
    order.want = vm->want();
    order.origin = vm->origin();
    order.image_job = vm->image_job();
    order.image_attempt = vm->image_attempt();
    order.config = vm->config();
  } else {
    // Not ours: no guest may be left of it here.
    if (last == guests_.end()) return;
    order.epoch = last->second.epoch;
    order.boot_id = last->second.boot_id;
    order.config = last->second.config;
    out.guests.push_back(order);
    guests_.erase(last);
    guest_reports_.erase(name);
    reissue_.erase(name);
    return;
  }
  const bool again = reissue_.erase(name) != 0;
  if (last != guests_.end() && same(last->second, order) && !again) return;
  guests_[name] = order;
  guest_reports_.erase(name);  // about the former order
  out.guests.push_back(std::move(order));
}

void LocalWork::order(TransferKey key, TransferOrder order, Effects& out) {
  const auto last = transfers_.find(key);
  if (order.stage == TransferStage::kDrop) {
    if (last == transfers_.end()) return;
    transfers_.erase(last);
    transfer_reports_.erase(key);
    // A released source runs again only by an order given after the drop.
    if (key.second == TransferRole::kSource) reissue_.insert(order.vm);
    out.transfers.push_back(std::move(order));
    return;
  }
  if (last != transfers_.end() && last->second.stage == order.stage &&
      last->second.is_suspended == order.is_suspended) {
    return;
  }
  transfers_[key] = order;
  out.transfers.push_back(std::move(order));
}

// Transfers of this VM that neither the job in flight nor the image under verification needs.
void LocalWork::drop_others(const std::string& vm, TaskId job, TaskId image, Effects& out) {
  std::vector<TransferKey> over;
  for (const auto& [key, last] : transfers_) {
    if (last.vm == vm && key.first != job && key.first != image) over.push_back(key);
  }
  for (const TransferKey& key : over) {
    TransferOrder drop = transfers_[key];
    drop.stage = TransferStage::kDrop;
    order(key, std::move(drop), out);
  }
}

void LocalWork::order_transfers(const ClusterState& state, const std::string& name,
                                const LeaseHolder& lease, Time now, Effects& out) {
  waiting_for_lease_.erase(name);
  const pb::Vm* vm = state.vm(name);
  const pb::Task* task = vm == nullptr ? nullptr : state.job_of(*vm);
  const pb::Task* image = vm == nullptr ? nullptr : state.task(vm->image_job());
  if (image != nullptr && !image_in_use(*vm, *image)) image = nullptr;
  drop_others(name, task == nullptr ? 0 : task->id(), image == nullptr ? 0 : image->id(), out);
  if (task == nullptr) task = image;
  if (task == nullptr) return;

  const pb::MigrationJob& job = task->job();
  TransferOrder wanted;
  wanted.vm = name;
  wanted.job = task->id();
  wanted.attempt = job.attempt();
  wanted.epoch = epoch_of(job.epoch());
  wanted.boot_id = vm->boot_id();
  wanted.config = vm->config();
  wanted.parameters = job.parameters();

  if (job.target() == self_ && job.target_incarnation() == incarnation_) {
    wanted.role = TransferRole::kTarget;
    wanted.peer = job.source();
    const bool ended = job.phase() > static_cast<std::uint32_t>(MigrationState::kMove);
    wanted.stage = ended ? TransferStage::kDrop : TransferStage::kPrepare;
    wanted.post_copy = ended && job.post_copy();
    order({task->id(), TransferRole::kTarget}, wanted, out);
  }
  if (job.source() == self_ && job.source_incarnation() == incarnation_) {
    wanted.role = TransferRole::kSource;
    wanted.peer = job.target();
    wanted.post_copy = job.post_copy();
    switch (migration_state_of(job.phase()).value_or(MigrationState::kNoMigration)) {
      case MigrationState::kSetup:
        return;
      case MigrationState::kDataTransfer:
        wanted.stage = TransferStage::kStream;
        wanted.is_suspended = is_held(job) || held_.contains(task->id());
        break;
      case MigrationState::kMove:
        // The pause begins only under a lease granted after the Move entry.
        wanted.stage =
            lease.covers(job.move_index(), now) ? TransferStage::kFinish : TransferStage::kStream;
        if (wanted.stage == TransferStage::kStream) waiting_for_lease_.insert(name);
        break;
      default:
        wanted.stage = TransferStage::kDrop;
        break;
    }
    const TransferKey key{task->id(), TransferRole::kSource};
    const auto last = transfers_.find(key);
    // Once paused it stays so: a later lease does not matter any more.
    const bool finishing = last != transfers_.end() && last->second.stage == TransferStage::kFinish;
    if (finishing && wanted.stage == TransferStage::kStream) {
      waiting_for_lease_.erase(name);
      return;
    }
    order(key, wanted, out);
  }
}

void LocalWork::take(const GuestReport& report) {
  const auto order = guests_.find(report.vm);
  if (order == guests_.end() || order->second.epoch != report.epoch ||
      order->second.boot_id != report.boot_id) {
    return;
  }
  guest_reports_[report.vm] = report;
  guest_news_.insert(report.vm);
}

void LocalWork::take(const TransferReport& report) {
  for (const TransferRole role : {TransferRole::kSource, TransferRole::kTarget}) {
    const TransferKey key{report.job, role};
    const auto order = transfers_.find(key);
    if (order == transfers_.end() || order->second.attempt != report.attempt) continue;
    TransferReport& former = transfer_reports_[key];
    if (report.status != former.status || percent_sent(report) != percent_sent(former)) {
      transfer_news_.insert(key);
    }
    former = report;
    return;
  }
}

void LocalWork::row_changed(const std::string& vm) {
  if (guest_reports_.contains(vm)) guest_news_.insert(vm);
  for (const auto& [key, said] : transfer_reports_) {
    if (said.vm == vm) transfer_news_.insert(key);
  }
}

// ---- What is reported ---------------------------------------------------------------------------

pb::PeerMessage::Report LocalWork::report(const ClusterState& state) {
  guest_news_.clear();
  transfer_news_.clear();
  pb::PeerMessage::Report report;
  for (const auto& [name, said] : guest_reports_) add(said, state, report);
  for (const auto& [key, said] : transfer_reports_) add(said, report);
  return report;
}

// A node with very many guests would otherwise name all of them whenever one has started.
pb::PeerMessage::Report LocalWork::report_news(const ClusterState& state) {
  pb::PeerMessage::Report report;
  for (const std::string& name : std::exchange(guest_news_, {})) {
    const auto said = guest_reports_.find(name);
    if (said != guest_reports_.end()) add(said->second, state, report);
  }
  for (const TransferKey& key : std::exchange(transfer_news_, {})) {
    const auto said = transfer_reports_.find(key);
    if (said != transfer_reports_.end()) add(said->second, report);
  }
  return report;
}

}  // namespace failsim
