// What processes did, written down by themselves: when a guest executed, what the volume wrote, who
// died, what was broken. With the recordings of the members (recording.h) it is everything that a
// judge needs to know of a cluster of processes.
//
//   observations := "failsim observations\n", records (record_format.h), each a serialized
//                   Observation (observation.proto), the first of them `began`
//
// All processes of a machine share the clock, so the records of several files can be put in one
// order. Nothing is synced; what was written survives the end of the process, whatever ended it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/time.h"
#include "storage/posix_file.h"
#include "storage/proto/observation.pb.h"

namespace failsim {

inline constexpr std::string_view kObservationsExtension = ".fsobs";

// CLOCK_BOOTTIME as the kernel has it.
Time observation_clock();
// "observed-3.fsobs".
std::string observations_name(std::uint64_t number);

class ObservationLog {
 public:
  // Creates the file, which must not exist and will not grow beyond the limit.
  static Result<std::unique_ptr<ObservationLog>> create(const std::string& path,
                                                        std::uint64_t limit_bytes, NodeId node,
                                                        Incarnation incarnation);

  // From any thread. Stamps it with the time; times never fall. A file that cannot be written, or
  // has reached its limit, ends: the process goes on.
  void note(pb::Observation observation);

 private:
  ObservationLog(std::string path, std::uint64_t limit_bytes, FileDescriptor file)
      : path_(std::move(path)), limit_bytes_(limit_bytes), file_(std::move(file)) {}

  void write(const std::string& bytes);

  const std::string path_;
  const std::uint64_t limit_bytes_;
  std::mutex mutex_;
  FileDescriptor file_;
  std::uint64_t written_bytes_ = 0;
  Time latest_ = 0;
};

// In the order in which they were written; a torn end is left out. kInvalidData for what is no such
// file or is damaged, kNotFound if there is none.
Result<std::vector<pb::Observation>> read_observations(const std::string& path);

}  // namespace failsim
