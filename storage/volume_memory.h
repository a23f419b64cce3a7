// The shared volume's disk in the virtual world: everything in memory, and a power switch.
//
// The power may go between any two changes; the changes since the last sync are then lost, or kept
// up to one of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/volume_disk.h"

namespace failsim {

class VolumeMemory : public VolumeDisk {
 public:
  // ---- faults ----
  // After this many more changes (a sync counts as one) the power is gone: every call fails.
  void power_off_after(std::uint64_t changes) { changes_left_ = changes; }
  // Changes since the last sync.
  std::size_t unsynced() const { return unsynced_.size(); }
  // The power comes back: of the unsynced changes the first `keep` are there. To be loaded again.
  void crash(std::size_t keep);

  // ---- VolumeDisk ----
  Result<VolumeContents> load() override;
  std::optional<Error> append(const std::string& vm, const pb::JournalRecord& record) override;
  std::optional<Error> write_partial(const std::string& vm, std::uint64_t offset,
                                     std::string_view data) override;
  std::optional<Error> publish_state(const std::string& vm) override;
  Result<std::string> read_state(const std::string& vm, std::uint64_t offset,
                                 std::uint64_t bytes) override;
  std::optional<Error> reset(const std::string& vm, const pb::JournalRecord& record) override;
  std::optional<Error> set_recovery_epoch(std::uint64_t recovery_epoch) override;
  std::optional<Error> sync() override;
  Result<std::vector<pb::JournalRecord>> journal(const std::string& vm) override;

 private:
  // A journal record without the size of a message: millions of them are kept.
  struct Line {
    Epoch epoch;
    std::uint64_t counter = 0;
    std::uint64_t boot_id = 0;
  };
  struct Files {
    std::vector<Line> journal;
    std::string state;
    std::string partial;
  };
  struct Image {
    std::uint64_t recovery_epoch = 0;
    std::map<std::string, Files> vms;
  };
  enum class Kind { kAppend, kWritePartial, kPublish, kReset, kRecoveryEpoch };
  struct Change {
    Kind kind = Kind::kAppend;
    std::string vm;
    Line line;                 // kAppend, kReset
    std::uint64_t number = 0;  // kWritePartial: the offset; kRecoveryEpoch: the epoch
    std::string data;
  };

  static Line line_of(const pb::JournalRecord& record);
  static void perform(const Change& change, Image& image);
  std::optional<Error> change(Change change);
  std::optional<Error> spend_power();
  Error no_power() const;

  Image synced_;  // what survives any crash
  Image live_;    // synced_ and then unsynced_
  std::vector<Change> unsynced_;
  std::optional<std::uint64_t> changes_left_;
};

}  // namespace failsim
