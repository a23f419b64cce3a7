// How a guest comes into being: fresh, from a saved state, or from an image.
#include <utility>

#include "cluster/error.h"
#include "node/hypervisor/guest.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/page_stamp.h"
#include "node/hypervisor/volume_answer.h"

namespace failsim::node {
namespace {

constexpr Duration kMemoryRetryInterval = 2 * kMillisecond;
constexpr std::uint64_t kStatePieceBytes = 512 * 1024;

}  // namespace

void Guest::build() {
  if (order_.want == pb::GUEST_SAVED) {
    fail(VMTaskResult::kUnexpectedError,
         "VM '" + order_.vm + "' cannot be saved on " + host_.node() + ": it has no guest there");
    return;
  }
  if (order_.origin == pb::ORIGIN_IMAGE) {
    if (!is_refused(HypervisorFaults::Step::kResume)) build_image();
    return;
  }
  if (is_refused(HypervisorFaults::Step::kStart)) return;
  host_.kept_pages().drop(order_.vm);  // of a boot that is over
  if (!reserve()) return;
  phase_ = Phase::kBuilding;
  if (order_.origin == pb::ORIGIN_SAVED_STATE) {
    state_bytes_.clear();
    read_saved_state();
  } else {
    build_fresh();
  }
}

bool Guest::reserve() {
  const std::uint64_t bytes = order_.config.memory_bytes();
  switch (host_.budget().reserve(bytes)) {
    case MemoryBudget::Answer::kGranted:
      memory_ = std::make_shared<GuestMemory>(host_.budget(), bytes);
      return true;
    case MemoryBudget::Answer::kSoon:
      retry(&Guest::advance);
      retry_at_ = boottime_now() + kMemoryRetryInterval;
      host_.wake_at(*this, retry_at_);
      return false;
    case MemoryBudget::Answer::kRefused:
      break;
  }
  fail(VMTaskResult::kOutOfMemoryError, host_.budget().refusal(host_.node(), order_.vm, bytes));
  return false;
}

void Guest::build_fresh() {
  const bool backed = !order_.config.modelled();
  DeviceState state = fresh_device_state(order_.config, order_.boot_id, last_counter_, backed);
  if (backed) {
    stamp_pages(std::move(state));
  } else {
    become_ready(std::move(state));
  }
}

void Guest::read_saved_state() {
  pb::VolumeRequest request;
  request.mutable_read_state()->set_offset(state_bytes_.size());
  request.mutable_read_state()->set_length(kStatePieceBytes);
  submit(std::move(request), [this](const pb::VolumeReply& reply) { on_saved_state(reply); });
}

void Guest::on_saved_state(const pb::VolumeReply& reply) {
  const std::string what = "the saved state of VM '" + order_.vm + "'";
  if (!is(reply, Code::kOk)) {
    if (is(reply, Code::kAccessDenied) || is(reply, Code::kNotFound) ||
        is(reply, Code::kInvalidData)) {
      fail(VMTaskResult::kDiskRelatedError, what + " cannot be read: " + reply.message());
    } else {
      retry(&Guest::read_saved_state);
    }
    return;
  }
  state_bytes_ += reply.data();
  if (state_bytes_.size() < reply.state_size()) {
    if (reply.data().empty()) {
      fail(VMTaskResult::kDiskRelatedError, what + " ends too early on the shared volume");
    } else {
      read_saved_state();
    }
    return;
  }
  std::optional<DeviceState> state = decode_device_state(state_bytes_, order_.config);
  state_bytes_.clear();
  const bool backed = !order_.config.modelled();
  if (!state || state->write_counts.empty() == backed) {
    fail(VMTaskResult::kIncompatibleSavedStateError,
         what + " does not fit its configuration; delete the saved state by turning the VM off");
    return;
  }
  if (backed) {
    stamp_pages(std::move(*state));
  } else {
    become_ready(std::move(*state));
  }
}

void Guest::build_image() {
  std::string why;
  std::optional<Image> image =
      host_.take_image(order_.vm, order_.image_job, order_.image_attempt, why);
  if (!image) {
    fail(VMTaskResult::kUnexpectedError, why, pb::CONDITION_IMAGE_LOST);
    return;
  }
  memory_ = std::move(image->memory);
  DeviceState state = std::move(image->state);
  resumed_ = std::move(*image);
  if (resumed_->presence != nullptr) await_pages();
  become_ready(std::move(state));
}

// Maps the memory and writes every page that has a count, away from the guest thread.
void Guest::stamp_pages(DeviceState state) {
  building_aborted_ = std::make_shared<std::atomic<bool>>(false);
  auto work = [&host = host_, weak = weak_from_this(), memory = memory_,
               aborted = building_aborted_, state = std::move(state)]() mutable {
    bool mapped = memory->map();
    for (std::uint64_t page = 0; mapped && page < memory->pages(); ++page) {
      if (aborted->load(std::memory_order_relaxed)) return;
      const std::uint32_t count = state.write_counts[page];
      if (count != 0) stamp_page(memory->page(page), state.boot_id, page, count);
    }
    memory.reset();
    host.post([weak = std::move(weak), state = std::move(state), mapped]() mutable {
      const std::shared_ptr<Guest> guest = weak.lock();
      if (guest != nullptr && !guest->destroyed_) guest->on_built(std::move(state), mapped);
    });
  };
  host_.workers().run(std::move(work));
}

void Guest::on_built(DeviceState state, bool mapped) {
  building_aborted_.reset();
  if (!mapped) {
    fail(VMTaskResult::kOutOfMemoryError,
         "the host of " + host_.node() + " refused to map the memory of VM '" + order_.vm + "'");
    return;
  }
  become_ready(std::move(state));
}

void Guest::become_ready(DeviceState state) {
  if (state.counter != last_counter_) {
    fail(VMTaskResult::kIncompatibleSavedStateError,
         "the state of VM '" + order_.vm + "' on " + host_.node() + " is at counter " +
             std::to_string(state.counter) + ", but its disk is at " +
             std::to_string(last_counter_) + "; only a fresh start can go on from there",
         pb::CONDITION_IMAGE_LOST);
    return;
  }
  model_.emplace(order_.config, std::move(state));
  view_->counter.store(model_->state().counter);
  view_->exists.store(true);
  phase_ = Phase::kReady;
  advance();
}

}  // namespace failsim::node
