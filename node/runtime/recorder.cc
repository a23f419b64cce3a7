#include "node/runtime/recorder.h"

#include <optional>
#include <utility>

#include <fcntl.h>

#include "cluster/effects_hash.h"
#include "cluster/state/field_hash.h"
#include "node/hypervisor/hypervisor.h"
#include "node/runtime/log.h"
#include "storage/recording.h"

namespace failsim::node {
namespace {

// Kept for what is said at the end: the last hash, and why the recording stops.
constexpr std::uint64_t kEndBytes = 512;

}  // namespace

Recorder::Recorder(std::string path, std::uint64_t limit_bytes, const MemberConfig& config,
                   const Recovered& recovered, Time now)
    : path_(std::move(path)), limit_bytes_(limit_bytes), effects_hash_(kHashSeed) {
  Result<FileDescriptor> file = open_file(path_, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!file) {
    stop(file.error().message);
    return;
  }
  file_ = file.take();
  log(Level::kInfo, "record: every event goes to " + path_ + ", " +
                        std::to_string(limit_bytes_ >> 20) + " MiB at most");
  write(encode_recording_start(config, recovered, now));
}

void Recorder::begin_step(Time now, const Event& event) {
  if (!is_recording()) return;
  const std::string step = encode_recorded_step(now, event, now - true_boottime_of(now));
  if (step.size() > kMaximumRecordedBytes) {
    end("an event of " + std::to_string(step.size()) + " bytes is too long for it");
  } else {
    write(step);
  }
}

void Recorder::end_step(const Effects& effects) {
  if (!is_recording()) return;
  effects_hash_ = hash_effects(effects, effects_hash_);
  waiting_ = encode_recorded_hash(effects_hash_);
}

void Recorder::flush() {
  if (is_recording() && !waiting_.empty()) write("");
}

void Recorder::write(std::string_view bytes) {
  if (written_bytes_ + waiting_.size() + bytes.size() + kEndBytes > limit_bytes_) {
    return end("the limit of " + std::to_string(limit_bytes_) + " bytes is reached");
  }
  waiting_ += bytes;
  const std::optional<Error> error = append_all(file_, path_, waiting_);
  written_bytes_ += waiting_.size();
  waiting_.clear();
  if (error) stop(error->message);
}

// What is waiting is the last hash: the recording ends behind a whole step.
void Recorder::end(const std::string& why) {
  const std::optional<Error> error = append_all(file_, path_, waiting_ + encode_recording_end(why));
  waiting_.clear();
  stop(error ? error->message : why + ".");
}

void Recorder::stop(const std::string& why) {
  file_ = FileDescriptor();
  log(Level::kWarning, "record: nothing more goes to " + path_ + ": " + why +
                           " The node goes on; its next start is recorded again.");
}

}  // namespace failsim::node
