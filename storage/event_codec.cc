#include "storage/event_codec.h"

#include <string>
#include <utility>

namespace failsim {
namespace {

void set(pb::Epoch& to, const Epoch& epoch) {
  to.set_recovery(epoch.recovery);
  to.set_counter(epoch.counter);
}

// One encoder for each alternative of Event, the reports taken apart by name: a new alternative or
// field does not compile until it is encoded.
struct Encoder {
  pb::RecordedEvent& to;

  void operator()(const Tick&) const { to.mutable_tick(); }
  void operator()(const MessageReceived& event) const {
    *to.mutable_message_received() = event.message;
  }
  void operator()(const ClientAsks& event) const {
    to.mutable_client_asks()->set_token(event.token);
    *to.mutable_client_asks()->mutable_request() = event.request;
  }
  void operator()(const ClientReads& event) const {
    to.mutable_client_reads()->set_token(event.token);
  }
  void operator()(const GuestReport& event) const {
    const auto& [vm, epoch, boot_id, condition, task_result, error] = event;
    pb::RecordedEvent::GuestReport& report = *to.mutable_guest_report();
    report.set_vm(vm);
    set(*report.mutable_epoch(), epoch);
    report.set_boot_id(boot_id);
    report.set_condition(condition);
    report.set_task_result(task_result);
    report.set_error(error);
  }
  void operator()(const TransferReport& event) const {
    const auto& [vm, job, attempt, status, task_result, error, statistics, rounds, post_copy] =
        event;
    pb::RecordedEvent::TransferReport& report = *to.mutable_transfer_report();
    report.set_vm(vm);
    report.set_job(job);
    report.set_attempt(attempt);
    report.set_status(status);
    report.set_task_result(task_result);
    report.set_error(error);
    *report.mutable_statistics() = statistics;
    report.mutable_rounds()->Add(rounds.begin(), rounds.end());
    report.set_post_copy(post_copy);
  }
  void operator()(const Persisted& event) const {
    to.mutable_persisted()->set_sequence(event.sequence);
  }
  void operator()(const StorageFailed& event) const {
    to.mutable_storage_failed()->set_reason(event.reason);
  }
  void operator()(const ProcessDied& event) const {
    to.mutable_process_died()->set_node(event.node);
    to.mutable_process_died()->set_instance(event.instance);
  }
  void operator()(const Leaving&) const { to.mutable_leaving(); }
};

GuestReport decode(const pb::RecordedEvent::GuestReport& report) {
  GuestReport event;
  event.vm = report.vm();
  event.epoch = {report.epoch().recovery(), report.epoch().counter()};
  event.boot_id = report.boot_id();
  event.condition = report.condition();
  event.task_result = report.task_result();
  event.error = report.error();
  return event;
}

TransferReport decode(const pb::RecordedEvent::TransferReport& report) {
  TransferReport event;
  event.vm = report.vm();
  event.job = report.job();
  event.attempt = report.attempt();
  event.status = report.status();
  event.task_result = report.task_result();
  event.error = report.error();
  event.statistics = report.statistics();
  event.rounds.assign(report.rounds().begin(), report.rounds().end());
  event.post_copy = report.post_copy();
  return event;
}

}  // namespace

pb::RecordedEvent encode_event(const Event& event) {
  pb::RecordedEvent recorded;
  std::visit(Encoder{recorded}, event);
  return recorded;
}

std::optional<Event> decode_event(const pb::RecordedEvent& recorded) {
  switch (recorded.event_case()) {
    case pb::RecordedEvent::kTick:
      return Tick{};
    case pb::RecordedEvent::kMessageReceived:
      return MessageReceived{recorded.message_received()};
    case pb::RecordedEvent::kClientAsks:
      return ClientAsks{recorded.client_asks().token(), recorded.client_asks().request()};
    case pb::RecordedEvent::kClientReads:
      return ClientReads{recorded.client_reads().token()};
    case pb::RecordedEvent::kGuestReport:
      return decode(recorded.guest_report());
    case pb::RecordedEvent::kTransferReport:
      return decode(recorded.transfer_report());
    case pb::RecordedEvent::kPersisted:
      return Persisted{recorded.persisted().sequence()};
    case pb::RecordedEvent::kStorageFailed:
      return StorageFailed{recorded.storage_failed().reason()};
    case pb::RecordedEvent::kProcessDied:
      return ProcessDied{recorded.process_died().node(), recorded.process_died().instance()};
    case pb::RecordedEvent::kLeaving:
      return Leaving{};
    case pb::RecordedEvent::EVENT_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace failsim
