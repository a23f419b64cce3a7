#include "storage/rocks_store.h"

#include <cassert>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "storage/log_damage.h"
#include "storage/proto/store.pb.h"
#include "storage/write_ahead_log.h"

namespace failsim {
namespace {

constexpr std::uint32_t kFormat = 2;

constexpr const char* kIdentityKey = "meta/identity";
constexpr const char* kStartsKey = "meta/starts";
constexpr const char* kHardStateKey = "meta/hard_state";
constexpr const char* kLogStartKey = "meta/log_start";
constexpr const char* kAppliedKey = "meta/applied";
constexpr const char* kSyncedKey = "meta/synced";
constexpr const char* kRetiredKey = "meta/retired";
constexpr std::string_view kStartPrefix = "start/";
constexpr std::string_view kLogPrefix = "log/";
constexpr std::string_view kRowPrefix = "row/";
constexpr const char* kLogBegin = "log/";
constexpr const char* kLogEnd = "log0";  // '0' follows '/'
constexpr const char* kRowBegin = "row/";
constexpr const char* kRowEnd = "row0";

std::string numbered_key(std::string_view prefix, std::uint64_t number) {
  char key[32];
  std::snprintf(key, sizeof key, "%020llu", static_cast<unsigned long long>(number));
  return std::string(prefix) + key;
}

std::string log_key(Index index) {
  return numbered_key(kLogPrefix, index);
}

Error failed(const std::string& what, const std::string& path, const rocksdb::Status& status) {
  Error error;
  error.code = Code::kWriteFault;
  error.message = "Cannot " + what + " the store in " + path + ": " + status.ToString() + ".";
  error.next = status.IsNoSpace() || status.ToString().find("No space") != std::string::npos
                   ? "Free space on that disk and start the node again."
                   : "Check the disk, then start the node again.";
  return error;
}

Error damaged(const std::string& path, const std::string& what) {
  return {
      Code::kInvalidData, "The store in " + path + " is damaged: " + what + ".",
      "Leave this node out: the others go on without it. A store that is formatted in its place, "
      "or an older copy of it, has no say any more."};
}

// The database's own log is not kept: writing it to a full disk would end the process in an
// assertion of the library (a log file that failed once must not be written again), before the
// failed write could be reported.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options options_for(const RocksStoreOptions& given) {
  rocksdb::Options options;
  if (given.env != nullptr) options.env = given.env;
  // A node writes little and keeps its state in memory itself: no caches, one background job.
  options.write_buffer_size = std::size_t{1} << 20;
  options.arena_block_size = std::size_t{16} << 10;
  options.max_total_wal_size = std::uint64_t{4} << 20;
  options.max_background_jobs = 1;
  options.max_open_files = 64;
  options.max_file_opening_threads = 1;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.info_log = std::make_shared<NoLog>();
  options.max_manifest_file_size = std::uint64_t{1} << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // After a failed write nothing may go on by itself.
  options.max_bgerror_resume_count = 0;
  options.paranoid_checks = true;
  options.track_and_verify_wals_in_manifest = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  return options;
}

// The write-ahead logs in the order in which they were written, by number.
rocksdb::Status list_logs(rocksdb::Env* env, const std::string& path,
                          std::map<std::uint64_t, std::string>* logs) {
  std::vector<std::string> names;
  rocksdb::Status status = env->GetChildren(path, &names);
  for (const std::string& name : names) {
    std::uint64_t number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() &&
        std::string_view(rest, static_cast<std::size_t>(end - rest)) == ".log") {
      logs->emplace(number, path + "/" + name);
    }
  }
  return status;
}

// Chooses how RocksDB may treat the end of the log, or refuses. A log that is torn but has changes
// in a later one is left to RocksDB's strict mode: it is usually a leftover of a recovery that was
// cut off before it removed the file, which it knows, and else it refuses. One that was cut off
// even before it noted that the torn log is done has begun a later one without changes.
std::optional<Error> prepare_recovery(const std::string& path, rocksdb::Options* options) {
  std::map<std::uint64_t, std::string> logs;
  rocksdb::Status status = list_logs(options->env, path, &logs);
  if (!status.ok()) return failed("list", path, status);

  bool ends_torn = false;
  for (const auto& [number, file] : logs) {
    std::string bytes;
    status = rocksdb::ReadFileToString(options->env, file, &bytes);
    if (!status.ok()) return failed("read", path, status);
    const WriteAheadLog log = inspect_write_ahead_log(bytes);
    if (log.end == LogEnd::kDamaged) {
      return damaged(path, file + " has a record that does not parse behind byte " +
                               std::to_string(log.whole_bytes) + ", and a later one that does");
    }
    if (log.has_changes) ends_torn = false;
    if (log.end == LogEnd::kTorn) ends_torn = true;
  }
  // The only tolerant mode that also takes a last record whose bytes came to the disk in part.
  if (ends_torn) options->wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return std::nullopt;
}

Error not_formatted(const std::string& path) {
  return {Code::kNotFound, "There is no formatted store in " + path + ".",
          "Format it with 'failsim-node format', or check the path."};
}

// RocksDB's own lock is per process and directory.
bool is_locked(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().find("lock") != std::string::npos &&
         status.ToString().find("/LOCK") != std::string::npos;
}

Result<std::unique_ptr<rocksdb::DB>> open_database(const std::string& path,
                                                   const rocksdb::Options& options) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  if (status.ok()) return std::unique_ptr<rocksdb::DB>(db);
  if (is_locked(status)) {
    return Error{Code::kAlreadyExists, "Another process has the store in " + path + " open.",
                 "Stop that process first."};
  }
  if (status.IsCorruption()) return damaged(path, status.ToString());
  return failed("open", path, status);
}

bool parse_number(std::string_view text, std::uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_message(const rocksdb::Slice& bytes, google::protobuf::MessageLite* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Takes one key of the database into `recovered`; false if it makes no sense.
bool take_key(std::string_view key, const rocksdb::Slice& value, Recovered* recovered) {
  if (key.starts_with(kLogPrefix)) {
    auto entry = std::make_shared<pb::LogEntry>();
    if (!parse_message(value, entry.get()) || log_key(entry->index()) != key) return false;
    recovered->entries.push_back(std::move(entry));
    return true;
  }
  if (key.starts_with(kRowPrefix)) {
    recovered->rows.push_back({std::string(key.substr(kRowPrefix.size())), value.ToString()});
    return true;
  }
  if (key == kHardStateKey) return parse_message(value, &recovered->hard_state);
  if (key == kLogStartKey) return parse_message(value, &recovered->log_start);
  if (key.starts_with(kStartPrefix)) {
    pb::StoreStartRecord start;
    if (!parse_message(value, &start)) return false;
    recovered->starts.push_back({start.instance(), start.synced()});
    return key == numbered_key(kStartPrefix, recovered->starts.size());
  }
  if (key == kAppliedKey) return parse_number(value.ToStringView(), &recovered->applied);
  if (key == kSyncedKey) return parse_number(value.ToStringView(), &recovered->synced);
  return key == kIdentityKey || key == kStartsKey || key == kRetiredKey;
}

void add_log(const DurableBatch& batch, rocksdb::WriteBatch* out) {
  if (batch.truncate_from != 0) out->DeleteRange(log_key(batch.truncate_from), kLogEnd);
  for (const EntryPtr& entry : batch.append) {
    out->Put(log_key(entry->index()), entry->SerializeAsString());
  }
  if (batch.log_start) {
    out->DeleteRange(kLogBegin, log_key(batch.log_start->index() + 1));
    out->Put(kLogStartKey, batch.log_start->SerializeAsString());
  }
}

void add_rows(const DurableBatch& batch, rocksdb::WriteBatch* out) {
  if (batch.replace_rows) out->DeleteRange(kRowBegin, kRowEnd);
  for (const RowChange& row : batch.rows) {
    const std::string key = std::string(kRowPrefix) + row.key;
    if (row.value)
      out->Put(key, *row.value);
    else
      out->Delete(key);
  }
  if (batch.applied) out->Put(kAppliedKey, std::to_string(*batch.applied));
}

}  // namespace

std::optional<Error> RocksStore::format(const std::string& path, const StoreIdentity& identity,
                                        const RocksStoreOptions& given) {
  rocksdb::Options options = options_for(given);
  options.create_if_missing = true;
  Result<std::unique_ptr<rocksdb::DB>> opened = open_database(path, options);
  if (!opened) return opened.error();
  const std::unique_ptr<rocksdb::DB> db = opened.take();

  std::string present;
  rocksdb::Status status = db->Get({}, kIdentityKey, &present);
  if (status.ok()) {
    return Error{Code::kAlreadyExists, "The store in " + path + " is formatted already.",
                 "Use it as it is, or remove the directory first."};
  }
  if (!status.IsNotFound()) return failed("read", path, status);

  pb::StoreRecord record;
  record.set_format(kFormat);
  record.set_node(identity.node);
  record.set_store_id(identity.store_id);
  *record.mutable_bootstrap() = identity.bootstrap;
  rocksdb::WriteOptions synced;
  synced.sync = true;
  status = db->Put(synced, kIdentityKey, record.SerializeAsString());
  if (!status.ok()) return failed("format", path, status);
  return std::nullopt;
}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::string& path,
                                                     const RocksStoreOptions& given) {
  rocksdb::Options options = options_for(given);
  if (!options.env->FileExists(path + "/CURRENT").ok()) return not_formatted(path);
  if (auto error = prepare_recovery(path, &options)) return *error;
  Result<std::unique_ptr<rocksdb::DB>> db = open_database(path, options);
  if (!db) return db.error();

  std::unique_ptr<RocksStore> store(new RocksStore(path, db.take()));
  if (auto error = store->load_identity()) return *error;
  if (auto error = store->count_start(given.instance)) return *error;
  return store;
}

Result<StoreContent> RocksStore::look(const std::string& path) {
  rocksdb::Options options = options_for({});
  // Whoever writes it may be in the middle of a record.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  if (!options.env->FileExists(path + "/CURRENT").ok()) return not_formatted(path);
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &opened);
  if (!status.ok()) return failed("read", path, status);
  RocksStore store(path, std::unique_ptr<rocksdb::DB>(opened));
  if (auto error = store.load_identity()) return *error;
  Result<Recovered> recovered = store.read();
  if (!recovered) return recovered.error();
  return StoreContent{store.identity(), recovered.take()};
}

RocksStore::RocksStore(std::string path, std::unique_ptr<rocksdb::DB> db)
    : path_(std::move(path)), db_(std::move(db)) {}

RocksStore::~RocksStore() = default;

std::optional<Error> RocksStore::load_identity() {
  std::string bytes;
  rocksdb::Status status = db_->Get({}, kIdentityKey, &bytes);
  if (status.IsNotFound()) return not_formatted(path_);
  if (status.IsCorruption()) return damaged(path_, status.ToString());
  if (!status.ok()) return failed("read", path_, status);
  pb::StoreRecord record;
  if (!parse_message(bytes, &record)) return damaged(path_, "meta/identity does not parse");
  if (record.format() != kFormat) {
    return Error{Code::kInvalidData,
                 "The store in " + path_ + " has disk format " + std::to_string(record.format()) +
                     "; this program knows format " + std::to_string(kFormat) + ".",
                 "Use the version of failsim-node that wrote it."};
  }
  identity_.node = record.node();
  identity_.store_id = record.store_id();
  identity_.bootstrap = record.bootstrap();
  return std::nullopt;
}

std::optional<Error> RocksStore::count_start(std::uint32_t instance) {
  std::string text;
  const rocksdb::Status status = db_->Get({}, kStartsKey, &text);
  if (status.IsCorruption()) return damaged(path_, status.ToString());
  if (!status.ok() && !status.IsNotFound()) return failed("read", path_, status);
  std::uint64_t starts = 0;
  if (status.ok() && !parse_number(text, &starts)) {
    return damaged(path_, "meta/starts is not a number");
  }
  identity_.starts = starts + 1;
  std::string synced;
  const rocksdb::Status read = db_->Get({}, kSyncedKey, &synced);
  if (!read.ok() && !read.IsNotFound()) return failed("read", path_, read);
  pb::StoreStartRecord start;
  start.set_instance(instance);
  std::uint64_t batches = 0;
  if (read.ok() && !parse_number(synced, &batches)) {
    return damaged(path_, "meta/synced is not a number");
  }
  start.set_synced(batches);
  rocksdb::WriteBatch batch;
  batch.Put(numbered_key(kStartPrefix, identity_.starts), start.SerializeAsString());
  batch.Put(kStartsKey, std::to_string(identity_.starts));
  return commit(batch, true);
}

Result<Recovered> RocksStore::recover() {
  if (failure_) return *failure_;
  std::string mark;
  const rocksdb::Status status = db_->Get({}, kRetiredKey, &mark);
  if (status.ok()) return superseded_store("The store in " + path_);
  if (!status.IsNotFound()) return failed("read", path_, status);
  return read();
}

Result<Recovered> RocksStore::read() {
  Recovered recovered;
  const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator({}));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const std::string_view key = rows->key().ToStringView();
    if (!take_key(key, rows->value(), &recovered)) {
      return damaged(path_, "the key '" + std::string(key) + "' or its value makes no sense");
    }
  }
  if (rows->status().IsCorruption()) return damaged(path_, rows->status().ToString());
  if (!rows->status().ok()) return failed("read", path_, rows->status());
  if (auto wrong = log_damage(recovered)) return damaged(path_, *wrong);
  return recovered;
}

std::optional<Error> RocksStore::write(const DurableBatch& batch) {
  if (failure_) return failure_;
  if (batch.empty()) return std::nullopt;
  rocksdb::WriteBatch out;
  if (batch.hard_state) out.Put(kHardStateKey, batch.hard_state->SerializeAsString());
  add_log(batch, &out);
  add_rows(batch, &out);
  if (batch.synced != 0) out.Put(kSyncedKey, std::to_string(batch.synced));
  if (batch.retired) out.Put(kRetiredKey, "");
  return commit(out, batch.needs_sync());
}

// A database that failed to write is closed, never resumed: what it would do next is not known.
std::optional<Error> RocksStore::commit(rocksdb::WriteBatch& batch, bool sync) {
  assert(!failure_);
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = db_->Write(options, &batch);
  if (status.ok()) return std::nullopt;
  failure_ = failed("write to", path_, status);
  db_.reset();
  return failure_;
}

}  // namespace failsim
