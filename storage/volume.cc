#include "storage/volume.h"

#include <algorithm>
#include <utility>

namespace failsim {
namespace {

Epoch epoch_of(const pb::Epoch& epoch) {
  return {epoch.recovery(), epoch.counter()};
}

pb::VolumeReply refusal(Code code, std::string message) {
  pb::VolumeReply reply;
  reply.set_code(static_cast<std::uint32_t>(code));
  reply.set_message(std::move(message));
  return reply;
}

void describe(const VolumeVm& vm, pb::VolumeReply& reply) {
  reply.set_last_counter(vm.last_counter);
  reply.set_state_size(vm.state_bytes);
  reply.mutable_epoch()->set_recovery(vm.epoch.recovery);
  reply.mutable_epoch()->set_counter(vm.epoch.counter);
}

pb::JournalRecord record_of(const Epoch& epoch, std::uint64_t counter, std::uint64_t boot_id) {
  pb::JournalRecord record;
  record.mutable_epoch()->set_recovery(epoch.recovery);
  record.mutable_epoch()->set_counter(epoch.counter);
  record.set_counter(counter);
  record.set_boot_id(boot_id);
  return record;
}

// A name becomes part of file names, unchanged.
bool is_valid_name(const std::string& name) {
  if (name.empty() || name.size() > kVolumeNameBytesMax || name[0] == '.') return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || c == 0x7f || (c >= 0 && c < 0x20); });
}

}  // namespace

Result<std::unique_ptr<Volume>> Volume::open(VolumeDisk& disk, Mistakes mistakes) {
  Result<VolumeContents> contents = disk.load();
  if (!contents) return contents.error();
  return std::unique_ptr<Volume>(new Volume(disk, contents.take(), mistakes));
}

Volume::Volume(VolumeDisk& disk, VolumeContents contents, Mistakes mistakes)
    : disk_(disk), mistakes_(mistakes), contents_(std::move(contents)) {
  // A registration may have reached the disk without the raise that was to be synced with it.
  for (const auto& [name, vm] : contents_.vms) {
    contents_.recovery_epoch = std::max(contents_.recovery_epoch, vm.epoch.recovery);
  }
}

std::vector<pb::VolumeReply> Volume::handle_batch(const std::vector<pb::VolumeRequest>& requests) {
  std::vector<pb::VolumeReply> replies;
  replies.reserve(requests.size());
  for (const pb::VolumeRequest& request : requests) replies.push_back(perform(request));

  if (!failure_) {
    if (std::optional<Error> error = disk_.sync()) failure_ = std::move(error);
  }
  // A refusal rests on what may be lost as much as a success does: nothing of the batch is said.
  if (failure_) std::fill(replies.begin(), replies.end(), broken(*failure_));
  for (std::size_t i = 0; i < requests.size(); ++i) replies[i].set_token(requests[i].token());
  return replies;
}

pb::VolumeReply Volume::handle(const pb::VolumeRequest& request) {
  return handle_batch({request}).front();
}

const VolumeVm* Volume::vm(const std::string& name) const {
  const auto found = contents_.vms.find(name);
  return found == contents_.vms.end() ? nullptr : &found->second;
}

Result<std::vector<pb::JournalRecord>> Volume::journal(const std::string& vm) const {
  return disk_.journal(vm);
}

pb::VolumeReply Volume::perform(const pb::VolumeRequest& request) {
  if (failure_) return broken(*failure_);
  if (request.has_raise_recovery_epoch()) return raise_recovery_epoch(request);

  if (!is_valid_name(request.vm())) {
    return refusal(Code::kInvalidData,
                   "The shared volume keeps no files for a VM with this name: a name has 1 to " +
                       std::to_string(kVolumeNameBytesMax) +
                       " bytes, no '/' and no control character, and does not begin with '.'.");
  }
  const Epoch epoch = epoch_of(request.epoch());
  if (epoch.recovery < contents_.recovery_epoch) {
    return refusal(Code::kAccessDenied, "The shared volume refuses epoch " + to_string(epoch) +
                                            " of VM '" + request.vm() +
                                            "': its recovery epoch is " +
                                            std::to_string(contents_.recovery_epoch) + ".");
  }
  const VolumeVm* known = vm(request.vm());
  if (known != nullptr && epoch < known->epoch) {
    pb::VolumeReply reply =
        refusal(Code::kAccessDenied, "The shared volume refuses epoch " + to_string(epoch) +
                                         " of VM '" + request.vm() + "': epoch " +
                                         to_string(known->epoch) + " is registered.");
    describe(*known, reply);
    return reply;
  }
  return perform_for_vm(request, epoch);
}

// The epoch is not older than the one registered.
pb::VolumeReply Volume::perform_for_vm(const pb::VolumeRequest& request, const Epoch& epoch) {
  if (request.has_register_()) return register_epoch(request, epoch);
  if (request.has_delete_files()) return delete_files(request, epoch);

  if (mistakes_.has(Mistake::kRegisterAtFirstWrite)) register_epoch(request, epoch);
  const auto found = contents_.vms.find(request.vm());
  if (found == contents_.vms.end() || found->second.epoch != epoch) {
    const std::string registered =
        found == contents_.vms.end() ? "none is" : to_string(found->second.epoch) + " is";
    return refusal(Code::kAccessDenied, "The shared volume refuses epoch " + to_string(epoch) +
                                            " of VM '" + request.vm() +
                                            "': it is not registered, " + registered + ".");
  }
  switch (request.body_case()) {
    case pb::VolumeRequest::kAppend:
      return append(request, found->second);
    case pb::VolumeRequest::kWriteState:
      return write_state(request, found->second);
    case pb::VolumeRequest::kReadState:
      return read_state(request, found->second);
    default:
      return refusal(Code::kInvalidData, "The shared volume does not know this request.");
  }
}

pb::VolumeReply Volume::register_epoch(const pb::VolumeRequest& request, const Epoch& epoch) {
  if (std::optional<pb::VolumeReply> refused = raise_to(epoch.recovery)) return *refused;
  const auto [found, is_new] = contents_.vms.try_emplace(request.vm());
  VolumeVm& vm = found->second;
  const bool is_late = request.has_register_() && mistakes_.has(Mistake::kRegisterAtFirstWrite);
  if ((is_new || epoch != vm.epoch) && !is_late) {
    if (auto error = disk_.append(request.vm(), record_of(epoch, 0, 0))) return broken(*error);
    vm.epoch = epoch;
  }
  pb::VolumeReply reply;
  describe(vm, reply);
  return reply;
}

pb::VolumeReply Volume::append(const pb::VolumeRequest& request, VolumeVm& vm) {
  const std::uint64_t counter = request.append().counter();
  const bool repeated = counter == vm.last_counter && counter != 0;
  if (!repeated && counter != vm.last_counter + 1) {
    pb::VolumeReply reply =
        refusal(Code::kInvalidData, "The journal of VM '" + request.vm() + "' ends with counter " +
                                        std::to_string(vm.last_counter) + ": it refuses counter " +
                                        std::to_string(counter) + ".");
    describe(vm, reply);
    return reply;
  }
  if (!repeated) {
    const pb::JournalRecord record = record_of(vm.epoch, counter, request.append().boot_id());
    if (auto error = disk_.append(request.vm(), record)) return broken(*error);
    vm.last_counter = counter;
  }
  pb::VolumeReply reply;
  describe(vm, reply);
  return reply;
}

pb::VolumeReply Volume::write_state(const pb::VolumeRequest& request, VolumeVm& vm) {
  const pb::VolumeRequest::WriteState& piece = request.write_state();
  const bool too_long = piece.data().size() > kVolumePieceBytesMax;
  if (too_long || (piece.data().empty() && piece.last() && piece.offset() == 0)) {
    return refusal(Code::kInvalidData,
                   "A piece of the saved state of VM '" + request.vm() + "' has " +
                       std::to_string(piece.data().size()) +
                       " bytes: a saved state is not empty and a piece has at most " +
                       std::to_string(kVolumePieceBytesMax) + " bytes.");
  }
  if (piece.offset() > vm.partial_bytes) {
    if (already_published(request, vm)) {
      pb::VolumeReply reply;
      describe(vm, reply);
      return reply;
    }
    if (failure_) return broken(*failure_);
    return refusal(Code::kInvalidData,
                   "The saved state of VM '" + request.vm() + "' is written up to byte " +
                       std::to_string(vm.partial_bytes) + ": it refuses a piece at " +
                       std::to_string(piece.offset()) + ".");
  }

  if (auto error = disk_.write_partial(request.vm(), piece.offset(), piece.data())) {
    return broken(*error);
  }
  vm.partial_bytes = piece.offset() + piece.data().size();
  if (piece.last()) {
    if (auto error = disk_.publish_state(request.vm())) return broken(*error);
    vm.state_bytes = std::exchange(vm.partial_bytes, 0);
  }
  pb::VolumeReply reply;
  describe(vm, reply);
  return reply;
}

// The last piece again, because its acknowledgement was lost.
bool Volume::already_published(const pb::VolumeRequest& request, const VolumeVm& vm) {
  const pb::VolumeRequest::WriteState& piece = request.write_state();
  if (!piece.last() || vm.partial_bytes != 0) return false;
  if (piece.offset() + piece.data().size() != vm.state_bytes) return false;
  Result<std::string> stored = disk_.read_state(request.vm(), piece.offset(), piece.data().size());
  if (!stored) {
    failure_ = stored.error();
    return false;
  }
  return stored.value() == piece.data();
}

pb::VolumeReply Volume::read_state(const pb::VolumeRequest& request, const VolumeVm& vm) {
  pb::VolumeReply reply;
  describe(vm, reply);
  if (vm.state_bytes == 0) {
    reply.set_code(static_cast<std::uint32_t>(Code::kNotFound));
    reply.set_message("VM '" + request.vm() + "' has no saved state on the shared volume.");
    return reply;
  }
  const std::uint64_t offset = std::min(request.read_state().offset(), vm.state_bytes);
  const std::uint64_t bytes =
      std::min({std::uint64_t{request.read_state().length()}, vm.state_bytes - offset,
                std::uint64_t{kVolumePieceBytesMax}});
  Result<std::string> data = disk_.read_state(request.vm(), offset, bytes);
  if (!data) return broken(data.error());
  reply.set_data(data.take());
  return reply;
}

pb::VolumeReply Volume::delete_files(const pb::VolumeRequest& request, const Epoch& epoch) {
  if (std::optional<pb::VolumeReply> refused = raise_to(epoch.recovery)) return *refused;
  const auto found = contents_.vms.find(request.vm());
  if (found == contents_.vms.end()) return pb::VolumeReply();
  if (auto error = disk_.reset(request.vm(), record_of(epoch, 0, 0))) return broken(*error);
  found->second = VolumeVm{epoch, 0, 0, 0};
  pb::VolumeReply reply;
  describe(found->second, reply);
  return reply;
}

pb::VolumeReply Volume::raise_recovery_epoch(const pb::VolumeRequest& request) {
  const std::uint64_t from = request.raise_recovery_epoch().from();
  const std::uint64_t to = request.raise_recovery_epoch().to();
  if (from != contents_.recovery_epoch || to <= from) {
    pb::VolumeReply reply = refusal(
        Code::kAccessDenied,
        "The recovery epoch of the shared volume is " + std::to_string(contents_.recovery_epoch) +
            ": it is not raised from " + std::to_string(from) + " to " + std::to_string(to) + ".");
    reply.mutable_epoch()->set_recovery(contents_.recovery_epoch);
    return reply;
  }
  if (std::optional<pb::VolumeReply> refused = raise_to(to)) return *refused;
  pb::VolumeReply reply;
  reply.mutable_epoch()->set_recovery(contents_.recovery_epoch);
  return reply;
}

std::optional<pb::VolumeReply> Volume::raise_to(std::uint64_t recovery_epoch) {
  if (recovery_epoch <= contents_.recovery_epoch) return std::nullopt;
  if (auto error = disk_.set_recovery_epoch(recovery_epoch)) return broken(*error);
  contents_.recovery_epoch = recovery_epoch;
  return std::nullopt;
}

// The disk failed: now, or earlier.
pb::VolumeReply Volume::broken(const Error& error) {
  if (!failure_) failure_ = error;
  return refusal(Code::kWriteFault, failure_->message);
}

std::optional<std::string> check_journal(const std::vector<pb::JournalRecord>& records) {
  Epoch epoch;
  std::uint64_t counter = 0;
  std::uint64_t boot_id = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const pb::JournalRecord& record = records[i];
    const Epoch written = epoch_of(record.epoch());
    const std::string where = "record " + std::to_string(i + 1) + " of the journal (epoch " +
                              to_string(written) + ", counter " + std::to_string(record.counter()) +
                              ", boot " + std::to_string(record.boot_id()) + ") ";
    if (record.counter() == 0) {
      if (i > 0 && written <= epoch) {
        return where + "registers an epoch that does not exceed " + to_string(epoch);
      }
      if (written.recovery > epoch.recovery) boot_id = 0;
      epoch = written;
      continue;
    }
    if (i == 0) return where + "is written before any registration";
    if (written != epoch) return where + "is not of the registered epoch " + to_string(epoch);
    if (record.counter() != counter + 1) {
      return where + "does not follow counter " + std::to_string(counter);
    }
    if (record.boot_id() < boot_id) {
      return where + "is of a boot before boot " + std::to_string(boot_id);
    }
    counter = record.counter();
    boot_id = record.boot_id();
  }
  return std::nullopt;
}

}  // namespace failsim
