#include "storage/volume_files.h"

#include <cassert>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "storage/journal_format.h"

namespace failsim {
namespace {

constexpr std::size_t kOpenFilesMax = 128;

constexpr const char* kJournal = ".journal";
constexpr const char* kState = ".state";
constexpr const char* kPartial = ".partial";

Error damaged(const std::string& path, const std::string& what) {
  return {Code::kInvalidData, path + " is damaged: " + what + ".",
          "Put back a copy of the file, or delete the VM's files and lose its disk."};
}

Error damaged_journal(const std::string& path, const JournalScan& scan) {
  return damaged(path, "the record at byte " + std::to_string(scan.whole_bytes) +
                           " does not parse, but a later one does");
}

// The names of the files with this extension, without it.
Result<std::set<std::string>> names_in(const std::string& directory, const char* extension) {
  std::set<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.ends_with(extension)) {
      names.insert(name.substr(0, name.size() - std::char_traits<char>::length(extension)));
    }
  }
  if (!error) return names;
  return Error{Code::kWriteFault, "Cannot list " + directory + ": " + error.message() + ".",
               "Check the path and its permissions."};
}

Result<std::uint64_t> file_bytes(const std::string& path) {
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(path, error);
  if (!error) return bytes;
  if (error == std::errc::no_such_file_or_directory) return std::uint64_t{0};
  return Error{Code::kWriteFault, "Cannot read " + path + ": " + error.message() + ".",
               "Check its permissions."};
}

Result<std::uint64_t> read_number(const std::string& path) {
  Result<std::optional<std::string>> text = read_file(path);
  if (!text) return text.error();
  if (!text.value()) return std::uint64_t{0};
  const std::string& digits = *text.value();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end + 1 != digits.data() + digits.size() || *end != '\n') {
    return damaged(path, "it does not hold one number");
  }
  return number;
}

}  // namespace

Result<std::unique_ptr<VolumeFiles>> VolumeFiles::open(const std::string& directory) {
  if (auto error = create_directory(directory)) return *error;
  Result<DirectoryLock> lock = DirectoryLock::acquire(directory, "the shared volume");
  if (!lock) return lock.error();
  std::unique_ptr<VolumeFiles> disk(new VolumeFiles(directory, lock.take()));
  if (auto error = create_directory(disk->vms_directory())) return *error;
  if (auto error = sync_directory(directory)) return *error;
  const std::filesystem::path parent = std::filesystem::absolute(directory).parent_path();
  if (auto error = sync_directory(parent.string())) return *error;
  return disk;
}

VolumeFiles::VolumeFiles(std::string directory, DirectoryLock lock)
    : directory_(std::move(directory)), lock_(std::move(lock)) {}

Result<std::map<std::string, std::vector<pb::JournalRecord>>> VolumeFiles::read_journals(
    const std::string& directory) {
  std::map<std::string, std::vector<pb::JournalRecord>> journals;
  Result<std::set<std::string>> names = names_in(directory + "/vms", kJournal);
  if (!names) return names.error();
  for (const std::string& name : names.value()) {
    const std::string path = directory + "/vms/" + name + kJournal;
    Result<std::optional<std::string>> bytes = read_file(path);
    if (!bytes) return bytes.error();
    std::vector<pb::JournalRecord>& records = journals[name];
    const JournalScan scan =
        scan_journal(bytes.value().value_or(""),
                     [&](const pb::JournalRecord& record) { records.push_back(record); });
    if (scan.end == JournalEnd::kDamaged) return damaged_journal(path, scan);
  }
  return journals;
}

Result<VolumeContents> VolumeFiles::load() {
  VolumeContents contents;
  Result<std::uint64_t> recovery_epoch = read_number(directory_ + "/recovery_epoch");
  if (!recovery_epoch) return recovery_epoch.error();
  contents.recovery_epoch = recovery_epoch.value();

  Result<std::set<std::string>> names = names_in(vms_directory(), kJournal);
  if (!names) return names.error();
  for (const std::string& name : names.value()) {
    VolumeVm vm;
    if (auto error = load_journal(name, vm)) return *error;
    for (const auto& [extension, bytes] :
         {std::pair(kState, &vm.state_bytes), std::pair(kPartial, &vm.partial_bytes)}) {
      Result<std::uint64_t> found = file_bytes(path_of(name, extension));
      if (!found) return found.error();
      *bytes = found.value();
    }
    contents.vms.emplace(name, vm);
  }
  return contents;
}

// A torn tail is cut off at once: the next record must follow a whole one.
std::optional<Error> VolumeFiles::load_journal(const std::string& name, VolumeVm& vm) {
  const std::string path = path_of(name, kJournal);
  Result<std::optional<std::string>> bytes = read_file(path);
  if (!bytes) return bytes.error();
  const JournalScan scan =
      scan_journal(bytes.value().value_or(""), [&](const pb::JournalRecord& record) {
        if (record.counter() != 0) vm.last_counter = record.counter();
        vm.epoch = {record.epoch().recovery(), record.epoch().counter()};
      });
  if (scan.end == JournalEnd::kDamaged) return damaged_journal(path, scan);
  if (scan.end == JournalEnd::kWhole) return std::nullopt;

  Result<FileDescriptor> file = open_file(path, O_WRONLY);
  if (!file) return file.error();
  if (auto error = truncate_file(file.value(), path, scan.whole_bytes)) return error;
  return sync_file(file.value(), path);
}

std::optional<Error> VolumeFiles::append(const std::string& vm, const pb::JournalRecord& record) {
  pending_[path_of(vm, kJournal)] += encode_journal_record(record);
  return std::nullopt;
}

std::optional<Error> VolumeFiles::write_partial(const std::string& vm, std::uint64_t offset,
                                                std::string_view data) {
  const std::string path = path_of(vm, kPartial);
  Result<const FileDescriptor*> file = writable(path);
  if (!file) return file.error();
  if (auto error = truncate_file(*file.value(), path, offset)) return error;
  unsynced_files_.insert(path);
  return write_all(*file.value(), path, offset, data);
}

std::optional<Error> VolumeFiles::publish_state(const std::string& vm) {
  const std::string path = path_of(vm, kPartial);
  Result<const FileDescriptor*> file = writable(path);
  if (!file) return file.error();
  if (auto error = sync_file(*file.value(), path)) return error;
  unsynced_files_.erase(path);
  writable_.erase(path);
  if (auto error = rename_file(path, path_of(vm, kState))) return error;
  unsynced_directories_.insert(vms_directory());
  return std::nullopt;
}

Result<std::string> VolumeFiles::read_state(const std::string& vm, std::uint64_t offset,
                                            std::uint64_t bytes) {
  const std::string path = path_of(vm, kState);
  Result<std::string> data = read_bytes(path, offset, bytes);
  if (data && data.value().size() < bytes) {
    return damaged(path, "it ends before byte " + std::to_string(offset + bytes));
  }
  return data;
}

std::optional<Error> VolumeFiles::reset(const std::string& vm, const pb::JournalRecord& record) {
  const std::string path = path_of(vm, kJournal);
  pending_.erase(path);
  for (const char* extension : {kJournal, kState, kPartial}) {
    writable_.erase(path_of(vm, extension));
    unsynced_files_.erase(path_of(vm, extension));
  }
  if (auto error = replace_file(path, encode_journal_record(record))) return error;
  if (auto error = remove_file(path_of(vm, kState))) return error;
  if (auto error = remove_file(path_of(vm, kPartial))) return error;
  unsynced_directories_.insert(vms_directory());
  return std::nullopt;
}

std::optional<Error> VolumeFiles::set_recovery_epoch(std::uint64_t recovery_epoch) {
  unsynced_directories_.insert(directory_);
  return replace_file(directory_ + "/recovery_epoch", std::to_string(recovery_epoch) + "\n");
}

std::optional<Error> VolumeFiles::sync() {
  for (const auto& [path, bytes] : pending_) {
    if (auto error = append_bytes(path, bytes)) return error;
  }
  pending_.clear();
  for (const std::string& path : unsynced_files_) {
    Result<const FileDescriptor*> file = writable(path);
    if (!file) return file.error();
    if (auto error = sync_file(*file.value(), path)) return error;
  }
  unsynced_files_.clear();
  for (const std::string& path : unsynced_directories_) {
    if (auto error = sync_directory(path)) return error;
  }
  unsynced_directories_.clear();
  if (writable_.size() > kOpenFilesMax) writable_.clear();
  return std::nullopt;
}

Result<std::vector<pb::JournalRecord>> VolumeFiles::journal(const std::string& vm) {
  const std::string path = path_of(vm, kJournal);
  Result<std::optional<std::string>> bytes = read_file(path);
  if (!bytes) return bytes.error();
  std::vector<pb::JournalRecord> records;
  const JournalScan scan =
      scan_journal(bytes.value().value_or(""),
                   [&](const pb::JournalRecord& record) { records.push_back(record); });
  if (scan.end != JournalEnd::kWhole) return damaged_journal(path, scan);
  return records;
}

std::string VolumeFiles::path_of(const std::string& vm, const char* extension) const {
  return vms_directory() + "/" + vm + extension;
}

std::optional<Error> VolumeFiles::append_bytes(const std::string& path, std::string_view bytes) {
  Result<const FileDescriptor*> file = writable(path);
  if (!file) return file.error();
  unsynced_files_.insert(path);
  return append_all(*file.value(), path, bytes);
}

Result<const FileDescriptor*> VolumeFiles::writable(const std::string& path) {
  const auto found = writable_.find(path);
  if (found != writable_.end()) return &found->second;
  // pwrite ignores its offset on a file opened for appending, and a journal is only appended to.
  const int mode = path.ends_with(kJournal) ? O_APPEND : 0;
  Result<FileDescriptor> file = open_file(path, O_WRONLY | O_CREAT | mode);
  if (!file) return file.error();
  unsynced_directories_.insert(vms_directory());
  return &writable_.emplace(path, file.take()).first->second;
}

}  // namespace failsim
