#include "storage/posix_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace failsim {
namespace {

std::string next_step(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "Free space on that disk and start again.";
    case EACCES:
    case EPERM:
    case EROFS:
      return "Make the directory writable for this user, or choose another.";
    case ENOENT:
      return "Check the path.";
    case EMFILE:
    case ENFILE:
      return "Raise the limit of open files (ulimit -n) and start again.";
    default:
      return "Check the disk, then start again.";
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  // Nothing is lost by a failing close: whatever must be durable was synced before.
  if (fd_ >= 0) ::close(fd_);
}

Error system_error(const std::string& what, const std::string& path) {
  const int error = errno;
  return {Code::kWriteFault, "Cannot " + what + " " + path + ": " + std::strerror(error) + ".",
          next_step(error)};
}

Result<FileDescriptor> open_file(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("open", path);
  return FileDescriptor(fd);
}

std::optional<Error> create_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return std::nullopt;
  return system_error("create the directory", path);
}

std::optional<Error> write_all(const FileDescriptor& file, const std::string& path,
                               std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write to", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return std::nullopt;
}

std::optional<Error> append_all(const FileDescriptor& file, const std::string& path,
                                std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write to", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return std::nullopt;
}

Result<std::string> read_bytes(const std::string& path, std::uint64_t offset, std::uint64_t bytes) {
  Result<FileDescriptor> file = open_file(path, O_RDONLY);
  if (!file) return file.error();
  std::string data(bytes, '\0');
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::pread(file.value().get(), data.data() + done, data.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read", path);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  data.resize(done);
  return data;
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return system_error("read", path);
  }
  Result<std::string> bytes = read_bytes(path, 0, static_cast<std::uint64_t>(status.st_size));
  if (!bytes) return bytes.error();
  return std::optional<std::string>(bytes.take());
}

std::optional<Error> truncate_file(const FileDescriptor& file, const std::string& path,
                                   std::uint64_t bytes) {
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) == 0) return std::nullopt;
  return system_error("truncate", path);
}

std::optional<Error> sync_file(const FileDescriptor& file, const std::string& path) {
  if (::fdatasync(file.get()) == 0) return std::nullopt;
  return system_error("sync", path);
}

std::optional<Error> sync_directory(const std::string& path) {
  Result<FileDescriptor> directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return directory.error();
  if (::fsync(directory.value().get()) == 0) return std::nullopt;
  return system_error("sync the directory", path);
}

std::optional<Error> rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return std::nullopt;
  return system_error("rename " + from + " to", to);
}

std::optional<Error> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return std::nullopt;
  return system_error("remove", path);
}

std::optional<Error> replace_file(const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".new";
  Result<FileDescriptor> file = open_file(beside, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return file.error();
  if (auto error = append_all(file.value(), beside, bytes)) return error;
  if (auto error = sync_file(file.value(), beside)) return error;
  return rename_file(beside, path);
}

}  // namespace failsim
