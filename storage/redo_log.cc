#include "storage/redo_log.h"

#include <utility>

#include <fcntl.h>

#include "storage/record_format.h"

namespace failsim {
namespace {

// False if the piece does not follow what the log had for its file before.
bool take_piece(const pb::RedoBatch::Piece& piece, std::map<std::string, RedoLog::Tail>* tails) {
  const auto [found, is_new] = tails->try_emplace(piece.vm());
  RedoLog::Tail& tail = found->second;
  if (is_new) tail.offset = piece.offset();
  if (piece.offset() != tail.offset + tail.bytes.size()) return false;
  tail.bytes += piece.bytes();
  return true;
}

}  // namespace

Result<RedoLog> RedoLog::open(const std::string& path) {
  Result<FileDescriptor> file = open_file(path, O_WRONLY | O_CREAT | O_APPEND);
  if (!file) return file.error();
  return RedoLog(path, file.take());
}

Result<std::map<std::string, RedoLog::Tail>> RedoLog::read() const {
  std::map<std::string, Tail> tails;
  Result<std::optional<std::string>> bytes = read_file(path_);
  if (!bytes) return bytes.error();
  const RecordScan scan = scan_records(bytes.value().value_or(""), [&](std::string_view payload) {
    pb::RedoBatch batch;
    if (!batch.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return false;
    for (const pb::RedoBatch::Piece& piece : batch.pieces()) {
      if (!take_piece(piece, &tails)) return false;
    }
    return true;
  });
  if (scan.end == RecordsEnd::kDamaged) {
    return Error{Code::kInvalidData,
                 path_ + " is damaged: the record at byte " + std::to_string(scan.whole_bytes) +
                     " makes no sense, but it is not the last one or was written so.",
                 "Put back a copy of the volume's directory, or form the cluster anew."};
  }
  return tails;
}

std::optional<Error> RedoLog::append(const pb::RedoBatch& batch) {
  const std::string record = encode_record(batch.SerializeAsString());
  if (auto error = append_all(file_, path_, record)) return error;
  bytes_ += record.size();
  return sync_file(file_, path_);
}

std::optional<Error> RedoLog::clear() {
  bytes_ = 0;
  if (auto error = truncate_file(file_, path_, 0)) return error;
  return sync_file(file_, path_);
}

}  // namespace failsim
