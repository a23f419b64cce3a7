#include "storage/recording.h"

#include <cassert>
#include <utility>

#include "cluster/core_fingerprint.h"
#include "cluster/little_endian.h"
#include "storage/event_codec.h"
#include "storage/record_format.h"
#include "storage/recording_decoder.h"

namespace failsim {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;  // of entries or rows in one record

std::string encode(const pb::RecordingItem& item) {
  return encode_record(item.SerializeAsString());
}

// Gathers entries or rows in one item until they are worth a record.
class Pieces {
 public:
  explicit Pieces(std::string& out) : out_(out) {}
  ~Pieces() { flush(); }
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  void add(const pb::LogEntry& entry) {
    *item_.mutable_entries()->add_entries() = entry;
    count(entry.command().size());
  }
  void add(const RowChange& change) {
    pb::RowBatch::Row& row = *item_.mutable_rows()->add_rows();
    row.set_key(change.key);
    row.set_value(*change.value);
    count(change.key.size() + change.value->size());
  }

 private:
  void count(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ >= kPieceBytes) flush();
  }
  void flush() {
    if (item_.item_case() != pb::RecordingItem::ITEM_NOT_SET) out_ += encode(item_);
    item_.Clear();
    bytes_ = 0;
  }

  std::string& out_;
  pb::RecordingItem item_;
  std::size_t bytes_ = 0;
};

// All fields by name: a new one does not compile until it is recorded.
pb::RecordingStart start_of(const MemberConfig& config, const Recovered& recovered, Time now) {
  // The mistakes are not: only the virtual world can make any.
  const auto& [self, incarnation, store_id, bootstrap, random_seed, wall_time_origin_ns,
               compact_every, check_state_every, mistakes] = config;
  const auto& [hard_state, log_start, entries, rows, applied, starts, synced] = recovered;
  pb::RecordingStart start;
  start.set_version(FAILSIM_VERSION);
  start.set_core(std::string(core_fingerprint()));
  start.set_self(self);
  start.set_incarnation(incarnation);
  start.set_store_id(store_id);
  *start.mutable_bootstrap() = bootstrap;
  start.set_random_seed(random_seed);
  start.set_wall_time_origin_ns(wall_time_origin_ns);
  start.set_compact_every(compact_every);
  start.set_check_state_every(check_state_every);
  start.set_now_ns(now);
  *start.mutable_hard_state() = hard_state;
  *start.mutable_log_start() = log_start;
  start.set_applied(applied);
  start.set_entries(entries.size());
  start.set_rows(rows.size());
  for (const StoreStart& one : starts) {
    pb::StoreStartRecord& record = *start.add_starts();
    record.set_instance(one.instance);
    record.set_synced(one.synced);
  }
  start.set_synced(synced);
  return start;
}

}  // namespace

std::string recording_name(std::uint64_t starts) {
  return "recording-" + std::to_string(starts) + std::string(kRecordingExtension);
}

std::string encode_recording_start(const MemberConfig& config, const Recovered& recovered,
                                   Time now) {
  std::string bytes(kRecordingMagic);
  append_u32(bytes, kRecordingFormat);
  pb::RecordingItem item;
  *item.mutable_start() = start_of(config, recovered, now);
  bytes += encode(item);
  {
    Pieces pieces(bytes);
    for (const EntryPtr& entry : recovered.entries) pieces.add(*entry);
  }
  {
    Pieces pieces(bytes);
    for (const RowChange& row : recovered.rows) pieces.add(row);
  }
  return bytes;
}

std::string encode_recorded_step(Time now, const Event& event, Duration clock_ahead) {
  pb::RecordingItem item;
  item.mutable_step()->set_now_ns(now);
  item.mutable_step()->set_clock_ahead_ns(clock_ahead);
  *item.mutable_step()->mutable_event() = encode_event(event);
  return encode(item);
}

std::string encode_recorded_hash(std::uint64_t effects_hash) {
  pb::RecordingItem item;
  item.set_effects_hash(effects_hash);
  return encode(item);
}

std::string encode_recording_end(std::string_view reason) {
  pb::RecordingItem item;
  item.set_end(std::string(reason));
  return encode(item);
}

MemberConfig Recording::config() const {
  MemberConfig config;
  config.self = start_.self();
  config.incarnation = start_.incarnation();
  config.store_id = start_.store_id();
  config.bootstrap = start_.bootstrap();
  config.random_seed = start_.random_seed();
  config.wall_time_origin_ns = start_.wall_time_origin_ns();
  config.compact_every = start_.compact_every();
  config.check_state_every = start_.check_state_every();
  return config;
}

Recording::Step Recording::step(std::size_t number) const {
  assert(number >= 1);
  assert(number <= steps_.size());
  const StoredStep& stored = steps_[number - 1];
  pb::RecordingItem item;
  const bool is_read =
      item.ParseFromArray(bytes_.data() + stored.offset, static_cast<int>(stored.bytes));
  assert(is_read);  // as it was when the recording was decoded
  std::optional<Event> event = decode_event(item.step().event());
  assert(event.has_value());
  return {item.step().now_ns(), item.step().clock_ahead_ns(), std::move(*event),
          stored.effects_hash};
}

}  // namespace failsim
