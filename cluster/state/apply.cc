#include "cluster/state/apply.h"

#include <cassert>
#include <utility>

#include "cluster/state/change.h"
#include "cluster/state/migration_queue.h"

namespace failsim {
namespace {

void perform(Change& change, const pb::Request& request) {
  switch (request.body_case()) {
    case pb::Request::kCreateVm:
      return apply_create_vm(change, request.create_vm());
    case pb::Request::kDeleteVm:
      return apply_delete_vm(change, request.delete_vm());
    case pb::Request::kVmMethod:
      return apply_vm_method(change, request.vm_method());
    case pb::Request::kMigrate:
      return apply_migrate(change, request.migrate());
    case pb::Request::kCancelMigration:
      return apply_cancel_migration(change, request.cancel_migration());
    case pb::Request::kRequestStateChange:
      return apply_request_state_change(change, request.request_state_change());
    case pb::Request::kSetProperty:
      return apply_set_property(change, request.set_property());
    case pb::Request::kCancelTask:
      return apply_cancel_task(change, request.cancel_task());
    case pb::Request::kNoteFault:
      return apply_note_fault(change, request.note_fault());
    case pb::Request::BODY_NOT_SET:
      return change.refuse({Code::kInvalidParameter, "The request asks for nothing.",
                            "Send a request with a body this version knows."});
  }
}

// A repeated request is answered with its first answer and performed once.
void apply_request(Change& change, const pb::Request& request) {
  const pb::Reply* known = change.state().reply(request.client(), request.sequence());
  if (known != nullptr && !change.makes(Mistake::kForgetReplies)) {
    change.applied().reply = *known;
    return;
  }
  perform(change, request);
  assert(change.applied().reply.has_value());
  pb::StoredReply stored;
  stored.set_client(request.client());
  stored.set_sequence(request.sequence());
  stored.set_order(change.index());
  *stored.mutable_reply() = *change.applied().reply;
  change.state().put(std::move(stored));
  change.state().trim_replies(kRepliesKept);
}

}  // namespace

Applied apply(ClusterState& state, const pb::Command& command, Index index, Mistakes mistakes) {
  Change change(state, command, index, mistakes);
  switch (command.body_case()) {
    case pb::Command::kRequest:
      apply_request(change, command.request());
      break;
    case pb::Command::kNodeJoined:
      apply_node_joined(change, command.node_joined());
      break;
    case pb::Command::kNodeDown:
      apply_node_down(change, command.node_down());
      break;
    case pb::Command::kNodeUp:
      apply_node_up(change, command.node_up());
      break;
    case pb::Command::kFailover:
      apply_failover(change, command.failover());
      break;
    case pb::Command::kVmStep:
      apply_vm_step(change, command.vm_step());
      break;
    case pb::Command::kVmStepFailed:
      apply_vm_step_failed(change, command.vm_step_failed());
      break;
    case pb::Command::kAdvanceMigration:
      apply_advance_migration(change, command.advance_migration());
      break;
    case pb::Command::kCompleteMigration:
      apply_complete_migration(change, command.complete_migration());
      break;
    case pb::Command::kAbortMigration:
      apply_abort_migration(change, command.abort_migration());
      break;
    case pb::Command::kFinishMigration:
      apply_finish_migration(change, command.finish_migration());
      break;
    case pb::Command::kReportDigest:
      apply_report_digest(change, command.report_digest());
      break;
    case pb::Command::kReportNotConverging:
      apply_report_not_converging(change, command.report_not_converging());
      break;
    case pb::Command::kPagesComplete:
      apply_pages_complete(change, command.pages_complete());
      break;
    case pb::Command::kKeepRounds:
      apply_keep_rounds(change, command.keep_rounds());
      break;
    case pb::Command::kLowerLeaseBound:
      apply_lower_lease_bound(change, command.lower_lease_bound());
      break;
    case pb::Command::kCheckState:
      break;  // about the state, not of it: the member compares
    case pb::Command::BODY_NOT_SET:
      // A command of a newer version: skipping it would fork the state. Fail-stop.
      assert(command.body_case() != pb::Command::BODY_NOT_SET);
      break;
  }
  if (change.slots_noted()) begin_waiting_migrations(change);
  return std::move(change.applied());
}

}  // namespace failsim
