// Waits in a thread of its own until a cluster is ready, and says so on a descriptor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "cluster/error.h"
#include "storage/posix_file.h"
#include "tools/failsim/directory.h"

namespace failsim::cli {

class ReadinessWatch {
 public:
  ReadinessWatch();

  // `instances`: of the processes by node number. Once.
  void start(const ClusterDescription& description, const std::string& token,
             const std::map<std::uint32_t, std::uint32_t>& instances);
  // Readable when the wait is over.
  int descriptor() const { return event_.get(); }
  // Whether it is over; to be asked when the descriptor is readable, true once.
  bool take_end();
  // What is missing, when the wait is over; nothing if the cluster is ready.
  const std::optional<Error>& missing() const { return missing_; }

  void request_stop() { thread_.request_stop(); }
  void join();

 private:
  FileDescriptor event_;
  std::optional<Error> missing_;  // written by the thread before it signals
  std::jthread thread_;           // the last: it uses the others
};

}  // namespace failsim::cli
