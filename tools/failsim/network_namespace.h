// A network namespace of our own, without a name: it lives as long as this object or a process in
// it. The kernel then takes it away with its interfaces, rules and queues, whoever died and how.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "storage/posix_file.h"

namespace failsim::cli {

class NetworkNamespace {
 public:
  // kAccessDenied without root or where the kernel or a container forbids it.
  static Result<NetworkNamespace> create();

  int descriptor() const { return descriptor_.get(); }
  // A name of it for `ip`, good while this object lives.
  std::string path() const;

  // Does the work on a thread of its own inside: sockets that it opens stay inside.
  void inside(const std::function<void()>& work) const;
  // Runs a program inside to its end, the script on its standard input. Its own message is in the
  // Error if it fails. The program is looked for as by `program_path`.
  std::optional<Error> run(const std::vector<std::string>& command,
                           const std::string& script) const;

 private:
  explicit NetworkNamespace(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  FileDescriptor descriptor_;
};

// Where the program is: in PATH, or where Debian puts those of the administrator. Empty if nowhere.
std::string program_path(const std::string& name);

}  // namespace failsim::cli
