#include "storage/volume_memory.h"

#include <cassert>
#include <utility>

namespace failsim {

void VolumeMemory::crash(std::size_t keep) {
  assert(keep <= unsynced_.size());
  for (std::size_t i = 0; i < keep; ++i) perform(unsynced_[i], synced_);
  unsynced_.clear();
  live_ = synced_;
  changes_left_.reset();
}

Result<VolumeContents> VolumeMemory::load() {
  if (changes_left_ == 0) return no_power();
  VolumeContents contents;
  contents.recovery_epoch = live_.recovery_epoch;
  for (const auto& [name, files] : live_.vms) {
    VolumeVm vm;
    for (const Line& line : files.journal) {
      if (line.counter == 0) vm.epoch = line.epoch;
      if (line.counter != 0) vm.last_counter = line.counter;
    }
    vm.state_bytes = files.state.size();
    vm.partial_bytes = files.partial.size();
    contents.vms.emplace(name, vm);
  }
  return contents;
}

std::optional<Error> VolumeMemory::append(const std::string& vm, const pb::JournalRecord& record) {
  return change({Kind::kAppend, vm, line_of(record), 0, {}});
}

std::optional<Error> VolumeMemory::write_partial(const std::string& vm, std::uint64_t offset,
                                                 std::string_view data) {
  return change({Kind::kWritePartial, vm, {}, offset, std::string(data)});
}

std::optional<Error> VolumeMemory::publish_state(const std::string& vm) {
  return change({Kind::kPublish, vm, {}, 0, {}});
}

Result<std::string> VolumeMemory::read_state(const std::string& vm, std::uint64_t offset,
                                             std::uint64_t bytes) {
  if (changes_left_ == 0) return no_power();
  const std::string& state = live_.vms[vm].state;
  assert(offset + bytes <= state.size());
  return state.substr(offset, bytes);
}

std::optional<Error> VolumeMemory::reset(const std::string& vm, const pb::JournalRecord& record) {
  return change({Kind::kReset, vm, line_of(record), 0, {}});
}

std::optional<Error> VolumeMemory::set_recovery_epoch(std::uint64_t recovery_epoch) {
  return change({Kind::kRecoveryEpoch, {}, {}, recovery_epoch, {}});
}

std::optional<Error> VolumeMemory::sync() {
  if (unsynced_.empty() && changes_left_ != 0) return std::nullopt;
  if (auto error = spend_power()) return error;
  for (const Change& change : unsynced_) perform(change, synced_);
  unsynced_.clear();
  return std::nullopt;
}

Result<std::vector<pb::JournalRecord>> VolumeMemory::journal(const std::string& vm) {
  std::vector<pb::JournalRecord> records;
  const auto found = live_.vms.find(vm);
  if (found == live_.vms.end()) return records;
  records.reserve(found->second.journal.size());
  for (const Line& line : found->second.journal) {
    pb::JournalRecord& record = records.emplace_back();
    record.mutable_epoch()->set_recovery(line.epoch.recovery);
    record.mutable_epoch()->set_counter(line.epoch.counter);
    record.set_counter(line.counter);
    record.set_boot_id(line.boot_id);
  }
  return records;
}

VolumeMemory::Line VolumeMemory::line_of(const pb::JournalRecord& record) {
  return {
      {record.epoch().recovery(), record.epoch().counter()}, record.counter(), record.boot_id()};
}

void VolumeMemory::perform(const Change& change, Image& image) {
  if (change.kind == Kind::kRecoveryEpoch) {
    image.recovery_epoch = change.number;
    return;
  }
  Files& files = image.vms[change.vm];
  switch (change.kind) {
    case Kind::kAppend:
      files.journal.push_back(change.line);
      break;
    case Kind::kWritePartial:
      files.partial.resize(change.number);
      files.partial += change.data;
      break;
    case Kind::kPublish:
      files.state = std::exchange(files.partial, {});
      break;
    case Kind::kReset:
      files = Files{{change.line}, {}, {}};
      break;
    case Kind::kRecoveryEpoch:
      break;
  }
}

std::optional<Error> VolumeMemory::change(Change change) {
  if (auto error = spend_power()) return error;
  perform(change, live_);
  unsynced_.push_back(std::move(change));
  return std::nullopt;
}

std::optional<Error> VolumeMemory::spend_power() {
  if (!changes_left_) return std::nullopt;
  if (*changes_left_ == 0) return no_power();
  --*changes_left_;
  return std::nullopt;
}

Error VolumeMemory::no_power() const {
  return {Code::kWriteFault, "The disk of the shared volume has no power.",
          "Wait until it is started again."};
}

}  // namespace failsim
