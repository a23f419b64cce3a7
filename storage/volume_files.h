// The shared volume's disk as files; the volume process is the only writer of them:
//
//   DIR/recovery_epoch        a decimal number and a line feed
//   DIR/redo.log              appends to the journals that may not be there yet (redo_log.h)
//   DIR/vms/<name>.journal    records (record_format.h), each a serialized JournalRecord
//   DIR/vms/<name>.state      the saved state
//   DIR/vms/<name>.partial    a saved state being written
//
// A name without a file means zero or nothing. One sync makes the appends to any number of journals
// durable: that of the redo log.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/directory_lock.h"
#include "storage/posix_file.h"
#include "storage/redo_log.h"
#include "storage/volume_disk.h"

namespace failsim {

class VolumeFiles : public VolumeDisk {
 public:
  // Creates the directory if its parent exists; refuses one that another process uses.
  static Result<std::unique_ptr<VolumeFiles>> open(const std::string& directory);

  // The journals of a volume, by VM, for checkers: writes nothing and takes no lock, so it may run
  // beside the volume process, whose last record may then be half written and is left out. After a
  // loss of power a journal is whole only when the volume has been opened again.
  static Result<std::map<std::string, std::vector<pb::JournalRecord>>> read_journals(
      const std::string& directory);

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
  VolumeFiles(std::string directory, DirectoryLock lock, RedoLog redo_log);

  std::string vms_directory() const { return directory_ + "/vms"; }
  std::string path_of(const std::string& vm, const char* extension) const;
  std::optional<Error> redo();
  std::optional<Error> load_journal(const std::string& name, VolumeVm& vm);
  std::optional<Error> write_pending();
  std::optional<Error> empty_redo_log();
  // A descriptor to write to the file, kept until enough others are.
  Result<const FileDescriptor*> writable(const std::string& path);

  std::string directory_;
  DirectoryLock lock_;
  RedoLog redo_log_;
  std::map<std::string, std::uint64_t> journal_bytes_;  // by VM, without what is pending
  std::map<std::string, std::string> pending_;          // by VM: to be appended by the next sync
  std::set<std::string> redoable_;                      // journals that the redo log still holds
  std::map<std::string, FileDescriptor> writable_;      // by path
  std::set<std::string> unsynced_files_;
  std::set<std::string> unsynced_directories_;
};

}  // namespace failsim
