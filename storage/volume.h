// The cluster shared volume: who may write a VM's files, and what they hold. The same code answers
// in the volume process and in the virtual world; it knows no socket, thread or clock.
//
// For each VM it keeps a journal (registrations of owners, and the guest's counter) and one saved
// state. Rules, in the order in which they are checked:
//   - an epoch whose recovery epoch is below the volume's, or that is older than the one registered
//     for the VM, is refused with kAccessDenied;
//   - Register raises the VM's epoch (and, if it comes from a later recovery epoch, the volume's);
//     the same epoch again is acknowledged without a second record;
//   - Append, WriteState and ReadState need exactly the registered epoch, else kAccessDenied;
//   - Append takes last + 1, acknowledges last again without a second record, and refuses any other
//     counter with kInvalidData; every answer carries the last counter;
//   - WriteState takes pieces in order, a repeated piece again, a gap never (kInvalidData); the new
//     state replaces the old one when the last piece is acknowledged;
//   - DeleteFiles needs the registered epoch or a later one, which it registers; the next counter
//   is
//     then 1 again;
//   - RaiseRecoveryEpoch succeeds only if the volume's is exactly `from` and `to` is greater.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "storage/proto/volume.pb.h"
#include "storage/volume_disk.h"

namespace failsim {

// Limits of one request; a frame that carries one is at most kVolumeFrameBytesMax long.
inline constexpr std::size_t kVolumeFrameBytesMax = std::size_t{2} << 20;
inline constexpr std::size_t kVolumePieceBytesMax = std::size_t{1} << 20;  // WriteState, ReadState
inline constexpr std::size_t kVolumeNameBytesMax = 200;  // a name is part of file names

class Volume {
 public:
  // `disk` must outlive the volume and be used by nobody else.
  static Result<std::unique_ptr<Volume>> open(VolumeDisk& disk, Mistakes mistakes = {});

  // Performs the requests in order, makes all their effects durable with one sync, and answers
  // each, in the same order. When the disk fails, nothing of the batch is acknowledged.
  std::vector<pb::VolumeReply> handle_batch(const std::vector<pb::VolumeRequest>& requests);
  pb::VolumeReply handle(const pb::VolumeRequest& request);

  // A write failed: every request is refused with kWriteFault until the volume is opened again.
  bool is_failed() const { return failure_.has_value(); }
  const std::optional<Error>& failure() const { return failure_; }

  std::uint64_t recovery_epoch() const { return contents_.recovery_epoch; }
  std::size_t vm_count() const { return contents_.vms.size(); }
  // The figures of a VM; null if it never registered.
  const VolumeVm* vm(const std::string& name) const;
  // The journal of a VM, for checkers: read from the disk.
  Result<std::vector<pb::JournalRecord>> journal(const std::string& vm) const;

 private:
  Volume(VolumeDisk& disk, VolumeContents contents, Mistakes mistakes);

  pb::VolumeReply perform(const pb::VolumeRequest& request);
  pb::VolumeReply perform_for_vm(const pb::VolumeRequest& request, const Epoch& epoch);
  pb::VolumeReply register_epoch(const pb::VolumeRequest& request, const Epoch& epoch);
  pb::VolumeReply append(const pb::VolumeRequest& request, VolumeVm& vm);
  pb::VolumeReply write_state(const pb::VolumeRequest& request, VolumeVm& vm);
  pb::VolumeReply read_state(const pb::VolumeRequest& request, const VolumeVm& vm);
  pb::VolumeReply delete_files(const pb::VolumeRequest& request, const Epoch& epoch);
  pb::VolumeReply raise_recovery_epoch(const pb::VolumeRequest& request);

  std::optional<pb::VolumeReply> raise_to(std::uint64_t recovery_epoch);
  bool already_published(const pb::VolumeRequest& request, const VolumeVm& vm);
  pb::VolumeReply broken(const Error& error);

  VolumeDisk& disk_;
  [[no_unique_address]] Mistakes mistakes_;
  VolumeContents contents_;
  std::optional<Error> failure_;
};

// Says what is wrong with the journal of one VM, or nothing: epochs only rise, every append is of
// the epoch registered last, boots do not come back within one recovery epoch, and counters go up
// by exactly one over all owners: no fork, no repeat, no gap.
std::optional<std::string> check_journal(const std::vector<pb::JournalRecord>& records);

}  // namespace failsim
