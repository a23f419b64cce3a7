// Writes down what this process's member was made of and everything it is told
// (storage/recording.h).
//
// Nothing here is synced: what reached the kernel survives the end of the process, whatever ended
// it, and the loop never waits for a disk to sync. A recording that cannot be written, or has
// reached its limit, stops with a line in the log; the node goes on.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/durable.h"
#include "cluster/effects.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "storage/posix_file.h"

namespace failsim::node {

inline constexpr std::uint64_t kDefaultRecordLimitBytes = std::uint64_t{256} << 20;

class Recorder {
 public:
  // Records nothing.
  Recorder() = default;
  // Creates the file, which must not exist; it will not grow beyond the limit.
  Recorder(std::string path, std::uint64_t limit_bytes, const MemberConfig& config,
           const Recovered& recovered, Time now);

  bool is_recording() const { return file_.get() >= 0; }
  // The member is about to take this step: written when it returns.
  void begin_step(Time now, const Event& event);
  // The member has taken it and wants this.
  void end_step(const Effects& effects);
  // Writes what was not written yet; to be called when no step follows at once.
  void flush();

 private:
  // Writes what is waiting and these bytes in one call.
  void write(std::string_view bytes);
  void end(const std::string& why);
  void stop(const std::string& why);

  std::string path_;
  std::uint64_t limit_bytes_ = 0;
  FileDescriptor file_;
  std::uint64_t written_bytes_ = 0;
  std::string waiting_;  // the hash of the last step
  std::uint64_t effects_hash_ = 0;
};

}  // namespace failsim::node
