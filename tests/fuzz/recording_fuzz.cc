// Whatever the bytes: a recording is refused with a sentence, or every step of it can be read, and
// written anew it gives back the same. Stops the process if not. The bytes are taken as they are,
// and once more as the payloads of whole records, which a fuzzer would hardly ever find.

#include <string>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "cluster/little_endian.h"
#include "storage/record_format.h"
#include "storage/recording.h"
#include "tests/fuzz/target.h"

namespace {

using namespace failsim;

std::string written_anew(const Recording& recording) {
  std::string bytes =
      encode_recording_start(recording.config(), recording.recovered(), recording.started_at());
  for (std::size_t number = 1; number <= recording.steps(); ++number) {
    const Recording::Step step = recording.step(number);
    bytes += encode_recorded_step(step.now, step.event);
    if (step.effects_hash) bytes += encode_recorded_hash(*step.effects_hash);
  }
  if (!recording.end().empty()) bytes += encode_recording_end(recording.end());
  return bytes;
}

void check(const std::string& bytes) {
  const Result<Recording> recording = Recording::decode(bytes, "it");
  if (!recording) {
    require(recording.error().code == Code::kInvalidData);
    require(!recording.error().message.empty());
    return;
  }
  const std::string canonical = written_anew(recording.value());
  const Result<Recording> again = Recording::decode(canonical, "it");
  require(again.ok());
  require(again.value().steps() == recording.value().steps());
  require(again.value().end() == recording.value().end());
  require(again.value().torn_bytes() == 0);
  require(written_anew(again.value()) == canonical);
}

// Each record behind the front: one byte of length, then so much of the payload.
std::string as_records(std::string_view bytes) {
  std::string recording = "failsim recording\n";
  append_u32(recording, kRecordingFormat);
  while (bytes.size() > 1) {
    const std::size_t length = static_cast<unsigned char>(bytes.front());
    const std::string_view payload = bytes.substr(1, length);
    if (!payload.empty()) recording += encode_record(payload);
    bytes.remove_prefix(1 + payload.size());
  }
  return recording;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that a read past the end is noticed by the sanitizer.
  const std::string bytes(data, data + size);
  const google::protobuf::LogSilencer no_complaints_about_texts;
  check(bytes);
  check(as_records(bytes));
  return 0;
}
