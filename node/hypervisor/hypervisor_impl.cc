#include "node/hypervisor/hypervisor_impl.h"

#include <utility>

#include "cluster/migration/told_habit.h"

namespace failsim::node {
namespace {

constexpr unsigned kWorkers = 2;

bool is_same(const TransferOrder& a, const TransferOrder& b) {
  return a.job == b.job && a.attempt == b.attempt && a.role == b.role;
}

}  // namespace

Result<std::unique_ptr<Hypervisor>> Hypervisor::open(const HypervisorConfig& config,
                                                     Report report) {
  HypervisorSeams seams;
  seams.volume =
      connect_volume(config.volume_address, config.volume_port, {config.self, config.incarnation});
  if (config.faults != nullptr) seams.volume = config.faults->around(std::move(seams.volume));
  Result<std::unique_ptr<HypervisorImpl>> opened =
      HypervisorImpl::open(config, std::move(seams), std::move(report));
  if (!opened.ok()) return opened.error();
  return std::unique_ptr<Hypervisor>(opened.take());
}

Result<std::unique_ptr<HypervisorImpl>> HypervisorImpl::open(const HypervisorConfig& config,
                                                             HypervisorSeams seams, Report report) {
  std::unique_ptr<HypervisorImpl> hypervisor(
      new HypervisorImpl(config, std::move(seams), std::move(report)));
  HypervisorImpl* self = hypervisor.get();
  Result<std::unique_ptr<DataListener>> listener = DataListener::open(
      config.address, config.data_port,
      [self](const pb::TransferHello& hello, Fd& socket) { return self->accept(hello, socket); });
  if (!listener.ok()) return listener.error();
  hypervisor->listener_ = listener.take();
  return hypervisor;
}

HypervisorImpl::HypervisorImpl(const HypervisorConfig& config, HypervisorSeams seams, Report report)
    : config_(config),
      seams_(std::move(seams)),
      report_(std::move(report)),
      budget_(config.memory_bytes),
      workers_(kWorkers),
      kept_(budget_, workers_) {
  scheduler_ = std::make_unique<GuestScheduler>(
      node_name(config.self), budget_, workers_, kept_, *seams_.volume,
      [this](const GuestReport& guest) { report_(guest); }, transfer_reporter(),
      [this](const std::string& vm, TaskId job, std::uint64_t attempt, std::string& why) {
        return take_image(vm, job, attempt, why);
      },
      config.faults, config.observations);
}

HypervisorImpl::~HypervisorImpl() {
  stop_guests();
  scheduler_.reset();
}

// ---- orders -------------------------------------------------------------------------------------

void HypervisorImpl::order(const GuestOrder& order) {
  scheduler_->order(order);
}

void HypervisorImpl::set_lease(Time until) {
  scheduler_->set_lease(until);
}

void HypervisorImpl::order(const TransferOrder& order) {
  const std::lock_guard lock(mutex_);
  if (stopped_.load()) return;
  if (order.stage == TransferStage::kDrop) {
    drop(order);
  } else {
    begin_or_advance(order);
  }
}

void HypervisorImpl::begin_or_advance(const TransferOrder& order) {
  const auto found = transfers_.find(order.vm);
  if (found != transfers_.end() && !is_same(found->second.order(), order)) {
    const TransferOrder former = found->second.order();  // a copy: the drop ends its transfer
    drop(former);
  }
  Transfer& transfer = transfers_[order.vm];
  if (order.role == TransferRole::kTarget) {
    if (transfer.target == nullptr) {
      start_target(order);
    } else {
      transfer.target->repeat_report();
    }
    return;
  }
  const bool is_new = transfer.source == nullptr;
  if (is_new) start_source(order);
  transfer.source->suspend(order.is_suspended);
  transfer.source->limit_bandwidth(order.parameters.bandwidth_bytes_per_second());
  if (order.stage == TransferStage::kFinish) {
    transfer.source->finish(order.post_copy);
  } else if (!is_new) {
    transfer.source->repeat_report();
  }
}

void HypervisorImpl::start_source(const TransferOrder& order) {
  SourceRoute route;
  route.cluster_id = config_.cluster_id;
  route.node = node_name(config_.self);
  route.local_address = config_.address;
  route.peer = node_name(order.peer);
  route.peer_address = config_.peer_address(order.peer);
  route.port = config_.data_port;
  route.peer_id = order.peer;
  route.faults = config_.faults;
  const auto link = link_rates_.find(order.peer);
  if (link != link_rates_.end()) route.link_bytes_per_second = link->second;
  auto source = std::make_shared<TransferSource>(order, std::move(route), *scheduler_,
                                                 transfer_reporter(), config_.observations);
  transfers_[order.vm].source = source;
  note_transfer(order, true);
  threads_.spawn([source] { source->run(); });
}

void HypervisorImpl::start_target(const TransferOrder& order) {
  TransferTarget::Site site;
  site.cluster_id = config_.cluster_id;
  site.node = node_name(config_.self);
  site.peer = node_name(order.peer);
  site.image_fault = seams_.image_fault;
  site.peer_id = order.peer;
  site.faults = config_.faults;
  site.kept = &kept_;
  auto target = std::make_shared<TransferTarget>(order, std::move(site), budget_, workers_,
                                                 transfer_reporter());
  transfers_[order.vm].target = target;
  note_transfer(order, true);
  threads_.spawn([target] { target->run(); });
}

// The local side ends at once, whatever the peer does. At the source the hold of the guest can be
// ended by the next order for it, because this is how a committed abort looks from here.
void HypervisorImpl::drop(const TransferOrder& order) {
  const auto found = transfers_.find(order.vm);
  const bool known = found != transfers_.end() && found->second.order().job == order.job &&
                     found->second.order().attempt == order.attempt;
  if (known) {
    note_transfer(found->second.order(), false);
    if (found->second.source != nullptr) learn_link(*found->second.source);
    found->second.drop();
    transfers_.erase(found);
  }
  if (order.role == TransferRole::kTarget && order.post_copy) {
    scheduler_->with_guest(order.vm, order.boot_id, [](Guest* guest) {
      if (guest != nullptr) guest->lose_pages();
    });
  }
  if (order.role == TransferRole::kSource) {
    scheduler_->with_guest(order.vm, order.boot_id,
                           [job = order.job, attempt = order.attempt](Guest* guest) {
                             if (guest != nullptr) guest->drop_hold(job, attempt);
                           });
  }
}

void HypervisorImpl::learn_link(const TransferSource& source) {
  const TransferOrder& order = source.order();
  const std::uint64_t rate = source.shown().statistics().sent_bytes_per_second();
  const bool is_telling =
      !order.config.modelled() && rate > 0 && order.parameters.bandwidth_bytes_per_second() == 0;
  if (is_telling) link_rates_[order.peer] = rate;
}

void HypervisorImpl::Transfer::drop() {
  if (source != nullptr) source->drop();
  if (target != nullptr) target->drop();
}

void HypervisorImpl::stop_guests() {
  {
    const std::lock_guard lock(mutex_);
    stopped_.store(true);
    for (auto& [vm, transfer] : transfers_) transfer.drop();
    transfers_.clear();
  }
  scheduler_->stop();
  if (listener_ != nullptr) listener_->stop();
  threads_.join_all();
  seams_.volume->stop();
  kept_.drop_all();
  workers_.stop();
}

// ---- what others ask for ------------------------------------------------------------------------

bool HypervisorImpl::accept(const pb::TransferHello& hello, Fd& socket) {
  const std::lock_guard lock(mutex_);
  const auto found = transfers_.find(hello.vm());
  if (found == transfers_.end() || found->second.target == nullptr) return false;
  return found->second.target->accept(hello, socket);
}

std::optional<Image> HypervisorImpl::take_image(const std::string& vm, TaskId job,
                                                std::uint64_t attempt, std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = transfers_.find(vm);
  const bool here = found != transfers_.end() && found->second.target != nullptr &&
                    found->second.order().job == job && found->second.order().attempt == attempt;
  if (here) return found->second.target->take_image(why);
  why = "the image of VM '" + vm + "' from job " + std::to_string(job) + ", attempt " +
        std::to_string(attempt) + ", is not on " + node_name(config_.self) +
        "; the VM has to be started afresh";
  return std::nullopt;
}

pb::PeerMessage::LiveReply HypervisorImpl::live(const std::string& vm, NodeId target) const {
  pb::PeerMessage::LiveReply reply;
  const std::shared_ptr<const GuestView> view = scheduler_->view(vm);
  if (view != nullptr && view->exists.load()) {
    reply.set_has_guest(true);
    reply.set_counter(view->counter.load());
    reply.set_boot_id(view->boot_id.load());
    if (const auto habit = view->habit(boottime_now())) tell_habit(*habit, reply);
    reply.set_executing(!stopped_.load() && view->runnable.load() && scheduler_->leased());
  }
  const std::lock_guard lock(mutex_);
  const auto link = link_rates_.find(target);
  if (link != link_rates_.end()) reply.set_link_bytes_per_second(link->second);
  const auto found = transfers_.find(vm);
  if (found == transfers_.end() || found->second.source == nullptr) return reply;
  const SourceReports& shown = found->second.source->shown();
  reply.set_has_transfer(true);
  reply.set_migration_progress(shown.percent());
  *reply.mutable_statistics() = shown.statistics();
  reply.set_bytes_remaining(reply.statistics().remaining_bytes());
  for (const pb::MigrationRound& round : shown.rounds()) {
    *reply.add_rounds() = round;
  }
  return reply;
}

void HypervisorImpl::note_transfer(const TransferOrder& order, bool held) const {
  if (config_.observations == nullptr) return;
  pb::Observation observation;
  auto& noted = *observation.mutable_transfer_held();
  noted.set_vm(order.vm);
  noted.set_job(order.job);
  noted.set_is_source(order.role == TransferRole::kSource);
  noted.set_held(held);
  config_.observations->note(std::move(observation));
}

ReportTransfer HypervisorImpl::transfer_reporter() {
  return [this](const TransferReport& report) { report_(report); };
}

}  // namespace failsim::node
