// One process a directory: a lock on DIR/lock that the kernel drops when its holder is gone,
// however it went.
#pragma once

#include <string>

#include "cluster/error.h"
#include "storage/posix_file.h"

namespace failsim {

class DirectoryLock {
 public:
  // `what` names the thing that lives there, for example "the shared volume". Fails with
  // kAlreadyExists if another process holds the lock.
  static Result<DirectoryLock> acquire(const std::string& directory, const std::string& what);

 private:
  explicit DirectoryLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace failsim
