// How a guest is saved: its state goes to the shared volume in pieces, its memory need not.
#include <utility>

#include "cluster/error.h"
#include "node/hypervisor/guest.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"
#include "node/hypervisor/volume_answer.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kStatePieceBytes = 512 * 1024;

}  // namespace

void Guest::save_piece() {
  if (saved_bytes_ == 0 && is_refused(HypervisorFaults::Step::kSave)) return;
  pb::VolumeRequest request;
  pb::VolumeRequest::WriteState& piece = *request.mutable_write_state();
  const std::uint64_t offset = saved_bytes_;
  const std::string data = state_bytes_.substr(offset, kStatePieceBytes);
  const std::uint64_t end = offset + data.size();
  piece.set_offset(offset);
  piece.set_data(data);
  piece.set_last(end == state_bytes_.size());
  submit(std::move(request),
         [this, end](const pb::VolumeReply& reply) { on_piece_saved(end, reply); });
}

void Guest::on_piece_saved(std::uint64_t end, const pb::VolumeReply& reply) {
  const bool last = end == state_bytes_.size();
  if (!is(reply, Code::kOk)) {
    phase_ = Phase::kReady;
    saved_bytes_ = 0;
    if (is(reply, Code::kAccessDenied)) {
      fail(VMTaskResult::kDiskRelatedError, "the shared volume refused to save VM '" + order_.vm +
                                                "' of " + host_.node() + ": " + reply.message());
      return;
    }
    // The guest is still whole; whoever ordered decides.
    task_result_ = VMTaskResult::kDiskRelatedError;
    error_ = "VM '" + order_.vm + "' could not be saved: " + reply.message();
    set_condition(pb::CONDITION_FAILED);
    return;
  }
  saved_bytes_ = end;
  if (last) {
    saved_bytes_ = 0;
    phase_ = Phase::kGone;
    drop_memory();
    view_->exists.store(false);
    set_condition(pb::CONDITION_SAVED);
  } else if (order_.want != pb::GUEST_SAVED || registered_ != order_.epoch) {
    phase_ = Phase::kReady;
    saved_bytes_ = 0;
    advance();
  } else {
    save_piece();
  }
}

}  // namespace failsim::node
