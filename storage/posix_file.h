// Files by their descriptors: the few calls that durable writing needs, with errors as sentences.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/error.h"

namespace failsim {

// An open descriptor, closed when it dies.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// "Cannot <what> <path>: <why>." with what to do next, from errno.
Error system_error(const std::string& what, const std::string& path);

Result<FileDescriptor> open_file(const std::string& path, int flags);
std::optional<Error> create_directory(const std::string& path);  // one that exists is fine
std::optional<Error> write_all(const FileDescriptor& file, const std::string& path,
                               std::uint64_t offset, std::string_view bytes);
std::optional<Error> append_all(const FileDescriptor& file, const std::string& path,
                                std::string_view bytes);
// Fewer bytes than asked for only at the end of the file.
Result<std::string> read_bytes(const std::string& path, std::uint64_t offset, std::uint64_t bytes);
// The whole file; no value if there is none.
Result<std::optional<std::string>> read_file(const std::string& path);
std::optional<Error> truncate_file(const FileDescriptor& file, const std::string& path,
                                   std::uint64_t bytes);
std::optional<Error> sync_file(const FileDescriptor& file, const std::string& path);
// Makes the names in a directory durable.
std::optional<Error> sync_directory(const std::string& path);
std::optional<Error> rename_file(const std::string& from, const std::string& to);
// A file that is not there is fine.
std::optional<Error> remove_file(const std::string& path);
// Writes the file beside its place, synced, and moves it there; sync_directory makes that durable.
std::optional<Error> replace_file(const std::string& path, std::string_view bytes);

}  // namespace failsim
