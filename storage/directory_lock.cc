#include "storage/directory_lock.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

namespace failsim {

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory,
                                             const std::string& what) {
  const std::string path = directory + "/lock";
  Result<FileDescriptor> file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return file.error();
  if (::flock(file.value().get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock", path);
    return Error{Code::kAlreadyExists,
                 "Another process runs " + what + " in " + directory + ": it holds " + path + ".",
                 "Stop that process first, or use another directory."};
  }
  return DirectoryLock(file.take());
}

}  // namespace failsim
