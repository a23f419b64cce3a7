// The recording of a process: what its member was made of and everything it was told, so that the
// same code can be taken through it again.
//
//   recording := "failsim recording\n", format u32, records (record_format.h)
//   record    := a serialized RecordingItem (recording.proto):
//                start, entries*, rows*, (step, effects_hash?)*, end?
//
// A step is written before the member takes it, the hash of what it wanted afterwards: a step that
// ended the process is the last one, and has no hash. A recording that was being written when the
// process was killed may end in the middle of a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/durable.h"
#include "cluster/effects.h"
#include "cluster/error.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "storage/proto/recording.pb.h"

namespace failsim {

inline constexpr std::uint32_t kRecordingFormat = 2;
inline constexpr std::string_view kRecordingExtension = ".fsrec";
// No record is longer: twice the longest message between nodes.
inline constexpr std::size_t kMaximumRecordedBytes = 16 * 1024 * 1024;

// "recording-3.fsrec", of the third start of a store.
std::string recording_name(std::uint64_t starts);

// ---- Writing: each gives the bytes that come next -----------------------------------------------

std::string encode_recording_start(const MemberConfig& config, const Recovered& recovered,
                                   Time now);
// `clock_ahead`: how far the member's clock is ahead of the kernel's.
std::string encode_recorded_step(Time now, const Event& event, Duration clock_ahead = 0);
std::string encode_recorded_hash(std::uint64_t effects_hash);
std::string encode_recording_end(std::string_view reason);

// ---- Reading ------------------------------------------------------------------------------------

class Recording {
 public:
  struct Step {
    Time now = 0;
    Duration clock_ahead = 0;  // of the kernel's clock: now is its time, but for a fault
    Event event;
    // hash_effects() of this step, continued from the one before, the first from kHashSeed; nothing
    // if the recording ends before it.
    std::optional<std::uint64_t> effects_hash;
  };

  // Checks the whole recording; `path` is for messages. What is no recording, of another format or
  // damaged is refused with kInvalidData; a torn end is not.
  static Result<Recording> decode(std::string bytes, const std::string& path);
  // The same of a file; kNotFound if there is none.
  static Result<Recording> read(const std::string& path);

  // What recorded it.
  const std::string& version() const { return start_.version(); }
  const std::string& core() const { return start_.core(); }

  // The arguments of the member's constructor.
  MemberConfig config() const;
  const Recovered& recovered() const { return recovered_; }
  Time started_at() const { return start_.now_ns(); }

  std::size_t steps() const { return steps_.size(); }
  // The step of this number, 1 to steps(). `now` never falls from one to the next.
  Step step(std::size_t number) const;

  // What is left of a record at the end.
  std::size_t torn_bytes() const { return torn_bytes_; }
  // Why the recording was stopped while the process went on; empty if it was not.
  const std::string& end() const { return end_; }

 private:
  friend class RecordingDecoder;

  struct StoredStep {
    std::size_t offset = 0;  // of the payload in bytes_
    std::size_t bytes = 0;
    std::optional<std::uint64_t> effects_hash;
  };

  std::string bytes_;
  pb::RecordingStart start_;
  Recovered recovered_;
  std::vector<StoredStep> steps_;
  std::string end_;
  std::size_t torn_bytes_ = 0;
};

}  // namespace failsim
