#include "storage/recording_decoder.h"

#include <memory>
#include <optional>
#include <utility>

#include "cluster/little_endian.h"
#include "storage/event_codec.h"
#include "storage/posix_file.h"
#include "storage/record_format.h"

namespace failsim {
namespace {

Error refused(const std::string& path, const std::string& why, std::string next) {
  return {Code::kInvalidData, path + " cannot be replayed: " + why + ".", std::move(next)};
}

}  // namespace

Result<Recording> Recording::decode(std::string bytes, const std::string& path) {
  return RecordingDecoder().decode(std::move(bytes), path);
}

Result<Recording> Recording::read(const std::string& path) {
  Result<std::optional<std::string>> bytes = read_file(path);
  if (!bytes) return bytes.error();
  std::optional<std::string> found = bytes.take();
  if (!found) {
    return Error{Code::kNotFound, "There is no recording " + path + ".",
                 "A cluster is recorded with: failsim up --record"};
  }
  return decode(std::move(*found), path);
}

Result<Recording> RecordingDecoder::decode(std::string bytes, const std::string& path) {
  constexpr std::size_t kFrontBytes = kRecordingMagic.size() + 4;
  if (bytes.size() < kFrontBytes || !bytes.starts_with(kRecordingMagic)) {
    return refused(path, "it does not begin as a recording does",
                   "Name a file that 'failsim up --record' made.");
  }
  const std::uint32_t format = load_u32(std::string_view(bytes).substr(kRecordingMagic.size(), 4));
  if (format != kRecordingFormat) {
    return refused(path,
                   "it is of format " + std::to_string(format) + ", and this program reads " +
                       std::to_string(kRecordingFormat),
                   "Use the program that recorded it.");
  }
  recording_.bytes_ = std::move(bytes);
  const std::string_view records = std::string_view(recording_.bytes_).substr(kFrontBytes);
  const RecordScan scan = scan_records(
      records, [this](std::string_view payload) { return take(payload); }, kMaximumRecordedBytes);
  if (scan.end == RecordsEnd::kDamaged) {
    return refused(
        path,
        "the record at byte " + std::to_string(kFrontBytes + scan.whole_bytes) + " is damaged",
        "Use an undamaged copy of it.");
  }
  if (!has_start_ || !is_start_whole()) {
    return refused(path, "it ends before it says how the node began", "Use a whole copy of it.");
  }
  recording_.torn_bytes_ = records.size() - scan.whole_bytes;
  return std::move(recording_);
}

// False if the item makes no sense where it stands.
bool RecordingDecoder::take(std::string_view payload) {
  pb::RecordingItem item;
  if (!item.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return false;
  if (item.item_case() == pb::RecordingItem::kStart) return take_start(item.start());
  if (!has_start_ || !recording_.end_.empty()) return false;
  switch (item.item_case()) {
    case pb::RecordingItem::kEntries:
      return take_entries(item.entries());
    case pb::RecordingItem::kRows:
      return take_rows(item.rows());
    case pb::RecordingItem::kStep:
      return take_step(item.step(), payload);
    case pb::RecordingItem::kEffectsHash:
      return take_hash(item.effects_hash());
    case pb::RecordingItem::kEnd:
      recording_.end_ = item.end();
      return is_start_whole() && !recording_.end_.empty();
    default:
      return false;
  }
}

bool RecordingDecoder::take_start(const pb::RecordingStart& start) {
  if (has_start_) return false;
  has_start_ = true;
  recording_.start_ = start;
  recording_.recovered_.hard_state = start.hard_state();
  recording_.recovered_.log_start = start.log_start();
  recording_.recovered_.applied = start.applied();
  for (const pb::StoreStartRecord& one : start.starts()) {
    recording_.recovered_.starts.push_back({one.instance(), one.synced()});
  }
  recording_.recovered_.synced = start.synced();
  latest_ = start.now_ns();
  return latest_ >= 0;
}

bool RecordingDecoder::take_entries(const pb::RecordingItem::Entries& entries) {
  std::vector<EntryPtr>& known = recording_.recovered_.entries;
  for (const pb::LogEntry& entry : entries.entries()) {
    known.push_back(std::make_shared<const pb::LogEntry>(entry));
  }
  return known.size() <= recording_.start_.entries();
}

bool RecordingDecoder::take_rows(const pb::RowBatch& rows) {
  std::vector<RowChange>& known = recording_.recovered_.rows;
  for (const pb::RowBatch::Row& row : rows.rows()) known.push_back({row.key(), row.value()});
  return known.size() <= recording_.start_.rows();
}

bool RecordingDecoder::take_step(const pb::RecordingItem::Step& step, std::string_view payload) {
  if (!is_start_whole() || step.now_ns() < latest_ || !decode_event(step.event())) return false;
  latest_ = step.now_ns();
  const std::size_t offset = static_cast<std::size_t>(payload.data() - recording_.bytes_.data());
  // Between two steps the hash is never missing.
  if (!recording_.steps_.empty() && !recording_.steps_.back().effects_hash) return false;
  recording_.steps_.push_back({offset, payload.size(), std::nullopt});
  return true;
}

bool RecordingDecoder::take_hash(std::uint64_t effects_hash) {
  if (recording_.steps_.empty() || recording_.steps_.back().effects_hash) return false;
  recording_.steps_.back().effects_hash = effects_hash;
  return true;
}

bool RecordingDecoder::is_start_whole() const {
  return recording_.recovered_.entries.size() == recording_.start_.entries() &&
         recording_.recovered_.rows.size() == recording_.start_.rows();
}

}  // namespace failsim
