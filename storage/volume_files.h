// The shared volume's disk as files; the volume process is the only writer of them:
//
//   DIR/recovery_epoch        a decimal number and a line feed
//   DIR/vms/<name>.journal    journal_format.h
//   DIR/vms/<name>.state      the saved state
//   DIR/vms/<name>.partial    a saved state being written
//
// A name without a file means zero or nothing. Files are written in place (journal, partial) or
// beside and renamed (the others).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/directory_lock.h"
#include "storage/posix_file.h"
#include "storage/volume_disk.h"

namespace failsim {

class VolumeFiles : public VolumeDisk {
 public:
  // Creates the directory if its parent exists; refuses one that another process uses.
  static Result<std::unique_ptr<VolumeFiles>> open(const std::string& directory);

  // The journals of a volume, by VM, for checkers: writes nothing and takes no lock, so it may run
  // beside the volume process, whose last record may then be half written and is left out.
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
  VolumeFiles(std::string directory, DirectoryLock lock);

  std::string vms_directory() const { return directory_ + "/vms"; }
  std::string path_of(const std::string& vm, const char* extension) const;
  std::optional<Error> load_journal(const std::string& name, VolumeVm& vm);
  std::optional<Error> append_bytes(const std::string& path, std::string_view bytes);
  // A descriptor to append to or write in the file, kept until enough others are.
  Result<const FileDescriptor*> writable(const std::string& path);

  std::string directory_;
  DirectoryLock lock_;
  std::map<std::string, FileDescriptor> writable_;  // by path
  std::map<std::string, std::string> pending_;      // appended to these files, not yet written
  std::set<std::string> unsynced_files_;
  std::set<std::string> unsynced_directories_;
};

}  // namespace failsim
