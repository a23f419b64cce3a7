#include "node/faults/faulty_disk.h"

#include <optional>
#include <string>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace failsim::node {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class Disk {
 public:
  explicit Disk(Switchboard& switchboard) : switchboard_(switchboard) {}

  IOStatus before_write(std::uint64_t bytes, bool is_sync) {
    switchboard_.wait_for_disk(is_sync);
    const std::optional<DiskError> error = switchboard_.write_error(bytes);
    if (!error) return IOStatus::OK();
    switch (*error) {
      case DiskError::kNoSpace:
        return IOStatus::NoSpace("No space left on device");
      case DiskError::kReadOnly:
        return IOStatus::IOError("Read-only file system");
      case DiskError::kIoError:
        break;
    }
    return IOStatus::IOError("Input/output error");
  }

 private:
  Switchboard& switchboard_;
};

class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<FSWritableFile> file, Disk& disk)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(data.size(), false); !status.ok()) return status;
    return target()->Append(data, options, context);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(data.size(), false); !status.ok()) return status;
    return target()->Append(data, options, verification, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(0, true); !status.ok()) return status;
    return target()->Sync(options, context);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(0, true); !status.ok()) return status;
    return target()->Fsync(options, context);
  }

 private:
  Disk& disk_;
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  explicit Files(Switchboard& switchboard)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(switchboard) {}

  const char* Name() const override { return "FaultyDisk"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(0, false); !status.ok()) return status;
    std::unique_ptr<FSWritableFile> file;
    const IOStatus status = target()->NewWritableFile(path, options, &file, context);
    if (status.ok()) *result = std::make_unique<File>(std::move(file), disk_);
    return status;
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* result,
                              IODebugContext* context) override {
    if (IOStatus status = disk_.before_write(0, false); !status.ok()) return status;
    std::unique_ptr<FSWritableFile> file;
    const IOStatus status = target()->ReopenWritableFile(path, options, &file, context);
    if (status.ok()) *result = std::make_unique<File>(std::move(file), disk_);
    return status;
  }

 private:
  Disk disk_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> faulty_disk(Switchboard& switchboard) {
  return rocksdb::NewCompositeEnv(std::make_shared<Files>(switchboard));
}

}  // namespace failsim::node
