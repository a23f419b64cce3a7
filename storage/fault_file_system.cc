#include "storage/fault_file_system.h"

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

namespace failsim {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace fs = std::filesystem;

// RocksDB's information log is no part of the data.
bool is_data(const std::string& path) {
  return fs::path(path).filename().string().rfind("LOG", 0) != 0;
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

// The state of the disk. RocksDB calls from several threads.
class FaultFileSystem::Disk : public rocksdb::FileSystemWrapper {
 public:
  Disk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FaultFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* context) override;
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* result,
                              IODebugContext* context) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<FSDirectory>* result, IODebugContext* context) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override;

  IOStatus append(FSWritableFile* file, const std::string& path, const Slice& data,
                  const IOOptions& options, IODebugContext* context);
  IOStatus truncate(FSWritableFile* file, const std::string& path, std::uint64_t bytes,
                    const IOOptions& options, IODebugContext* context);
  IOStatus sync(const std::string& path);
  IOStatus sync_names(const std::string& directory);

  std::uint64_t operations() const;
  void power_off_in(std::uint64_t n);
  void crash(std::uint64_t torn_bytes);
  void restart_process();
  void fail(Call call, Kind kind, std::uint64_t after, bool only_log);
  void heal();

 private:
  struct File {
    std::uint64_t bytes = 0;
    std::uint64_t synced = 0;
  };
  struct Refusal {
    Call call;
    Kind kind;
    std::uint64_t after;
    bool only_log;
  };

  IOStatus operate();
  IOStatus refused(Call call, const std::string& path);
  void note_name(const std::string& path);

  mutable std::mutex mutex_;
  std::uint64_t operations_ = 0;
  std::optional<std::uint64_t> operations_left_;
  std::optional<Refusal> refusal_;
  std::map<std::string, File> files_;
  // Names whose present meaning a crash undoes, with the contents they had before, if any.
  std::map<std::string, std::optional<std::string>> unsynced_names_;
};

namespace {

template <typename Disk>
class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<FSWritableFile> file, Disk* disk, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    return disk_->append(target(), path_, data, options, context);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return disk_->append(target(), path_, data, options, context);
  }
  IOStatus Truncate(std::uint64_t bytes, const IOOptions& options,
                    IODebugContext* context) override {
    return disk_->truncate(target(), path_, bytes, options, context);
  }
  // The machine itself does not crash: noting the sync is enough, and fast.
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_->sync(path_); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_->sync(path_); }

 private:
  Disk* disk_;
  std::string path_;
};

template <typename Disk>
class FaultyDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  FaultyDirectory(std::unique_ptr<FSDirectory> directory, Disk* disk, std::string path)
      : FSDirectoryWrapper(std::move(directory)), disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_->sync_names(path_); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*,
                               const rocksdb::DirFsyncOptions&) override {
    return disk_->sync_names(path_);
  }

 private:
  Disk* disk_;
  std::string path_;
};

}  // namespace

IOStatus FaultFileSystem::Disk::NewWritableFile(const std::string& path, const FileOptions& options,
                                                std::unique_ptr<FSWritableFile>* result,
                                                IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  note_name(path);
  std::unique_ptr<FSWritableFile> file;
  IOStatus status = target()->NewWritableFile(path, options, &file, context);
  if (!status.ok()) return status;
  files_[path] = File();
  *result = std::make_unique<FaultyFile<Disk>>(std::move(file), this, path);
  return status;
}

IOStatus FaultFileSystem::Disk::ReopenWritableFile(const std::string& path,
                                                   const FileOptions& options,
                                                   std::unique_ptr<FSWritableFile>* result,
                                                   IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  std::unique_ptr<FSWritableFile> file;
  IOStatus status = target()->ReopenWritableFile(path, options, &file, context);
  if (!status.ok()) return status;
  // Of a file this disk has not written before, everything is taken for synced.
  const std::uint64_t bytes = fs::file_size(path);
  files_.try_emplace(path, File{bytes, bytes});
  *result = std::make_unique<FaultyFile<Disk>>(std::move(file), this, path);
  return status;
}

IOStatus FaultFileSystem::Disk::NewDirectory(const std::string& path, const IOOptions& options,
                                             std::unique_ptr<FSDirectory>* result,
                                             IODebugContext* context) {
  std::unique_ptr<FSDirectory> directory;
  IOStatus status = target()->NewDirectory(path, options, &directory, context);
  if (!status.ok()) return status;
  *result = std::make_unique<FaultyDirectory<Disk>>(std::move(directory), this, path);
  return status;
}

IOStatus FaultFileSystem::Disk::DeleteFile(const std::string& path, const IOOptions& options,
                                           IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  files_.erase(path);
  return target()->DeleteFile(path, options, context);
}

IOStatus FaultFileSystem::Disk::RenameFile(const std::string& from, const std::string& to,
                                           const IOOptions& options, IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  note_name(to);
  const auto file = files_.find(from);
  if (file != files_.end()) {
    files_[to] = file->second;
    files_.erase(file);
  }
  return target()->RenameFile(from, to, options, context);
}

IOStatus FaultFileSystem::Disk::append(FSWritableFile* file, const std::string& path,
                                       const Slice& data, const IOOptions& options,
                                       IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  const bool had_power = operations_left_ != std::uint64_t{0};
  Slice written = data;
  IOStatus status = operate();
  const bool lost_power = !status.ok();
  if (lost_power && !had_power) return status;
  if (lost_power) written = Slice(data.data(), data.size() / 2);
  if (status.ok()) status = refused(Call::kAppend, path);
  if (!status.ok() && !lost_power) return status;

  const IOStatus result = file->Append(written, options, context);
  if (result.ok()) files_[path].bytes += written.size();
  return lost_power ? status : result;
}

IOStatus FaultFileSystem::Disk::truncate(FSWritableFile* file, const std::string& path,
                                         std::uint64_t bytes, const IOOptions& options,
                                         IODebugContext* context) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  File& known = files_[path];
  known.bytes = bytes;
  known.synced = std::min(known.synced, bytes);
  return file->Truncate(bytes, options, context);
}

IOStatus FaultFileSystem::Disk::sync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  if (IOStatus status = refused(Call::kSync, path); !status.ok()) return status;
  File& file = files_[path];
  file.synced = file.bytes;
  return IOStatus::OK();
}

IOStatus FaultFileSystem::Disk::sync_names(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = operate(); !status.ok()) return status;
  std::erase_if(unsynced_names_, [&](const auto& name) {
    return fs::path(name.first).parent_path() == fs::path(directory);
  });
  return IOStatus::OK();
}

std::uint64_t FaultFileSystem::Disk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void FaultFileSystem::Disk::power_off_in(std::uint64_t n) {
  const std::lock_guard lock(mutex_);
  operations_left_ = n;
}

void FaultFileSystem::Disk::crash(std::uint64_t torn_bytes) {
  const std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) {
    if (!fs::exists(path)) continue;
    fs::resize_file(path, std::min(file.bytes, file.synced + torn_bytes));
  }
  for (const auto& [path, before] : unsynced_names_) {
    if (before)
      std::ofstream(path, std::ios::binary | std::ios::trunc) << *before;
    else
      fs::remove(path);
  }
  files_.clear();
  unsynced_names_.clear();
  operations_left_.reset();
  refusal_.reset();
}

void FaultFileSystem::Disk::restart_process() {
  const std::lock_guard lock(mutex_);
  operations_left_.reset();
  refusal_.reset();
}

void FaultFileSystem::Disk::fail(Call call, Kind kind, std::uint64_t after, bool only_log) {
  const std::lock_guard lock(mutex_);
  refusal_ = Refusal{call, kind, after, only_log};
}

void FaultFileSystem::Disk::heal() {
  const std::lock_guard lock(mutex_);
  refusal_.reset();
}

IOStatus FaultFileSystem::Disk::operate() {
  ++operations_;
  if (!operations_left_) return IOStatus::OK();
  if (*operations_left_ == 0) return IOStatus::IOError("the power is off");
  --*operations_left_;
  if (*operations_left_ == 0) return IOStatus::IOError("the power went off");
  return IOStatus::OK();
}

IOStatus FaultFileSystem::Disk::refused(Call call, const std::string& path) {
  if (!refusal_ || refusal_->call != call) return IOStatus::OK();
  if (refusal_->only_log && fs::path(path).extension() != ".log") return IOStatus::OK();
  if (refusal_->after > 0) {
    --refusal_->after;
    return IOStatus::OK();
  }
  if (refusal_->kind == Kind::kNoSpace) return IOStatus::NoSpace("No space left on device", path);
  return IOStatus::IOError("Input/output error", path);
}

// Before the name `path` gets a new meaning.
void FaultFileSystem::Disk::note_name(const std::string& path) {
  if (!is_data(path)) return;
  std::optional<std::string> before;
  if (fs::exists(path)) before = contents_of(path);
  unsynced_names_.try_emplace(path, std::move(before));
}

namespace {

// RocksDB waits a second after a background job that failed; nobody has to in a test.
class ImpatientClock : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int) override {}
};

class FaultEnv : public rocksdb::EnvWrapper {
 public:
  explicit FaultEnv(const std::shared_ptr<rocksdb::FileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<ImpatientClock>();
  }
};

}  // namespace

FaultFileSystem::FaultFileSystem()
    : disk_(std::make_shared<Disk>()), env_(std::make_unique<FaultEnv>(disk_)) {}

FaultFileSystem::~FaultFileSystem() = default;

rocksdb::Env* FaultFileSystem::env() {
  return env_.get();
}
std::uint64_t FaultFileSystem::operations() const {
  return disk_->operations();
}
void FaultFileSystem::power_off_in(std::uint64_t n) {
  assert(n > 0);
  disk_->power_off_in(n);
}
void FaultFileSystem::crash(std::uint64_t torn_bytes) {
  disk_->crash(torn_bytes);
}
void FaultFileSystem::restart_process() {
  disk_->restart_process();
}
void FaultFileSystem::fail(Call call, Kind kind, std::uint64_t after, bool only_log) {
  disk_->fail(call, kind, after, only_log);
}
void FaultFileSystem::heal() {
  disk_->heal();
}

}  // namespace failsim
