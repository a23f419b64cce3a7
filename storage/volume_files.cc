#include "storage/volume_files.h"

#include <cassert>
#include <charconv>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "storage/record_format.h"

namespace failsim {
namespace {

constexpr std::size_t kOpenFilesMax = 128;
constexpr std::uint64_t kRedoLogBytesMax = std::uint64_t{16} << 20;

constexpr const char* kJournal = ".journal";
constexpr const char* kState = ".state";
constexpr const char* kPartial = ".partial";

Error damaged(const std::string& path, const std::string& what) {
  return {Code::kInvalidData, path + " is damaged: " + what + ".",
          "Put back a copy of the file, or delete the VM's files and lose its disk."};
}

Error damaged_journal(const std::string& path, const RecordScan& scan) {
  return damaged(path, "the record at byte " + std::to_string(scan.whole_bytes) + " is not whole");
}

// Shows every record up to the first that is not whole.
RecordScan scan_journal(std::string_view bytes,
                        const std::function<void(const pb::JournalRecord&)>& visit) {
  pb::JournalRecord record;
  return scan_records(bytes, [&](std::string_view payload) {
    if (!record.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return false;
    visit(record);
    return true;
  });
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
  Result<RedoLog> redo_log = RedoLog::open(directory + "/redo.log");
  if (!redo_log) return redo_log.error();
  std::unique_ptr<VolumeFiles> disk(new VolumeFiles(directory, lock.take(), redo_log.take()));
  if (auto error = create_directory(disk->vms_directory())) return *error;
  if (auto error = sync_directory(directory)) return *error;
  const std::filesystem::path parent = std::filesystem::absolute(directory).parent_path();
  if (auto error = sync_directory(parent.string())) return *error;
  return disk;
}

VolumeFiles::VolumeFiles(std::string directory, DirectoryLock lock, RedoLog redo_log)
    : directory_(std::move(directory)), lock_(std::move(lock)), redo_log_(std::move(redo_log)) {}

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
    const RecordScan scan =
        scan_journal(bytes.value().value_or(""),
                     [&](const pb::JournalRecord& record) { records.push_back(record); });
    if (scan.end == RecordsEnd::kDamaged) return damaged_journal(path, scan);
  }
  return journals;
}

Result<VolumeContents> VolumeFiles::load() {
  VolumeContents contents;
  if (auto error = redo()) return *error;
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

// Whatever a crash has left of the journals' last records is replaced by what the log holds.
std::optional<Error> VolumeFiles::redo() {
  const Result<std::map<std::string, RedoLog::Tail>> tails = redo_log_.read();
  if (!tails) return tails.error();
  for (const auto& [vm, tail] : tails.value()) {
    const std::string path = path_of(vm, kJournal);
    const Result<std::uint64_t> present = file_bytes(path);
    if (!present) return present.error();
    if (present.value() < tail.offset) {
      return damaged(path, "it ends before byte " + std::to_string(tail.offset));
    }
    Result<const FileDescriptor*> file = writable(path);
    if (!file) return file.error();
    if (auto error = truncate_file(*file.value(), path, tail.offset)) return error;
    if (auto error = write_all(*file.value(), path, tail.offset, tail.bytes)) return error;
    redoable_.insert(path);
  }
  return empty_redo_log();
}

std::optional<Error> VolumeFiles::load_journal(const std::string& name, VolumeVm& vm) {
  const std::string path = path_of(name, kJournal);
  Result<std::optional<std::string>> bytes = read_file(path);
  if (!bytes) return bytes.error();
  const RecordScan scan =
      scan_journal(bytes.value().value_or(""), [&](const pb::JournalRecord& record) {
        if (record.counter() != 0) vm.last_counter = record.counter();
        vm.epoch = {record.epoch().recovery(), record.epoch().counter()};
      });
  if (scan.end != RecordsEnd::kWhole) return damaged_journal(path, scan);
  journal_bytes_[name] = scan.whole_bytes;
  return std::nullopt;
}

std::optional<Error> VolumeFiles::append(const std::string& vm, const pb::JournalRecord& record) {
  pending_[vm] += encode_record(record.SerializeAsString());
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
  pending_.erase(vm);
  // A later redo must not bring back what is removed here.
  if (auto error = empty_redo_log()) return error;
  for (const char* extension : {kJournal, kState, kPartial}) {
    writable_.erase(path_of(vm, extension));
    unsynced_files_.erase(path_of(vm, extension));
  }
  const std::string bytes = encode_record(record.SerializeAsString());
  if (auto error = replace_file(path_of(vm, kJournal), bytes)) return error;
  journal_bytes_[vm] = bytes.size();
  if (auto error = remove_file(path_of(vm, kState))) return error;
  if (auto error = remove_file(path_of(vm, kPartial))) return error;
  // Its new name before anything that is appended to it.
  return sync_directory(vms_directory());
}

std::optional<Error> VolumeFiles::set_recovery_epoch(std::uint64_t recovery_epoch) {
  unsynced_directories_.insert(directory_);
  return replace_file(directory_ + "/recovery_epoch", std::to_string(recovery_epoch) + "\n");
}

std::optional<Error> VolumeFiles::sync() {
  if (auto error = write_pending()) return error;
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
  if (redo_log_.bytes() > kRedoLogBytesMax) {
    if (auto error = empty_redo_log()) return error;
  }
  if (writable_.size() > kOpenFilesMax) writable_.clear();
  return std::nullopt;
}

// The log is the promise; the journals follow without a sync of their own.
std::optional<Error> VolumeFiles::write_pending() {
  if (pending_.empty()) return std::nullopt;
  pb::RedoBatch batch;
  for (const auto& [vm, bytes] : pending_) {
    pb::RedoBatch::Piece& piece = *batch.add_pieces();
    piece.set_vm(vm);
    piece.set_offset(journal_bytes_[vm]);
    piece.set_bytes(bytes);
  }
  if (auto error = redo_log_.append(batch)) return error;

  for (const auto& [vm, bytes] : pending_) {
    const std::string path = path_of(vm, kJournal);
    Result<const FileDescriptor*> file = writable(path);
    if (!file) return file.error();
    std::uint64_t& end = journal_bytes_[vm];
    if (auto error = write_all(*file.value(), path, end, bytes)) return error;
    end += bytes.size();
    redoable_.insert(path);
  }
  pending_.clear();
  return std::nullopt;
}

std::optional<Error> VolumeFiles::empty_redo_log() {
  for (const std::string& path : redoable_) {
    Result<const FileDescriptor*> file = writable(path);
    if (!file) return file.error();
    if (auto error = sync_file(*file.value(), path)) return error;
  }
  if (auto error = sync_directory(vms_directory())) return error;
  redoable_.clear();
  return redo_log_.clear();
}

Result<std::vector<pb::JournalRecord>> VolumeFiles::journal(const std::string& vm) {
  const std::string path = path_of(vm, kJournal);
  Result<std::optional<std::string>> bytes = read_file(path);
  if (!bytes) return bytes.error();
  std::vector<pb::JournalRecord> records;
  const RecordScan scan =
      scan_journal(bytes.value().value_or(""),
                   [&](const pb::JournalRecord& record) { records.push_back(record); });
  if (scan.end != RecordsEnd::kWhole) return damaged_journal(path, scan);
  return records;
}

std::string VolumeFiles::path_of(const std::string& vm, const char* extension) const {
  return vms_directory() + "/" + vm + extension;
}

Result<const FileDescriptor*> VolumeFiles::writable(const std::string& path) {
  const auto found = writable_.find(path);
  if (found != writable_.end()) return &found->second;
  Result<FileDescriptor> file = open_file(path, O_WRONLY | O_CREAT);
  if (!file) return file.error();
  // It may be new. The name of a journal is made durable when the redo log is emptied.
  if (path.ends_with(kPartial)) unsynced_directories_.insert(vms_directory());
  return &writable_.emplace(path, file.take()).first->second;
}

}  // namespace failsim
